// score_softmax.h -- log-probabilities of the model itself: log softmax of its logits, before any penalty or filter.
#pragma once
#include <cstdint>
#include <span>

namespace puna {

// log sum_i exp(logits[i]), in double and in order of ids; NaN when one is NaN or +infinity, or all are -infinity.
double log_sum_exp(std::span<const float> logits) noexcept;

}  // namespace puna
