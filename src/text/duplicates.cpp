// duplicates.cpp -- MinHash with bands (Broder, 1997; Leskovec et al., "Mining of Massive Datasets", 3): texts whose
// signatures agree in all rows of a band are compared by their sets of shingles.
#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "base/hash.h"
#include "puna/base/error.h"
#include "puna/base/philox.h"
#include "puna/text/duplicates.h"
#include "text/words.h"

namespace puna {
namespace {

using text::PlainWords;

using Shingles = std::vector<uint64_t>;  // hashes, sorted, each once

// Where the characters of a UTF-8 text begin, and its end.
std::vector<size_t> characters_of(std::string_view text) {
  std::vector<size_t> begin;
  for (size_t i = 0; i < text.size(); ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) begin.push_back(i);
  begin.push_back(text.size());
  return begin;
}

void shingles_of(PlainWords& words, std::string_view text, size_t n, Shingles& to) {
  to.clear();
  words.set(text);
  if (words.count() >= n) {
    for (size_t i = 0; i + n <= words.count(); ++i) to.push_back(hash_of(words.range(i, n)));
  } else if (words.count() > 0) {
    const std::string_view all = words.range(0, words.count());
    const std::vector<size_t> at = characters_of(all);
    const size_t count = at.size() - 1;
    if (count < n) to.push_back(hash_of(all));
    for (size_t i = 0; i + n <= count; ++i) to.push_back(hash_of(all.substr(at[i], at[i + n] - at[i])));
  }
  std::sort(to.begin(), to.end());
  to.erase(std::unique(to.begin(), to.end()), to.end());
}

double jaccard(const Shingles& a, const Shingles& b) {
  size_t both = 0;
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    both += a[i] == b[j];
    const bool less = a[i] < b[j], equal = a[i] == b[j];
    i += less || equal;
    j += !less;
  }
  const size_t all = a.size() + b.size() - both;
  return all == 0 ? 0 : double(both) / double(all);
}

// Sets of texts that are linked; the first text of a set stands for it.
class Groups {
 public:
  explicit Groups(size_t n) : parent_(n) { std::iota(parent_.begin(), parent_.end(), int64_t(0)); }
  int64_t of(int64_t i) {
    while (parent_[size_t(i)] != i) i = parent_[size_t(i)] = parent_[size_t(parent_[size_t(i)])];
    return i;
  }
  void join(int64_t a, int64_t b) {
    a = of(a);
    b = of(b);
    parent_[size_t(std::max(a, b))] = std::min(a, b);
  }

 private:
  std::vector<int64_t> parent_;
};

class Finder {
 public:
  Finder(std::span<const std::string_view> texts, const DuplicateOptions& o, const Watch& watch)
      : o_(o), watch_(watch), groups_(texts.size()), sets_(texts.size()) {
    PlainWords words;
    for (size_t i = 0; i < texts.size(); ++i) {
      shingles_of(words, texts[i], size_t(o.shingle), sets_[i]);
      result_.without_words += sets_[i].empty();
      watch.tick(1 + texts[i].size() / 50);
    }
    const auto permutations = uint64_t(o.bands * o.rows);
    for (uint64_t p = 0; p < permutations; ++p) {
      const Philox a = philox(o.seed, 2 * p), b = philox(o.seed, 2 * p + 1);
      multiply_.push_back((uint64_t(a.word[0]) << 32 | a.word[1]) | 1);
      add_.push_back(uint64_t(b.word[0]) << 32 | b.word[1]);
    }
  }

  Duplicates run() {
    link_equal_sets();
    sign();
    for (int64_t band = 0; band < o_.bands; ++band) compare_band(band);
    result_.group.resize(sets_.size());
    for (size_t i = 0; i < sets_.size(); ++i) result_.group[i] = groups_.of(int64_t(i));
    std::sort(result_.links.begin(), result_.links.end(), [](const Duplicate& a, const Duplicate& b) {
      return a.first != b.first ? a.first < b.first : a.second < b.second;
    });
    return std::move(result_);
  }

 private:
  void link(int64_t a, int64_t b, double similarity) {
    result_.links.push_back({std::min(a, b), std::max(a, b), similarity});
    groups_.join(a, b);
  }

  // A text that stands there a thousand times is compared with one of them.
  void link_equal_sets() {
    std::unordered_map<uint64_t, int64_t> first;
    for (size_t i = 0; i < sets_.size(); ++i) {
      if (sets_[i].empty()) continue;
      const auto bytes = std::string_view(reinterpret_cast<const char*>(sets_[i].data()), sets_[i].size() * 8);
      const auto [at, is_new] = first.emplace(hash_of(bytes), int64_t(i));
      if (!is_new && sets_[size_t(at->second)] == sets_[i])
        link(at->second, int64_t(i), 1);
      else
        distinct_.push_back(int64_t(i));
    }
  }

  // The least of every permutation over a set: permutation p of x is the upper half of multiply_p x + add_p.
  void sign() {
    const size_t P = multiply_.size();
    std::vector<uint32_t> least(P);
    signatures_.resize(distinct_.size() * size_t(o_.bands));
    for (size_t n = 0; n < distinct_.size(); ++n) {
      const Shingles& set = sets_[size_t(distinct_[n])];
      std::fill(least.begin(), least.end(), UINT32_MAX);
      for (const uint64_t x : set)
        for (size_t p = 0; p < P; ++p) least[p] = std::min(least[p], uint32_t((multiply_[p] * x + add_[p]) >> 32));
      for (size_t b = 0; b < size_t(o_.bands); ++b)
        signatures_[n * size_t(o_.bands) + b] =
            hash_of({reinterpret_cast<const char*>(&least[b * size_t(o_.rows)]), size_t(o_.rows) * 4});
      watch_.tick(1 + set.size() / 4);
    }
  }

  void compare_band(int64_t band) {
    std::vector<std::pair<uint64_t, int64_t>> order(distinct_.size());
    for (size_t n = 0; n < order.size(); ++n)
      order[n] = {signatures_[n * size_t(o_.bands) + size_t(band)], distinct_[n]};
    std::sort(order.begin(), order.end());
    watch_.tick(order.size() / 8);
    for (size_t from = 0, to; from < order.size(); from = to) {
      for (to = from; to < order.size() && order[to].first == order[from].first; ++to) {}
      for (size_t j = from + 1; j < to; ++j)
        for (size_t i = from; i < j; ++i) compare(order[i].second, order[j].second);
    }
  }

  // Texts of one group need not be compared again.
  void compare(int64_t a, int64_t b) {
    watch_.tick();
    if (groups_.of(a) == groups_.of(b)) return;
    const double size_a = double(sets_[size_t(a)].size()), size_b = double(sets_[size_t(b)].size());
    if (std::min(size_a, size_b) < o_.similarity * std::max(size_a, size_b)) return;  // J is at most their ratio
    ++result_.candidates;
    const double similarity = jaccard(sets_[size_t(a)], sets_[size_t(b)]);
    if (similarity >= o_.similarity) link(a, b, similarity);
  }

  const DuplicateOptions& o_;
  const Watch& watch_;
  Groups groups_;
  std::vector<Shingles> sets_;
  std::vector<uint64_t> multiply_, add_, signatures_;  // signatures_: [distinct, bands], hashes of the rows
  std::vector<int64_t> distinct_;                      // texts, one of each set
  Duplicates result_;
};

}  // namespace

Duplicates find_duplicates(std::span<const std::string_view> texts, const DuplicateOptions& o, const Watch& watch) {
  PUNA_REQUIRE(o.similarity > 0 && o.similarity <= 1, "a similarity of %g, expected more than 0 and at most 1",
               o.similarity);
  PUNA_REQUIRE(o.bands >= 1 && o.bands <= 1024 && o.rows >= 1 && o.rows <= 64,
               "%jd bands of %jd rows, expected 1 to 1024 of 1 to 64", o.bands, o.rows);
  PUNA_REQUIRE(o.shingle >= 1 && o.shingle <= 100, "shingles of %jd words, expected 1 to 100", o.shingle);
  return Finder(texts, o, watch).run();
}

double similarity_of(std::string_view a, std::string_view b, int64_t shingle) {
  PlainWords words;
  Shingles of_a, of_b;
  shingles_of(words, a, size_t(shingle), of_a);
  shingles_of(words, b, size_t(shingle), of_b);
  return jaccard(of_a, of_b);
}

}  // namespace puna
