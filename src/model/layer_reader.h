// layer_reader.h -- a layer's tensors by the names that a file has for them, but for its experts: checked against the
// configuration and packed.
#pragma once
#include "model/family.h"
#include "model/weight_reader.h"

namespace puna {

// added: what norms are stored less by (Family::one_more).
LlamaLayer read_attention(const WeightReader& reader, const LlamaConfig& config, const LayerNames& names, float added);
// The feed-forward block of a dense layer.
ExpertWeights read_ffn(const WeightReader& reader, const LlamaConfig& config, const LayerNames& names);

}  // namespace puna
