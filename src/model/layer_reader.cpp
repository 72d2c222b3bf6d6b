#include "model/layer_reader.h"

namespace puna {

LlamaLayer read_attention(const WeightReader& r, const LlamaConfig& c, const LayerNames& n, float added) {
  const int64_t D = c.hidden, Q = c.heads * c.head_dim, KV = c.kv_heads * c.head_dim;
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
    L.wk = r.matrix(n.k + ".weight", KV, D);
    L.wv = r.matrix(n.v + ".weight", KV, D);
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
    L.q_norm = norm(n.q_norm, whole ? Q : c.head_dim);
    L.k_norm = norm(n.k_norm, whole ? KV : c.head_dim);
  }
  if (c.sinks) L.sinks = r.vector(n.sinks, c.heads);
  if (c.post_norm) L.post_attn_norm = norm(n.post_attn_norm, D);
  if (c.pre_norm) L.ffn_norm = norm(n.ffn_norm, D);
  if (c.post_norm) L.post_ffn_norm = norm(n.post_ffn_norm, D);
  return L;
}

ExpertWeights read_ffn(const WeightReader& r, const LlamaConfig& c, const LayerNames& n) {
  const std::string both = n.gate_up + ".weight", down = n.down + ".weight";
  if (!n.gate_up.empty())
    return {r.rows(both, 2 * c.ffn, 0, c.ffn, c.hidden), r.rows(both, 2 * c.ffn, c.ffn, c.ffn, c.hidden),
            r.matrix(down, c.hidden, c.ffn)};
  return {r.matrix(n.gate + ".weight", c.ffn, c.hidden), r.matrix(n.up + ".weight", c.ffn, c.hidden),
          r.matrix(down, c.hidden, c.ffn)};
}

}  // namespace puna
