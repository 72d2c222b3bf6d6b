// duplicates.h -- texts that say the same. Compares words: letters A to Z in lower case, ASCII punctuation deleted,
// split at white space.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "puna/base/watch.h"

namespace puna {

// Near-duplicates: Jaccard similarity of the sets of word 5-grams (of characters, where a text has fewer words).
// MinHash proposes, the sets themselves decide: 20 bands of 6 rows find 99.8 % at J = .8 (1 - (1 - J^6)^20).
struct DuplicateOptions {
  double similarity = 0.8;
  int64_t bands = 20, rows = 6;
  int64_t shingle = 5;
  uint64_t seed = 1;
};
struct Duplicate {
  int64_t first, second;  // of the texts, first < second
  double similarity;      // exact
};
struct Duplicates {
  std::vector<int64_t> group;    // of every text: the first text of its group; itself when it is alone
  std::vector<Duplicate> links;  // that hold the groups together: each text of a group but the first has at least one
  int64_t candidates = 0;        // pairs that were compared
  int64_t without_words = 0;     // texts that nothing is left of: alone
};
Duplicates find_duplicates(std::span<const std::string_view> texts, const DuplicateOptions& options = {},
                           const Watch& watch = Watch());
// Of two texts, as above.
double similarity_of(std::string_view a, std::string_view b, int64_t shingle = 5);

}  // namespace puna
