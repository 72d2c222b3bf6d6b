// sampler_penalties.cpp -- what changes scores because of what was said before: bias, repetition, presence, frequency,
// n-grams.
#include <algorithm>
#include <limits>

#include "base/fp_env.h"
#include "puna/base/error.h"
#include "puna/runtime/sampler.h"

namespace puna {
namespace {

constexpr float kRemoved = -std::numeric_limits<float>::infinity();

// How often each token occurs in `history`.
std::vector<int32_t> count_tokens(std::span<const int32_t> history, size_t vocabulary) {
  std::vector<int32_t> counts(vocabulary);
  for (const int32_t id : history) {
    PUNA_REQUIRE(id >= 0 && size_t(id) < vocabulary, "token %d of the history is outside the vocabulary of %zu", id,
                 vocabulary);
    ++counts[size_t(id)];
  }
  return counts;
}

// Removes every token that would complete an n-gram for the second time: those that followed the last n-1 tokens
// before.
void forbid_repeated_ngrams(std::span<float> scores, std::span<const int32_t> history, size_t n) {
  if (history.size() + 1 < n) return;
  const auto prefix = history.last(n - 1);
  for (size_t i = 0; i + n <= history.size(); ++i) {
    if (!std::equal(prefix.begin(), prefix.end(), history.begin() + ptrdiff_t(i))) continue;
    const int32_t id = history[i + n - 1];
    PUNA_REQUIRE(id >= 0 && size_t(id) < scores.size(), "token %d of the history is outside the vocabulary of %zu", id,
                 scores.size());
    scores[size_t(id)] = kRemoved;
  }
}

}  // namespace

void Sampler::penalise(std::span<float> scores, std::span<const int32_t> history) const {
  const FpEnv fp_env;
  for (const auto& [id, value] : options_.logit_bias) {
    PUNA_REQUIRE(size_t(id) < scores.size(), "logit_bias: token %d is outside the vocabulary of %zu", id,
                 scores.size());
    scores[size_t(id)] += value;
  }
  const float repetition = options_.repetition_penalty, presence = options_.presence_penalty,
              frequency = options_.frequency_penalty;
  if (repetition != 1 || presence != 0 || frequency != 0) {
    const size_t window =
        options_.penalty_window == 0 ? history.size() : std::min(history.size(), size_t(options_.penalty_window));
    const std::vector<int32_t> counts = count_tokens(history.last(window), scores.size());
    for (size_t id = 0; id < scores.size(); ++id) {
      if (counts[id] == 0) continue;
      const float s = scores[id], repeated = s < 0 ? s * repetition : s / repetition;
      scores[id] = repeated - float(counts[id]) * frequency - presence;
    }
  }
  if (options_.no_repeat_ngram > 0) forbid_repeated_ngrams(scores, history, size_t(options_.no_repeat_ngram));
}

}  // namespace puna
