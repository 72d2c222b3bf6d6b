// config.h -- the numbers that define a dense Llama or Llama 4 text model, whichever file they came from.
// Every value is validated on the way in: a config that exists is one that forward() can run.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "puna/tensor/metadata.h"

namespace puna {

enum class RopeStyle : uint8_t {
  interleaved,  // pairs (2i, 2i+1): Llama 4 everywhere, dense Llama in GGUF
  half_split,   // pairs (i, i + head_dim/2): dense Llama in Hugging Face checkpoints
};

struct LlamaConfig {
  std::string architecture;  // "llama" or "llama4"
  int64_t layers = 0;
  int64_t hidden = 0;  // D
  int64_t heads = 0;   // H
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  int64_t vocab = 0;  // V
  int64_t ffn = 0;    // dense layers
  int64_t max_positions = 0;
  float norm_eps = 0;
  bool tied = false;  // lm_head is the embedding

  RopeStyle rope_style = RopeStyle::interleaved;
  std::vector<float> inverse_frequency;  // [head_dim/2], scaling included
  double rope_theta = 10000;             // before scaling: for files that other programs read
  std::vector<uint8_t> uses_rope;        // [layers]; 0 = NoPE layer: full attention, no QK norm, temperature

  // Llama 4
  int64_t chunk = 0;         // attention chunk of RoPE layers; 0 = full causal everywhere
  bool qk_norm = false;      // after RoPE, on RoPE layers, without weight
  bool temperature = false;  // on NoPE layers: q *= log1p(floor((pos+1)/floor_scale)) * attn_scale + 1
  float floor_scale = 8192;
  float attn_scale = 0.1f;
  std::vector<uint8_t> is_moe;    // [layers]
  int64_t experts = 0;            // routed experts of an MoE layer
  int64_t experts_per_token = 0;  // top k
  int64_t expert_ffn = 0;         // routed and shared experts

  bool chunked(int64_t layer) const noexcept { return chunk > 0 && uses_rope[size_t(layer)]; }
  // Positions a KV page: at most 64, and a divisor of the chunk, so that chunks start at page boundaries.
  int64_t page_size() const noexcept;
};

// From GGUF keys ("llama.*", "llama4.*", "puna.*"; conventions in LLAMA4.md). rope_freqs: the tensor of that name or
// NULL; tied and vocab come from the tensors. Error{bad_file} or {unsupported} naming the key.
LlamaConfig config_from_gguf(const Metadata& metadata, int64_t vocab, const std::vector<float>* rope_freqs);
// From a flattened config.json: published (rope_theta + rope_scaling) and transformers v5 (rope_parameters) layouts,
// LlamaForCausalLM, Llama4ForCausalLM and the text_config of Llama4ForConditionalGeneration.
LlamaConfig config_from_huggingface(const Metadata& metadata);

// The keys config_from_gguf reads, such that config_from_gguf(gguf_metadata(c)) == c, but for two things the tensors
// say: tied, and rope_style, which is interleaved in every GGUF file (writers permute q and k).
Metadata gguf_metadata(const LlamaConfig& config);

struct RopeScaling {
  enum class Kind { none, linear, llama3 } kind = Kind::none;
  double factor = 1;
  double low_freq_factor = 1;   // llama3
  double high_freq_factor = 4;  // llama3
  double original_max_positions = 8192;
};
// inverse_frequency[i] = theta^(-2i/head_dim), scaled.   llama3: github.com/meta-llama/llama-models, model.py
std::vector<float> rope_inverse_frequency(int64_t head_dim, double theta, const RopeScaling& scaling);

}  // namespace puna
