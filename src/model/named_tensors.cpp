#include "model/named_tensors.h"

#include <algorithm>

#include "kernels/kernel_table.h"
#include "model/extra_tensors.h"
#include "model/family.h"

namespace puna {
namespace {

class Names {
 public:
  explicit Names(Llama& model) : c_(model.config), family_(family_of(model.config)) {
    LlamaWeights& w = model.weights;
    matrix("model.embed_tokens.weight", w.embedding);
    list_.back().is_table = true;
    if (!c_.tied) matrix("lm_head.weight", w.lm_head);
    norm("model.norm", w.final_norm, c_.hidden);
    extras(extra_tensors(c_, w, "model."));
    for (size_t l = 0; l < w.layers.size(); ++l) {
      const LayerNames names = huggingface_names(c_, "model.", int64_t(l));
      layer(names, w.layers[l], int64_t(l));
      extras(extra_tensors(c_, w.layers[l], int64_t(l), names.block));
    }
  }
  std::vector<NamedTensor> take() { return std::move(list_); }

 private:
  void vector(const std::string& name, const float*& values, int64_t count) {
    if (values) list_.push_back({name, {count}, {}, {{&values, count}}});
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
    if (w) list_.push_back({name, {w.rows, w.cols}, {{&w, 0, w.cols, 1, pairs(heads)}}, {}});
  }
  void extras(const std::vector<ExtraTensor>& tensors) {
    for (const ExtraTensor& t : tensors) {
      if (t.vector)
        vector(t.huggingface, *t.vector, t.cols);
      else
        matrix(t.huggingface, *t.matrix);
      list_.back().is_table = t.is_table;
      list_.back().is_buffer = t.is_buffer;
    }
  }
  // Matrices below each other under one name.
  void fused(const std::string& name, std::initializer_list<Weight*> parts) {
    NamedTensor t{name, {0, (*parts.begin())->cols}, {}, {}};
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
  // [E, in, out], gate and up side by side or by turns, with biases or without.
  void experts(const std::string& prefix, std::vector<ExpertWeights>& all) {
    const bool by_turns = family_.experts == ExpertLayout::interleaved;
    const int64_t E = int64_t(all.size()), D = c_.hidden, F = c_.expert_ffn, up = by_turns ? 1 : F,
                  step = by_turns ? 2 : 1;
    NamedTensor gate_up{prefix + "gate_up_proj", {E, D, 2 * F}, {}, {}}, down{prefix + "down_proj", {E, F, D}, {}, {}},
        in_bias{prefix + "gate_up_proj_bias", {E, 2 * F}, {}, {}}, out_bias{prefix + "down_proj_bias", {E, D}, {}, {}};
    for (int64_t e = 0; e < E; ++e) {
      ExpertWeights& x = all[size_t(e)];
      gate_up.pieces.push_back({&x.gate, e * D * 2 * F, step, 2 * F});
      gate_up.pieces.push_back({&x.up, e * D * 2 * F + up, step, 2 * F});
      down.pieces.push_back({&x.down, e * F * D, 1, D});
      in_bias.vectors.push_back({&x.gate_bias, F, e * 2 * F, step});
      in_bias.vectors.push_back({&x.up_bias, F, e * 2 * F + up, step});
      out_bias.vectors.push_back({&x.down_bias, D, e * D, 1});
    }
    list_.push_back(std::move(gate_up));
    list_.push_back(std::move(down));
    if (!c_.expert_bias) return;
    list_.push_back(std::move(in_bias));
    list_.push_back(std::move(out_bias));
  }
  // [E, out, in], gate above up.
  void experts_by_rows(const std::string& prefix, std::vector<ExpertWeights>& all) {
    const int64_t E = int64_t(all.size()), D = c_.hidden, F = c_.expert_ffn;
    NamedTensor gate_up{prefix + "gate_up_proj", {E, 2 * F, D}, {}, {}}, down{prefix + "down_proj", {E, D, F}, {}, {}};
    for (int64_t e = 0; e < E; ++e) {
      ExpertWeights& x = all[size_t(e)];
      gate_up.pieces.push_back({&x.gate, e * 2 * F * D, D, 1});
      gate_up.pieces.push_back({&x.up, e * 2 * F * D + F * D, D, 1});
      down.pieces.push_back({&x.down, e * D * F, F, 1});
    }
    list_.push_back(std::move(gate_up));
    list_.push_back(std::move(down));
  }
  void dense(const LayerNames& n, ExpertWeights& e) {
    if (n.gate_up.empty()) return ffn(n.gate.substr(0, n.gate.rfind('.') + 1), e);
    fused(n.gate_up + ".weight", {&e.gate, &e.up});
    matrix(n.down + ".weight", e.down);
  }
  void layer(const LayerNames& n, LlamaLayer& L, int64_t l) {
    const int64_t D = c_.hidden, Q = L.wq.rows, KV = L.wk.rows, K = c_.head_dim_of(l);
    const bool is_moe = c_.is_moe[size_t(l)] != 0;
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
    norm(n.q_norm, L.q_norm, whole ? Q : K);
    norm(n.k_norm, L.k_norm, whole ? KV : K);
    vector(n.sinks, L.sinks, c_.heads);
    norm(n.post_attn_norm, L.post_attn_norm, D);
    norm(n.ffn_norm, L.ffn_norm, D);
    norm(n.post_ffn_norm, L.post_ffn_norm, D);
    if (!is_moe || c_.dense_beside_experts) dense(n, L.ffn);
    if (!is_moe) return;
    matrix(n.router + ".weight", L.router);
    vector(n.router + ".bias", L.router_bias, c_.experts);
    if (family_.experts == ExpertLayout::one_by_one)
      for (size_t e = 0; e < L.experts.size(); ++e) ffn(n.experts + "." + std::to_string(e) + ".", L.experts[e]);
    else if (family_.experts == ExpertLayout::stacked_rows)
      experts_by_rows(n.experts + ".", L.experts);
    else
      experts(n.experts + ".", L.experts);
    if (L.ffn.gate && !c_.dense_beside_experts)
      ffn(n.experts.substr(0, n.experts.rfind('.')) + ".shared_expert.", L.ffn);
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
  for (const VectorPiece& v : t.vectors)
    for (int64_t i = 0; i < v.count; ++i) to[v.offset + i * v.step] = values_of(*v.values)[i] - t.added;
  for (const TensorPiece& p : t.pieces) {
    const float* const from = values_of(p.weight->panels);
    each_value(p, [&](int64_t outside, int64_t inside) { to[outside] = from[inside]; });
  }
}

void copy_in(const NamedTensor& t, const float* from, FunctionRef<float*(const void*)> values_of) {
  for (const VectorPiece& v : t.vectors)
    for (int64_t i = 0; i < v.count; ++i) values_of(*v.values)[i] = from[v.offset + i * v.step] + t.added;
  for (const TensorPiece& p : t.pieces) {
    float* const to = values_of(p.weight->panels);
    each_value(p, [&](int64_t outside, int64_t inside) { to[inside] = from[outside]; });
  }
}

}  // namespace puna
