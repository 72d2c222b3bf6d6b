// config.h -- the numbers that define a decoder: what differs between Llama, Llama 4 and the other families that
// src/model/family.h lists, whichever file they came from. Every value is validated on the way in: a config that exists
// is one that forward() can run.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "puna/tensor/gated.h"
#include "puna/tensor/metadata.h"

namespace puna {

enum class RopeStyle : uint8_t {
  interleaved,  // pairs (2i, 2i+1): Llama 4 everywhere, dense Llama in GGUF
  half_split,   // pairs (i, i + head_dim/2): dense Llama in Hugging Face checkpoints
};

struct RopeScaling {
  enum class Kind { none, linear, llama3, yarn } kind = Kind::none;
  double factor = 1;
  double low_freq_factor = 1;   // llama3
  double high_freq_factor = 4;  // llama3
  double original_max_positions = 8192;
  double beta_fast = 32, beta_slow = 1;          // yarn
  bool truncate = true;                          // yarn: the bounds to whole dimensions
  double mscale_all_dim = 0;                     // yarn: what the magnitude was divided by
  std::vector<float> short_factor, long_factor;  // longrope
};

// The normalisation of queries and keys (arXiv:2010.04245).
enum class QkNorm : uint8_t {
  none,
  after_rope,  // each head, without weight, on RoPE layers: Llama 4
  heads,       // each head before RoPE, weights [head_dim]: Qwen 3, Gemma 3
  whole,       // all heads together before RoPE, weights [heads * head_dim]: OLMo 2
};

struct LlamaConfig {
  std::string architecture;  // the family, by its name in GGUF files: "llama", "llama4", "qwen3", ...
  int64_t layers = 0;
  int64_t hidden = 0;  // D
  int64_t heads = 0;   // H
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  int64_t vocab = 0;  // V
  int64_t ffn = 0;    // dense layers
  // Where layers differ; kv_heads and ffn are the largest then. Empty or 0: all are alike.
  std::vector<int64_t> layer_kv_heads, layer_ffn;  // [layers]
  int64_t local_head_dim = 0;                      // of sliding layers
  int64_t max_positions = 0;
  float norm_eps = 0;
  bool tied = false;  // lm_head is the embedding

  RopeStyle rope_style = RopeStyle::interleaved;
  std::vector<float> inverse_frequency;  // [head_dim/2], scaling included; shorter: the first dimensions are rotated
  double rope_theta = 10000;             // before scaling: for files that other programs read
  RopeScaling rope_scaling;              // what the frequencies have been scaled by: for the same files
  std::vector<uint8_t> uses_rope;        // [layers]; 0 = NoPE layer: full attention, no QK norm, temperature
  float rope_magnitude = 1;              // times cosine and sine (YaRN's attention factor)
  double local_theta = 10000;
  std::vector<float> local_frequency;  // of sliding-window layers, which have no magnitude; empty: as the others
  // LongRoPE: the frequencies of a sequence that is longer than long_from, for all its positions. Empty: none.
  std::vector<float> long_frequency;
  int64_t long_from = 0;

  // Blocks: x += residual_scale post_norm(f(pre_norm(x)))
  bool pre_norm = true;
  bool post_norm = false;
  float residual_scale = 1;
  float embedding_scale = 1;
  float logit_scale = 1;  // what the final norm's rows are multiplied by
  float final_softcap = 0;
  Glu glu;

  // Attention
  bool qkv_bias = false, out_bias = false;
  float attention_scale = 0;  // 0: 1 / sqrt(head_dim)
  float attention_softcap = 0;
  bool sinks = false;
  int64_t window = 0;           // a row of a sliding layer sees itself and the window - 1 positions before
  std::vector<uint8_t> slides;  // [layers], or empty: no layer does
  float query_growth = 0;       // not 0: q *= 1 + query_growth ln(1 + floor(position / growth_from)), every layer
  int64_t growth_from = 0;

  bool value_norm = false;       // each head of v is normalised, without weights
  bool keys_are_values = false;  // in full layers v is k before its norm and RoPE; there is no weight for it
  int64_t shared_kv = 0;  // so many last layers attend to the keys and values of the last layer of their kind before

  // Experts
  RouterScore router_score = RouterScore::sigmoid;
  bool expert_bias = false;  // of the router and of every expert
  // MoE layers have the dense block too, both between norms of their own. The router reads the residual stream itself,
  // normalised by itself, and every expert has a factor.
  bool dense_beside_experts = false;

  // Gemma 3n and 4
  int64_t per_layer = 0;        // P: what every token says to every layer, beside its embedding; 0: nothing
  int64_t per_layer_vocab = 0;  // rows of that table; tokens beyond them have its row 0
  bool layer_scale = false;     // the stream times a number of each layer, behind it
  int64_t streams = 1;          // S of AltUp (arXiv:2301.13310): residual streams, of which layers compute the first
  int64_t laurel_rank = 0;      // low-rank path beside attention (LAuReL, arXiv:2411.07501); 0: none
  // [layers] or empty: a gate keeps what is above mean + sparsity * deviation of its row, less that. -infinity: all.
  std::vector<float> sparsity;

  // Llama 4
  int64_t chunk = 0;  // attention chunk of RoPE layers; 0 = full causal everywhere
  QkNorm qk_norm = QkNorm::none;
  bool temperature = false;  // on NoPE layers: q *= log1p(floor((pos+1)/floor_scale)) * attn_scale + 1
  float floor_scale = 8192;
  float attn_scale = 0.1f;
  std::vector<uint8_t> is_moe;    // [layers]
  int64_t experts = 0;            // routed experts of an MoE layer
  int64_t experts_per_token = 0;  // top k
  int64_t expert_ffn = 0;         // routed and shared experts

  bool chunked(int64_t layer) const noexcept { return chunk > 0 && uses_rope[size_t(layer)]; }
  bool sliding(int64_t layer) const noexcept { return window > 0 && !slides.empty() && slides[size_t(layer)]; }
  int64_t head_dim_of(int64_t layer) const noexcept {
    return local_head_dim != 0 && sliding(layer) ? local_head_dim : head_dim;
  }
  int64_t kv_heads_of(int64_t layer) const noexcept {
    return layer_kv_heads.empty() ? kv_heads : layer_kv_heads[size_t(layer)];
  }
  int64_t ffn_of(int64_t layer) const noexcept { return layer_ffn.empty() ? ffn : layer_ffn[size_t(layer)]; }
  const std::vector<float>& frequencies_of(int64_t layer) const noexcept {
    return sliding(layer) && !local_frequency.empty() ? local_frequency : inverse_frequency;
  }
  bool is_sparse(int64_t layer) const noexcept;
  // Layers with keys and values of their own are the first ones; whose keys and values a layer attends to.
  int64_t kv_layers() const noexcept { return layers - shared_kv; }
  int64_t last_kv_layer(bool slides_too) const noexcept;  // of one kind
  int64_t kv_layer(int64_t layer) const noexcept;
  bool has_value_weights(int64_t layer) const noexcept {
    return layer < kv_layers() && (!keys_are_values || sliding(layer));
  }
  // The first position that a row at `position` sees.
  int64_t first_seen(int64_t layer, int64_t position) const noexcept {
    if (chunked(layer)) return position / chunk * chunk;
    return sliding(layer) && position >= window ? position - window + 1 : 0;
  }
  float score_scale() const noexcept;
  int64_t rotated() const noexcept { return 2 * int64_t(inverse_frequency.size()); }  // dimensions of a head
  // Positions a KV page: at most 64, and a divisor of the chunk, so that chunks start at page boundaries.
  int64_t page_size() const noexcept;
};

// What it has that plain Llama has not, in words: "sliding window of 512 positions in 15 of 18 layers", ...
std::vector<std::string> features(const LlamaConfig& config);

// From GGUF keys ("llama.*", "qwen3.*", "puna.*"; conventions in LLAMA4.md). rope_freqs: the tensor of that name or
// NULL; tied and vocab come from the tensors. Error{bad_file} or {unsupported} naming the key.
LlamaConfig config_from_gguf(const Metadata& metadata, int64_t vocab, const std::vector<float>* rope_freqs);
// What tensors divide RoPE's frequencies by; NULL = not there. longer and shorter: LongRoPE's.
struct RopeFactors {
  const std::vector<float>*all, *longer, *shorter;
};
LlamaConfig config_from_gguf(const Metadata& metadata, int64_t vocab, const RopeFactors& factors);
// From a flattened config.json: published (rope_theta + rope_scaling) and transformers v5 (rope_parameters) layouts of
// the families that src/model/family.h lists, and a text_config inside.
LlamaConfig config_from_huggingface(const Metadata& metadata);

// The keys config_from_gguf reads, such that config_from_gguf(gguf_metadata(c)) == c, but for three things the tensors
// say: tied, keys_are_values, and rope_style, which is interleaved in every GGUF file (writers permute q and k).
Metadata gguf_metadata(const LlamaConfig& config);

// inverse_frequency[i] = theta^(-2i/head_dim), scaled.   llama3: github.com/meta-llama/llama-models, model.py
// yarn: arXiv:2309.00071
std::vector<float> rope_inverse_frequency(int64_t head_dim, double theta, const RopeScaling& scaling);

}  // namespace puna
