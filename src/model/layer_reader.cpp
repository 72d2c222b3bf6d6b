#include "model/layer_reader.h"

namespace puna {

LlamaLayer read_attention(const WeightReader& r, const LlamaConfig& c, const LayerNames& n, int64_t l, float added) {
  const int64_t D = c.hidden, K = c.head_dim_of(l), Q = c.heads * K, KV = c.kv_heads_of(l) * K;
  LlamaLayer L;
  const auto norm = [&](const std::string& name, int64_t count) { return r.vector(name + ".weight", count, added); };
  if (c.pre_norm) L.attn_norm = norm(n.attn_norm, D);
  if (!n.qkv.empty()) {
    const std::string qkv = n.qkv + ".weight";
    const int64_t total = Q + 2 * KV;
    L.wq = r.rows(qkv, total, 0, Q, D);
    L.wk = r.rows(qkv, total, Q, KV, D);
    L.wv = r.rows(qkv, total, Q + KV, KV, D);
  } else {
    L.wq = r.matrix(n.q + ".weight", Q, D);
    if (l < c.kv_layers()) L.wk = r.matrix(n.k + ".weight", KV, D);
    if (c.has_value_weights(l)) L.wv = r.matrix(n.v + ".weight", KV, D);
  }
  L.wo = r.matrix(n.o + ".weight", D, Q);
  if (c.qkv_bias) {
    L.bq = r.vector(n.q + ".bias", Q);
    L.bk = r.vector(n.k + ".bias", KV);
    L.bv = r.vector(n.v + ".bias", KV);
  }
  if (c.out_bias) L.bo = r.vector(n.o + ".bias", D);
  if (c.qk_norm == QkNorm::heads || c.qk_norm == QkNorm::whole) {
    const bool whole = c.qk_norm == QkNorm::whole;
    L.q_norm = norm(n.q_norm, whole ? Q : K);
    if (l < c.kv_layers()) L.k_norm = norm(n.k_norm, whole ? KV : K);
  }
  if (c.sinks) L.sinks = r.vector(n.sinks, c.heads);
  if (c.post_norm) L.post_attn_norm = norm(n.post_attn_norm, D);
  if (c.pre_norm) L.ffn_norm = norm(n.ffn_norm, D);
  if (c.post_norm) L.post_ffn_norm = norm(n.post_ffn_norm, D);
  return L;
}

ExpertWeights read_ffn(const WeightReader& r, const LlamaConfig& c, const LayerNames& n, int64_t l) {
  const std::string both = n.gate_up + ".weight", down = n.down + ".weight";
  const int64_t F = c.ffn_of(l), D = c.hidden;
  if (!n.gate_up.empty()) return {r.rows(both, 2 * F, 0, F, D), r.rows(both, 2 * F, F, F, D), r.matrix(down, D, F)};
  return {r.matrix(n.gate + ".weight", F, D), r.matrix(n.up + ".weight", F, D), r.matrix(down, D, F)};
}

void read_extras(const WeightReader& r, const std::vector<ExtraTensor>& tensors, bool gguf) {
  for (const ExtraTensor& t : tensors) {
    const std::string& name = gguf ? t.gguf : t.huggingface;
    if (t.vector)
      *t.vector = r.vector(name, t.cols);
    else if (gguf && t.count > 0)
      *t.matrix = r.stacked(name, t.index, t.count, t.rows, t.cols);
    else
      *t.matrix = r.matrix(name, gguf && t.gguf_rows > 0 ? t.gguf_rows : t.rows, t.cols);
  }
}

bool is_unused_kv(const LlamaConfig& c, const LayerNames& n, int64_t l, std::string_view tensor) {
  if (l < c.kv_layers() || l >= c.layers) return false;
  for (const std::string* module : {&n.k, &n.v, &n.k_norm})
    if (tensor == *module + ".weight") return true;
  return false;
}

}  // namespace puna
