#include "grammar/frontends/json_text.h"

#include <algorithm>

#include "base/utf8.h"

namespace puna::grammar {
namespace {

constexpr struct {
  uint32_t code;
  char letter;
} kShortEscapes[] = {{'"', '"'},  {'\\', '\\'}, {'/', '/'},  {'\b', 'b'},
                     {'\f', 'f'}, {'\n', 'n'},  {'\r', 'r'}, {'\t', 't'}};

const CodeSet& written_raw() {
  static const CodeSet set{{0x20, '!'}, {'#', '['}, {']', kLastCode}};
  return set;
}

// What Python's repr and our writer escape as \xNN.
const CodeSet& written_in_two_digits() {
  static const CodeSet set{{0, 0x1F}, {0x7F, 0x7F}};
  return set;
}

// Control characters; what is escaped in HTML; and all beyond ASCII.
const CodeSet& written_in_hex() {
  static const CodeSet set{{0, 0x1F},  {'"', '"'},   {'&', '\''},    {'<', '<'},
                           {'>', '>'}, {'\\', '\\'}, {0x7F, 0xD7FF}, {0xE000, kLastCode}};
  return set;
}

ByteSet hex_digits(uint32_t first, uint32_t last) {
  ByteSet set;
  for (uint32_t digit = first; digit <= last; ++digit) {
    set.add(uint8_t("0123456789abcdef"[digit]));
    set.add(uint8_t("0123456789ABCDEF"[digit]));
  }
  return set;
}

// first .. last in `count` hex digits: blocks of 16^k numbers that begin at a multiple of it, neighbours in one.
Regex hex_range(RegexBuilder& build, uint32_t first, uint32_t last, int count) {
  std::vector<Regex> blocks;
  while (first <= last) {
    int free = 0;  // digits at the end that may be anything
    while (free + 1 < count && first % (16u << 4 * free) == 0 && first + (16u << 4 * free) - 1 <= last) ++free;
    const uint32_t size = 1u << 4 * free, digit = first / size % 16;
    const uint32_t more = std::min(15 - digit, (last - first + 1) / size - 1);
    std::vector<Regex> digits;
    for (int i = count - 1; i > free; --i) {
      const uint32_t d = first >> 4 * i & 15;
      digits.push_back(build.bytes(hex_digits(d, d)));
    }
    digits.push_back(build.bytes(hex_digits(digit, digit + more)));
    digits.push_back(build.repeat(build.bytes(hex_digits(0, 15)), uint64_t(free), uint64_t(free)));
    blocks.push_back(build.concat(digits));
    first += (more + 1) * size;
  }
  return build.either(blocks);
}

Regex unit_range(RegexBuilder& build, uint32_t first, uint32_t last) {
  const Regex parts[] = {build.literal("\\u"), hex_range(build, first, last, 4)};
  return build.concat(parts);
}

Regex pair_range(RegexBuilder& build, uint32_t lead, uint32_t last_lead, uint32_t trail, uint32_t last_trail) {
  const Regex parts[] = {unit_range(build, 0xD800 + lead, 0xD800 + last_lead),
                         unit_range(build, 0xDC00 + trail, 0xDC00 + last_trail)};
  return build.concat(parts);
}

// Characters beyond U+FFFF, in two units of UTF-16.
void pair_ranges(RegexBuilder& build, uint32_t first, uint32_t last, std::vector<Regex>& ways) {
  first -= 0x10000, last -= 0x10000;
  const uint32_t lead = first >> 10, last_lead = last >> 10;
  if (lead == last_lead) return ways.push_back(pair_range(build, lead, lead, first & 1023, last & 1023));
  ways.push_back(pair_range(build, lead, lead, first & 1023, 1023));
  if (lead + 1 < last_lead) ways.push_back(pair_range(build, lead + 1, last_lead - 1, 0, 1023));
  ways.push_back(pair_range(build, last_lead, last_lead, 0, last & 1023));
}

}  // namespace

Regex json_space(RegexBuilder& build, int32_t most) {
  if (most <= 0) return build.empty();
  ByteSet indent;
  indent.add(' '), indent.add('\t');
  const Regex line[] = {build.literal("\n"), build.repeat(build.bytes(indent), 0, uint64_t(most))};
  const Regex ways[] = {build.empty(), build.literal(" "), build.concat(line)};
  return build.either(ways);
}

Regex JsonText::character(const CodeSet& set) {
  std::vector<std::pair<uint32_t, uint32_t>> key;
  for (const CodeRange range : set.ranges()) key.emplace_back(range.first, range.last);
  if (const auto known = known_.find(key); known != known_.end()) return known->second;

  if (notation_ == JsonNotation::gemma)
    return known_.emplace(std::move(key), build_.code_points(set.ranges())).first->second;
  std::vector<Regex> ways;
  const CodeSet raw = set.intersection(written_raw());
  if (!raw.empty()) ways.push_back(build_.code_points(raw.ranges()));
  ByteSet letters;
  for (const auto& escape : kShortEscapes)
    if (set.has(escape.code) && (escape.letter != '/' || notation_ == JsonNotation::json))
      letters.add(uint8_t(escape.letter));
  if (!(letters == ByteSet{})) {
    const Regex parts[] = {build_.literal("\\"), build_.bytes(letters)};
    ways.push_back(build_.concat(parts));
  }
  const CodeSet in_hex = set.intersection(written_in_hex());
  for (const CodeRange range : in_hex.ranges()) {
    if (range.first <= 0xFFFF) ways.push_back(unit_range(build_, range.first, std::min(range.last, 0xFFFFu)));
    if (range.last > 0xFFFF && notation_ == JsonNotation::json)
      pair_ranges(build_, std::max(range.first, 0x10000u), range.last, ways);
  }
  if (notation_ == JsonNotation::python) {
    const CodeSet in_two = set.intersection(written_in_two_digits());
    for (const CodeRange range : in_two.ranges()) {
      const Regex parts[] = {build_.literal("\\x"), hex_range(build_, range.first, range.last, 2)};
      ways.push_back(build_.concat(parts));
    }
  }
  const Regex regex = build_.either(ways);
  known_.emplace(std::move(key), regex);
  return regex;
}

Regex JsonText::any() { return of_length(0, kUnbounded); }

Regex JsonText::of_length(uint64_t min, uint64_t max) { return build_.repeat(character(CodeSet::all()), min, max); }

Regex JsonText::every_spelling(std::span<const std::string> texts) {
  std::vector<std::u32string> sorted;
  for (const std::string& text : texts) {
    std::u32string& codes = sorted.emplace_back();
    for (const char *p = text.data(), *end = p + text.size(); p < end;) {
      const Utf8 c = decode_utf8(p, end);
      codes.push_back(char32_t(c.code));
      p += c.size;
    }
  }
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::vector<Regex>> open(1);  // for each character of the text at hand, and the root: what may follow it
  std::u32string_view text;
  const auto close_down_to = [&](size_t depth) {
    while (open.size() > depth + 1) {
      const Regex follows = build_.either(open.back());
      open.pop_back();
      open.back().push_back(build_.concat(character(CodeSet::one(text[open.size() - 1])), follows));
    }
  };
  for (const std::u32string& next : sorted) {
    close_down_to(size_t(std::mismatch(text.begin(), text.end(), next.begin(), next.end()).first - text.begin()));
    open.resize(next.size() + 1);
    open.back().push_back(build_.empty());
    text = next;
  }
  close_down_to(0);
  return build_.either(open[0]);
}

Regex JsonText::quoted(Regex content) {
  const bool gemma = notation_ == JsonNotation::gemma;
  const Regex quote = build_.literal(gemma ? "<|\"|>" : "\"");
  if (gemma) {  // which is not escaped inside
    const Regex with_quote[] = {build_.all(), quote, build_.all()};
    const Regex both[] = {content, build_.complement(build_.concat(with_quote))};
    content = build_.both(both);
  }
  const Regex parts[] = {quote, content, quote};
  return build_.concat(parts);
}

std::string JsonText::spelling(std::string_view text) const {
  const bool python = notation_ == JsonNotation::python;
  if (notation_ == JsonNotation::gemma) return std::string(text);
  std::string out;
  for (const char ch : text) {
    const auto c = static_cast<unsigned char>(ch);
    const auto* escape = std::find_if(std::begin(kShortEscapes), std::end(kShortEscapes),
                                      [c](const auto& e) { return e.code == c && e.letter != '/'; });
    const bool is_short = escape != std::end(kShortEscapes) && !(python && (c == '\b' || c == '\f'));
    if (is_short) {
      out += '\\';
      out += escape->letter;
    } else if (c < 0x20 || (python && c == 0x7F)) {
      out += python ? "\\x" : "\\u00";
      out += "0123456789abcdef"[c >> 4];
      out += "0123456789abcdef"[c & 15];
    } else {
      out += ch;
    }
  }
  return out;
}

}  // namespace puna::grammar
