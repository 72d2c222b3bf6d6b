// llama_huggingface.cpp -- a Hugging Face checkpoint's tensors to LlamaWeights: dense Llama, Llama 4 text, and the text part of
// Llama 4 with vision ("language_model."). Fused experts are stored [E, in, out] and are read in place through strides.
#include <algorithm>
#include <string>

#include "model/weight_reader.h"
#include "puna/base/error.h"

namespace puna {
namespace {

ExpertWeights read_ffn(const WeightReader& r, const std::string& prefix, int64_t F, int64_t D) {
  return {r.matrix(prefix + "gate_proj.weight", F, D), r.matrix(prefix + "up_proj.weight", F, D), r.matrix(prefix + "down_proj.weight", D, F)};
}

void read_moe(LlamaLayer& L, const WeightReader& r, const std::string& prefix, const LlamaConfig& c) {
  const int64_t E = c.experts, F = c.expert_ffn, D = c.hidden;
  L.router = r.matrix(prefix + "router.weight", E, D);
  for (int64_t e = 0; e < E; ++e)
    L.experts.push_back({r.stacked_transposed(prefix + "experts.gate_up_proj", e, E, 2 * F, 0, F, D),
                         r.stacked_transposed(prefix + "experts.gate_up_proj", e, E, 2 * F, F, F, D),
                         r.stacked_transposed(prefix + "experts.down_proj", e, E, D, 0, D, F)});
  L.ffn = read_ffn(r, prefix + "shared_expert.", F, D);
}

}  // namespace

Llama Llama::from_huggingface(const Context& context, const Metadata& metadata, const TensorMap& tensors, bool mapped, Progress progress,
                              WeightStore* store) {
  Llama model;
  LlamaConfig& c = model.config;
  LlamaWeights& w = model.weights;
  c = config_from_huggingface(metadata);
  const WeightReader r(context, tensors, w, mapped, progress, store);
  const std::string vision_root = "language_model.";  // a model that also sees keeps its text part under this name
  const auto& all = tensors.entries();
  const bool nested = std::any_of(all.begin(), all.end(), [&](const TensorEntry& t) { return t.name.starts_with(vision_root); });
  const std::string root = nested ? vision_root : "";
  w.embedding = r.matrix(root + "model.embed_tokens.weight", c.vocab, c.hidden);
  w.lm_head = c.tied ? w.embedding : r.matrix(root + "lm_head.weight", c.vocab, c.hidden);
  w.final_norm = r.vector(root + "model.norm.weight", c.hidden);
  const bool llama4 = c.architecture == "llama4";
  for (int64_t l = 0; l < c.layers; ++l) {
    const std::string prefix = root + "model.layers." + std::to_string(l) + ".";
    LlamaLayer L;
    L.attn_norm = r.vector(prefix + "input_layernorm.weight", c.hidden);
    L.wq = r.matrix(prefix + "self_attn.q_proj.weight", c.heads * c.head_dim, c.hidden);
    L.wk = r.matrix(prefix + "self_attn.k_proj.weight", c.kv_heads * c.head_dim, c.hidden);
    L.wv = r.matrix(prefix + "self_attn.v_proj.weight", c.kv_heads * c.head_dim, c.hidden);
    L.wo = r.matrix(prefix + "self_attn.o_proj.weight", c.hidden, c.heads * c.head_dim);
    L.ffn_norm = r.vector(prefix + "post_attention_layernorm.weight", c.hidden);
    if (c.is_moe[size_t(l)]) read_moe(L, r, prefix + "feed_forward.", c);
    else L.ffn = read_ffn(r, prefix + (llama4 ? "feed_forward." : "mlp."), c.ffn, c.hidden);
    w.layers.push_back(std::move(L));
  }
  r.finish();
  return model;
}

}  // namespace puna
