// contamination.cpp -- the n-grams of all items by their hashes, the training text walked once for each length of
// n-gram that items have (13, and 8 to 12 of short items). A hash that is found is compared word by word.
#include <algorithm>
#include <map>
#include <memory>
#include <unordered_map>
#include <unordered_set>

#include "base/hash.h"
#include "puna/base/error.h"
#include "puna/label/text_overlap.h"
#include "text/words.h"

namespace puna::label {

using text::PlainWords;

struct ContaminationIndex::State {
  struct Gram {
    int64_t item;
    uint32_t first_word;
  };
  std::vector<PlainWords> items;
  std::map<size_t, std::unordered_multimap<uint64_t, Gram>> grams;  // by their length in words
  std::vector<Hit> hits;                                            // of every item; words "" = none
  int64_t too_short = 0;
  PlainWords document;
  std::vector<uint64_t> words;  // hashes of the document's words
};

namespace {

// A sequence of hashes of words as one number that is quickly moved on by a word: sum of word[i] * kBase^(n - 1 - i).
constexpr uint64_t kBase = 0x9E3779B97F4A7C15u;

uint64_t power(size_t n) {
  uint64_t p = 1;
  for (size_t i = 0; i < n; ++i) p *= kBase;
  return p;
}

void hash_words(const PlainWords& words, std::vector<uint64_t>& hashes) {
  hashes.resize(words.count());
  for (size_t i = 0; i < hashes.size(); ++i) hashes[i] = hash_of(words.range(i, 1));
}

template <class Visit>
void each_gram(const std::vector<uint64_t>& words, size_t n, Visit visit) {
  const uint64_t leaves = power(n);
  uint64_t hash = 0;
  for (size_t i = 0; i < words.size(); ++i) {
    hash = hash * kBase + words[i];
    if (i >= n) hash -= words[i - n] * leaves;
    if (i + 1 >= n) visit(i + 1 - n, hash);
  }
}

}  // namespace

ContaminationIndex::ContaminationIndex(std::span<const std::string_view> items, const ContaminationOptions& o,
                                       const Watch& watch) {
  PUNA_REQUIRE(o.fewest >= 1 && o.words >= o.fewest && o.words <= 1000,
               "n-grams of %jd to %jd words, expected 1 to 1000", o.fewest, o.words);
  state_ = std::make_unique<State>();
  State* const state = state_.get();
  state->items.resize(items.size());
  state->hits.resize(items.size());
  std::vector<uint64_t> hashes;
  for (size_t i = 0; i < items.size(); ++i) {
    PlainWords& words = state->items[i];
    words.set(items[i]);
    watch.tick(1 + items[i].size() / 20);
    if (words.count() < size_t(o.fewest)) {
      ++state->too_short;
      continue;
    }
    const size_t n = std::min(words.count(), size_t(o.words));
    hash_words(words, hashes);
    auto& grams = state->grams[n];
    each_gram(hashes, n, [&](size_t at, uint64_t hash) { grams.emplace(hash, State::Gram{int64_t(i), uint32_t(at)}); });
  }
}

ContaminationIndex::~ContaminationIndex() = default;

void ContaminationIndex::search(std::string_view document, std::string_view name, const Watch& watch) {
  State& s = *state_;
  s.document.set(document);
  hash_words(s.document, s.words);
  for (auto& [length, grams] : s.grams) {
    const size_t n = length;
    auto& of_length = grams;
    watch.tick(1 + s.words.size() / 16);
    each_gram(s.words, n, [&](size_t at, uint64_t hash) {
      const auto [from, to] = of_length.equal_range(hash);
      bool found_all = from != to;
      for (auto gram = from; gram != to; ++gram) {
        Hit& hit = s.hits[size_t(gram->second.item)];
        if (!hit.words.empty()) continue;
        const std::string_view words = s.document.range(at, n);
        const bool same = words == s.items[size_t(gram->second.item)].range(gram->second.first_word, n);
        found_all &= same;
        if (same) hit = {gram->second.item, std::string(words), std::string(name)};
      }
      if (found_all) of_length.erase(hash);  // nobody waits for it any more
    });
  }
}

std::vector<ContaminationIndex::Hit> ContaminationIndex::hits() const {
  std::vector<Hit> found;
  for (const Hit& h : state_->hits)
    if (!h.words.empty()) found.push_back(h);
  return found;
}
int64_t ContaminationIndex::too_short() const { return state_->too_short; }

}  // namespace puna::label
