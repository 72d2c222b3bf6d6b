// score_softmax.h -- log-probabilities of the model itself: log softmax of its logits, before any penalty or filter.
#pragma once
#include <cstdint>
#include <span>

#include "puna/runtime/sampler.h"

namespace puna {

// log sum_i exp(logits[i]), in double and in order of ids; NaN when one is NaN or +infinity, or all are -infinity.
double log_sum_exp(std::span<const float> logits) noexcept;
// Fills `out`, at least one and at most all of the vocabulary: the chosen token, then the most likely others, the lower
// id first where two are alike.
void most_likely(std::span<const float> logits, int32_t chosen, std::span<TokenProbability> out) noexcept;

}  // namespace puna
