// config_common.h -- the bounds and cross-checks that both config readers share.
#pragma once
#include <cstdint>
#include <vector>

#include "puna/model/config.h"

namespace puna {

// Far above any published model, far below what would overflow size arithmetic.
inline constexpr int64_t kMaxLayers = 4096, kMaxHidden = 1 << 20, kMaxHeads = 4096, kMaxHeadDim = 4096,
                         kMaxFfn = 1 << 22, kMaxVocab = 1 << 24, kMaxExperts = 1 << 14, kMaxStreams = 64,
                         kMaxPositions = int64_t(1) << 27;

inline constexpr double kMinNormEps = double(1e-12f);  // what the config keeps is the f32: it must pass again

// What GGUF's factors divide frequencies by that are zero.
inline constexpr float kNotRotated = 1e30f;

// `slides`: a flag a layer. No window, or no layer that slides: the model has none.
void set_sliding_layers(LlamaConfig& c, int64_t window, std::vector<uint8_t> slides);

// A number a layer: where all are the same, there is no list. Both set the largest.
void set_layer_kv_heads(LlamaConfig& c, std::vector<int64_t> kv_heads);
void set_layer_ffn(LlamaConfig& c, std::vector<int64_t> ffn);
// What Gemma 3n and 4 have in common.
void set_gemma_of_layers(LlamaConfig& c);

// Error{bad_file} when the numbers do not fit each other. Fills nothing in.
void validate(const LlamaConfig& config);

}  // namespace puna
