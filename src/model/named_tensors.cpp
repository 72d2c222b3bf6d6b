#include "model/named_tensors.h"

#include <algorithm>

#include "kernels/kernel_table.h"
#include "model/family.h"

namespace puna {
namespace {

class Names {
 public:
  explicit Names(Llama& model) : c_(model.config), family_(family_of(model.config)) {
    LlamaWeights& w = model.weights;
    matrix("model.embed_tokens.weight", w.embedding);
    if (!c_.tied) matrix("lm_head.weight", w.lm_head);
    norm("model.norm", w.final_norm, c_.hidden);
    for (size_t l = 0; l < w.layers.size(); ++l)
      layer(huggingface_names(c_, "", int64_t(l)), w.layers[l], c_.is_moe[l] != 0);
  }
  std::vector<NamedTensor> take() { return std::move(list_); }

 private:
  void vector(const std::string& name, const float*& values, int64_t count) {
    if (values) list_.push_back({name, {count}, {}, &values});
  }
  void norm(const std::string& name, const float*& values, int64_t count) {
    if (!values) return;
    vector(name + ".weight", values, count);
    list_.back().added = family_.one_more ? 1 : 0;
  }
  int64_t pairs(bool heads) const {
    return heads && family_.permuted && c_.rope_style == RopeStyle::interleaved ? c_.head_dim : 0;
  }
  void matrix(const std::string& name, Weight& w, bool heads = false) {
    list_.push_back({name, {w.rows, w.cols}, {{&w, 0, w.cols, 1, pairs(heads)}}});
  }
  // Matrices below each other under one name.
  void fused(const std::string& name, std::initializer_list<Weight*> parts) {
    NamedTensor t{name, {0, (*parts.begin())->cols}, {}};
    for (Weight* w : parts) {
      t.pieces.push_back({w, t.shape.dim[0] * w->cols, w->cols, 1});
      t.shape.dim[0] += w->rows;
    }
    list_.push_back(std::move(t));
  }
  void ffn(const std::string& prefix, ExpertWeights& e) {
    matrix(prefix + "gate_proj.weight", e.gate);
    matrix(prefix + "up_proj.weight", e.up);
    matrix(prefix + "down_proj.weight", e.down);
  }
  void experts(const std::string& prefix, std::vector<ExpertWeights>& all) {
    const bool by_turns = family_.experts == ExpertLayout::interleaved;
    const int64_t E = int64_t(all.size()), D = c_.hidden, F = c_.expert_ffn, up = by_turns ? 1 : F,
                  step = by_turns ? 2 : 1;
    NamedTensor gate_up{prefix + "gate_up_proj", {E, D, 2 * F}, {}}, down{prefix + "down_proj", {E, F, D}, {}};
    for (int64_t e = 0; e < E; ++e) {
      ExpertWeights& x = all[size_t(e)];
      gate_up.pieces.push_back({&x.gate, e * D * 2 * F, step, 2 * F});
      gate_up.pieces.push_back({&x.up, e * D * 2 * F + up, step, 2 * F});
      down.pieces.push_back({&x.down, e * F * D, 1, D});
    }
    list_.push_back(std::move(gate_up));
    list_.push_back(std::move(down));
  }
  void layer(const LayerNames& n, LlamaLayer& L, bool is_moe) {
    const int64_t D = c_.hidden, Q = L.wq.rows, KV = L.wk.rows;
    norm(n.attn_norm, L.attn_norm, D);
    if (n.qkv.empty()) {
      matrix(n.q + ".weight", L.wq, true);
      matrix(n.k + ".weight", L.wk, true);
      matrix(n.v + ".weight", L.wv);
    } else {
      fused(n.qkv + ".weight", {&L.wq, &L.wk, &L.wv});
    }
    matrix(n.o + ".weight", L.wo);
    vector(n.q + ".bias", L.bq, Q);
    vector(n.k + ".bias", L.bk, KV);
    vector(n.v + ".bias", L.bv, KV);
    vector(n.o + ".bias", L.bo, D);
    const bool whole = c_.qk_norm == QkNorm::whole;
    norm(n.q_norm, L.q_norm, whole ? Q : c_.head_dim);
    norm(n.k_norm, L.k_norm, whole ? KV : c_.head_dim);
    vector(n.sinks, L.sinks, c_.heads);
    norm(n.post_attn_norm, L.post_attn_norm, D);
    norm(n.ffn_norm, L.ffn_norm, D);
    norm(n.post_ffn_norm, L.post_ffn_norm, D);
    if (!is_moe) {
      if (n.gate_up.empty()) return ffn(n.gate.substr(0, n.gate.rfind('.') + 1), L.ffn);
      fused(n.gate_up + ".weight", {&L.ffn.gate, &L.ffn.up});
      return matrix(n.down + ".weight", L.ffn.down);
    }
    matrix(n.router + ".weight", L.router);
    vector(n.router + ".bias", L.router_bias, c_.experts);
    if (family_.experts == ExpertLayout::one_by_one)
      for (size_t e = 0; e < L.experts.size(); ++e) ffn(n.experts + "." + std::to_string(e) + ".", L.experts[e]);
    else
      experts(n.experts + ".", L.experts);
    if (L.ffn.gate) ffn(n.experts.substr(0, n.experts.rfind('.')) + ".shared_expert.", L.ffn);
  }

  const LlamaConfig& c_;
  const Family& family_;
  std::vector<NamedTensor> list_;
};

// visit(place in the tensor, place in the panels) of every value of a piece.
template <class Visit>
void each_value(const TensorPiece& p, Visit&& visit) {
  const Weight& w = *p.weight;
  for (int64_t r = 0; r < w.rows; ++r) {
    const int64_t row = p.offset + (p.head_dim ? half_split_row(r, p.head_dim) : r) * p.row_stride,
                  lane = r / kTileRows * kTileRows * w.cols + r % kTileRows;
    for (int64_t c = 0; c < w.cols; ++c) visit(row + c * p.col_stride, lane + c * kTileRows);
  }
}

}  // namespace

std::vector<NamedTensor> named_tensors(Llama& model) { return Names(model).take(); }

void copy_out(float* to, const NamedTensor& t, FunctionRef<const float*(const void*)> values_of) {
  for (int64_t i = 0; t.vector && i < t.shape.count(); ++i) to[i] = values_of(*t.vector)[i] - t.added;
  for (const TensorPiece& p : t.pieces) {
    const float* const from = values_of(p.weight->panels);
    each_value(p, [&](int64_t outside, int64_t inside) { to[outside] = from[inside]; });
  }
}

void copy_in(const NamedTensor& t, const float* from, FunctionRef<float*(const void*)> values_of) {
  for (int64_t i = 0; t.vector && i < t.shape.count(); ++i) values_of(*t.vector)[i] = from[i] + t.added;
  for (const TensorPiece& p : t.pieces) {
    float* const to = values_of(p.weight->panels);
    each_value(p, [&](int64_t outside, int64_t inside) { to[inside] = from[outside]; });
  }
}

}  // namespace puna
