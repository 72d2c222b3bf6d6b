// layer_reader.h -- a layer's tensors by the names that a file has for them, but for its experts: checked against the
// configuration and packed.
#pragma once
#include "model/extra_tensors.h"
#include "model/family.h"
#include "model/weight_reader.h"

namespace puna {

// added: what norms are stored less by (Family::one_more).
LlamaLayer read_attention(const WeightReader& reader, const LlamaConfig& config, const LayerNames& names, int64_t layer,
                          float added);
// The feed-forward block of a dense layer, or the dense one of a mixture.
ExpertWeights read_ffn(const WeightReader& reader, const LlamaConfig& config, const LayerNames& names, int64_t layer);
// What few families have, in either kind of file.
void read_extras(const WeightReader& reader, const std::vector<ExtraTensor>& tensors, bool gguf);
// Of a layer that shares others' keys and values, weights for keys and values of its own: nobody reads them.
bool is_unused_kv(const LlamaConfig& config, const LayerNames& names, int64_t layer, std::string_view tensor);

}  // namespace puna
