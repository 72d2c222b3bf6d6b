#include "runtime/opening/fingerprint.h"

#include "base/hash.h"
#include "kernels/panel.h"
#include "model/extra_tensors.h"

namespace puna {
namespace {

template <class T>
void add_vector(Hash& h, const std::vector<T>& v) {
  h.add(v.data(), v.size() * sizeof(T));
}

void add_config(Hash& h, const LlamaConfig& c) {
  h.add(c.architecture.data(), c.architecture.size());
  for (const int64_t n :
       {c.layers, c.hidden, c.heads, c.kv_heads, c.head_dim, c.vocab, c.ffn, c.max_positions, c.chunk, c.experts,
        c.experts_per_token, c.expert_ffn, int64_t(c.rope_style), int64_t(c.qk_norm), int64_t(c.temperature)})
    h.add_value(n);
  for (const float x : {c.norm_eps, c.floor_scale, c.attn_scale}) h.add_value(x);
  add_vector(h, c.inverse_frequency);
  add_vector(h, c.uses_rope);
  add_vector(h, c.is_moe);
  // What the first two families do not have counts only where it is there.
  if (c.architecture != "llama" && c.architecture != "llama4") {
    for (const float x : {c.rope_magnitude, c.residual_scale, c.embedding_scale, c.logit_scale, c.final_softcap,
                          c.attention_scale, c.attention_softcap, c.query_growth, c.glu.limit, c.glu.alpha})
      h.add_value(x);
    for (const int64_t n : {c.long_from, c.growth_from, int64_t(c.glu.kind), int64_t(c.router_score)}) h.add_value(n);
    add_vector(h, c.local_frequency);
    add_vector(h, c.long_frequency);
  }
  if (c.value_norm) {
    for (const int64_t n : {c.local_head_dim, int64_t(c.keys_are_values), c.shared_kv, c.per_layer, c.per_layer_vocab,
                            c.streams, c.laurel_rank, int64_t(c.dense_beside_experts)})
      h.add_value(n);
    add_vector(h, c.layer_kv_heads);
    add_vector(h, c.layer_ffn);
    add_vector(h, c.sparsity);
  }
  if (c.window == 0) return;
  h.add_value(c.window);
  add_vector(h, c.slides);
}

// A few pieces of it, evenly spread: reading all of a large model would take longer than what it is asked for.
void add_weight(Hash& h, const Weight& w) {
  constexpr int64_t kPieces = 16, kPiece = 256;
  h.add_value(int64_t(w.dtype));
  if (!w) return;
  const int64_t bytes = packed_bytes(w);
  for (int64_t i = 0; i < kPieces; ++i) {
    const int64_t at = (bytes - 1) / kPieces * i;
    h.add(w.panels + at, size_t(bytes - at < kPiece ? bytes - at : kPiece));
  }
}

void add_ffn(Hash& h, const ExpertWeights& f) {
  add_weight(h, f.gate);
  add_weight(h, f.up);
  add_weight(h, f.down);
}

void add_extras(Hash& h, const std::vector<ExtraTensor>& tensors) {
  for (const ExtraTensor& t : tensors) {
    if (t.vector)
      h.add(*t.vector, size_t(t.cols) * sizeof(float));
    else
      add_weight(h, *t.matrix);
  }
}

}  // namespace

uint64_t fingerprint(const Llama& model) {
  const size_t norm_bytes = size_t(model.config.hidden) * sizeof(float);
  Hash h;
  add_config(h, model.config);
  add_weight(h, model.weights.embedding);
  add_weight(h, model.weights.lm_head);
  h.add(model.weights.final_norm, norm_bytes);
  LlamaWeights weights = model.weights;
  add_extras(h, extra_tensors(model.config, weights, ""));
  for (size_t l = 0; l < weights.layers.size(); ++l) {
    LlamaLayer& layer = weights.layers[l];
    for (const float* norm : {layer.attn_norm, layer.ffn_norm, layer.post_attn_norm, layer.post_ffn_norm})
      if (norm) h.add(norm, norm_bytes);
    const size_t head_bytes = size_t(model.config.head_dim_of(int64_t(l))) * sizeof(float);
    for (const float* values : {layer.q_norm, layer.k_norm, layer.bq, layer.bk, layer.bv})
      if (values) h.add(values, head_bytes);
    for (const Weight* w : {&layer.wq, &layer.wk, &layer.wv, &layer.wo, &layer.router}) add_weight(h, *w);
    add_ffn(h, layer.ffn);
    for (const ExpertWeights& e : layer.experts) add_ffn(h, e);
    add_extras(h, extra_tensors(model.config, layer, int64_t(l), ""));
  }
  return h.value();
}

}  // namespace puna
