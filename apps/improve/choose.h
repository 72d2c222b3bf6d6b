// choose.h -- which items are worth a label: what must not be trained on is left out first, then the weakest go first.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "items.h"

namespace puna::improve {

// What a model makes of an item.
struct Score {
  std::vector<double> log_likelihood;  // of each choice

  int64_t best() const;    // the first of several
  double margin() const;   // between the probabilities of the two likeliest, which add up to 1 over the choices
  double entropy() const;  // in nats
  bool right(const Item& item) const { return best() == item.answer; }
};

enum class Choose { random, margin, entropy, errors };
inline constexpr const char* kChooseNames[] = {"random", "margin", "entropy", "errors"};
Choose choose_of(std::string_view name);  // Error{invalid_argument} naming the nearest

// Numbers of the pool's items, the first to be labelled first. random: by the seed. errors: those that are known to be
// answered wrongly, then by margin. `scores` may be empty for random.
std::vector<int64_t> order_of(const Items& pool, std::span<const Score> scores, Choose choose, uint64_t seed);

// Texts that a test must not meet in training: those whose 13 words in a row, or most of whose words, stand in a test
// item; and all but the first of texts that say the same.
struct Checked {
  std::vector<uint8_t> kept;  // of each text of the pool
  int64_t duplicates = 0, near_tests = 0, in_tests = 0;
};
Checked check_texts(std::span<const std::string_view> pool, std::span<const std::string_view> tests,
                    const Watch& watch = Watch());

}  // namespace puna::improve
