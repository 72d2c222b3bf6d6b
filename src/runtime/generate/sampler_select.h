// sampler_select.h -- the largest scores of a vocabulary, in one pass each, without sorting it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "puna/base/error.h"

namespace puna {

inline constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Largest {
  float score;
  int32_t id;
};  // the lowest id on a tie; score -infinity when there is nothing else

// NaN or +infinity among the scores is Error{status} "logits are not finite: token 17 has NaN; <culprit>".
Largest find_largest(std::span<const float> scores, Status status, const char* culprit);
inline constexpr const char* kModelIsToBlame = "the model's weights are damaged, or its activations overflow";

// 1 <= k <= values.size(); no NaN.
float kth_largest(std::span<const float> values, size_t k);

}  // namespace puna
