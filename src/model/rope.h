// rope.h -- what depends on a token's position: the rotation of each pair (RoPE, arXiv:2104.09864) and, on NoPE layers,
// the sharpening of q. Same bits everywhere: base/det_math.h, under FpEnv.
#pragma once
#include <cstdint>
#include <span>

#include "puna/model/config.h"

namespace puna {

// cosine[i], sine[i] of position * inverse_frequency[i], the product rounded to f32 first, as the reference does.
void rope_angles(float* cosine, float* sine, int64_t position, std::span<const float> inverse_frequency) noexcept;

// What q is multiplied by on NoPE layers, so that far queries stay sharp:
//   log1p(floor((position+1)/floor_scale)) * attn_scale + 1
//   arXiv:2501.19399
float attention_temperature(const LlamaConfig& config, int64_t position) noexcept;
// The same of Ministral 3, on every layer: 1 + beta ln(1 + floor(position / original length)).
float query_growth(const LlamaConfig& config, int64_t position) noexcept;

}  // namespace puna
