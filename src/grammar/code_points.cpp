// code_points.cpp -- sets of characters, and lists of words, as expressions over bytes.
#include <algorithm>
#include <vector>

#include "grammar/regex.h"
#include "puna/base/error.h"

namespace puna::grammar {
namespace {

// Ranges in order that neither meet nor overlap, without surrogates.
std::vector<CodeRange> tidy_ranges(std::span<const CodeRange> set) {
  std::vector<CodeRange> cut;
  for (const CodeRange& range : set) {
    const uint32_t last = std::min<uint32_t>(range.last, 0x10FFFF);
    if (range.first <= std::min<uint32_t>(last, 0xD7FF)) cut.push_back({range.first, std::min<uint32_t>(last, 0xD7FF)});
    if (std::max<uint32_t>(range.first, 0xE000) <= last) cut.push_back({std::max<uint32_t>(range.first, 0xE000), last});
  }
  std::sort(cut.begin(), cut.end(), [](const CodeRange& a, const CodeRange& b) { return a.first < b.first; });
  std::vector<CodeRange> tidy;
  for (const CodeRange& range : cut) {
    if (!tidy.empty() && range.first <= tidy.back().last + 1)
      tidy.back().last = std::max(tidy.back().last, range.last);
    else
      tidy.push_back(range);
  }
  return tidy;
}

}  // namespace

// One character in UTF-8. The numbers of 6 * rest bits below a leading byte's are split by their highest six bits;
// leading bytes with the same set behind them share one byte set: [a-z] is one node, all of U+0800..FFFF a few.
class CodePoints {
 public:
  explicit CodePoints(RegexBuilder& arena) : arena_(arena) {}

  Regex of(std::span<const CodeRange> ranges) {
    // Number of continuation bytes, the code points so encoded, what a leading byte adds to the high bits.
    static constexpr struct {
      int rest;
      uint32_t first, last;
      uint8_t lead;
    } kLengths[] = {{0, 0, 0x7F, 0}, {1, 0x80, 0x7FF, 0xC0}, {2, 0x800, 0xFFFF, 0xE0}, {3, 0x10000, 0x10FFFF, 0xF0}};
    std::vector<Regex> parts;
    for (const auto& length : kLengths) {
      std::vector<CodeRange> here;
      for (const CodeRange& range : ranges)
        if (range.first <= length.last && range.last >= length.first)
          here.push_back({std::max(range.first, length.first), std::min(range.last, length.last)});
      parts.push_back(split(std::move(here), length.rest, length.lead));
    }
    return arena_.either(parts);
  }

 private:
  // rest <= 3: this calls itself as often.
  Regex split(std::vector<CodeRange> ranges, int rest, uint8_t lead) {
    const int shift = 6 * rest;
    std::vector<std::pair<Regex, ByteSet>> groups;  // what follows, after which bytes
    const auto add = [&](Regex follows, uint32_t first, uint32_t last) {
      auto group = std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return g.first == follows; });
      if (group == groups.end()) group = groups.insert(group, {follows, ByteSet()});
      group->second.add(uint8_t(lead + first), uint8_t(lead + last));
    };
    for (size_t i = 0; i < ranges.size();) {
      CodeRange& range = ranges[i];
      const uint32_t high = range.first >> shift, base = high << shift, block_end = base + (1u << shift) - 1;
      if (range.first == base && range.last >= block_end) {  // whole blocks
        const uint32_t end = (range.last + 1) >> shift;
        add(any_rest(rest), high, end - 1);
        range.first = end << shift;
        if (range.first > range.last) ++i;
        continue;
      }
      std::vector<CodeRange> inside;  // of one block, which several ranges may touch
      for (; i < ranges.size() && ranges[i].first <= block_end; ++i) {
        inside.push_back({ranges[i].first - base, std::min(ranges[i].last, block_end) - base});
        if (ranges[i].last > block_end) {
          ranges[i].first = block_end + 1;
          break;
        }
      }
      add(split(std::move(inside), rest - 1, 0x80), high, high);
    }
    std::vector<Regex> parts;
    for (const auto& [follows, set] : groups) parts.push_back(arena_.concat(arena_.bytes(set), follows));
    return arena_.either(parts);
  }

  Regex any_rest(int rest) {
    ByteSet continuation;
    continuation.add(0x80, 0xBF);
    Regex joined = arena_.empty();
    for (int k = 0; k < rest; ++k) joined = arena_.concat(arena_.bytes(continuation), joined);
    return joined;
  }

  RegexBuilder& arena_;
};

void RegexBuilder::count_ranges(size_t ranges) {
  tick(ranges);
  ranges_counted_ += ranges;
  PUNA_REQUIRE(ranges_counted_ / 32 < max_nodes_,
               "the sets of characters have more than 32 ranges for each of %ju nodes", max_nodes_);
}

constexpr size_t kMostRemembered = 4096;  // ranges of a set

Regex RegexBuilder::code_points(std::span<const CodeRange> set) {
  tick(set.size());
  std::vector<CodeRange> ranges = tidy_ranges(set);
  uint64_t hash = 0;
  for (const CodeRange& range : ranges) hash = mixed(hash, uint64_t(range.first) << 32 | range.last);
  KnownSet& known = known_sets_[hash % known_sets_.size()];  // \d\d\d-\d\d\d: classes come again and again
  if (!ranges.empty() && known.ranges == ranges) return known.regex;
  count_ranges(ranges.size());
  const Regex made = CodePoints(*this).of(ranges);
  if (ranges.size() <= kMostRemembered) known = {std::move(ranges), made};
  return made;
}

namespace {

// A node of the tree of words while the words below it go by in order.
struct WordNode {
  bool ends_here = false;
  std::vector<std::pair<Regex, ByteSet>> branches;  // what follows, after which bytes
};

}  // namespace

Regex RegexBuilder::words(std::span<const std::string_view> words) {
  std::vector<std::string_view> sorted(words.begin(), words.end());
  std::sort(sorted.begin(), sorted.end());
  std::vector<WordNode> open(1);  // one for each byte of the word at hand, and the root
  std::string_view word;
  std::vector<Regex> parts;
  const auto closed = [&](const WordNode& node) {
    parts.clear();
    if (node.ends_here) parts.push_back(empty());
    for (const auto& [follows, set] : node.branches) parts.push_back(concat(bytes(set), follows));
    return either(parts);
  };
  const auto close_down_to = [&](size_t depth) {
    for (; open.size() > depth + 1;) {
      const Regex follows = closed(open.back());
      open.pop_back();
      auto& branches = open.back().branches;
      if (branches.empty() || branches.back().first != follows) branches.push_back({follows, ByteSet()});
      branches.back().second.add(uint8_t(word[open.size() - 1]));
    }
  };
  for (const std::string_view next : sorted) {
    tick(next.size());
    const size_t common =
        size_t(std::mismatch(word.begin(), word.end(), next.begin(), next.end()).first - word.begin());
    close_down_to(common);
    open.resize(next.size() + 1);
    open.back().ends_here = true;
    word = next;
  }
  close_down_to(0);
  return closed(open[0]);
}

}  // namespace puna::grammar
