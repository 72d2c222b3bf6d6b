#include "model/named_tensors.h"

#include <algorithm>

#include "kernels/kernel_table.h"

namespace puna {
namespace {

class Names {
 public:
  explicit Names(Llama& model) : c_(model.config) {
    LlamaWeights& w = model.weights;
    matrix("model.embed_tokens.weight", w.embedding);
    if (!c_.tied) matrix("lm_head.weight", w.lm_head);
    vector("model.norm.weight", w.final_norm);
    for (size_t l = 0; l < w.layers.size(); ++l)
      layer("model.layers." + std::to_string(l) + ".", w.layers[l], c_.is_moe[l] != 0);
  }
  std::vector<NamedTensor> take() { return std::move(list_); }

 private:
  void vector(const std::string& name, const float*& values) { list_.push_back({name, {c_.hidden}, {}, &values}); }
  void matrix(const std::string& name, Weight& w, bool heads = false) {
    const bool interleaved = heads && c_.architecture == "llama" && c_.rope_style == RopeStyle::interleaved;
    list_.push_back({name, {w.rows, w.cols}, {{&w, 0, w.cols, 1, interleaved ? c_.head_dim : 0}}});
  }
  void ffn(const std::string& prefix, ExpertWeights& e) {
    matrix(prefix + "gate_proj.weight", e.gate);
    matrix(prefix + "up_proj.weight", e.up);
    matrix(prefix + "down_proj.weight", e.down);
  }
  void experts(const std::string& prefix, std::vector<ExpertWeights>& all) {
    const int64_t E = int64_t(all.size()), D = c_.hidden, F = c_.expert_ffn;
    NamedTensor gate_up{prefix + "gate_up_proj", {E, D, 2 * F}, {}}, down{prefix + "down_proj", {E, F, D}, {}};
    for (int64_t e = 0; e < E; ++e) {
      ExpertWeights& x = all[size_t(e)];
      gate_up.pieces.push_back({&x.gate, e * D * 2 * F, 1, 2 * F});
      gate_up.pieces.push_back({&x.up, e * D * 2 * F + F, 1, 2 * F});
      down.pieces.push_back({&x.down, e * F * D, 1, D});
    }
    list_.push_back(std::move(gate_up));
    list_.push_back(std::move(down));
  }
  void layer(const std::string& prefix, LlamaLayer& L, bool is_moe) {
    vector(prefix + "input_layernorm.weight", L.attn_norm);
    matrix(prefix + "self_attn.q_proj.weight", L.wq, true);
    matrix(prefix + "self_attn.k_proj.weight", L.wk, true);
    matrix(prefix + "self_attn.v_proj.weight", L.wv);
    matrix(prefix + "self_attn.o_proj.weight", L.wo);
    vector(prefix + "post_attention_layernorm.weight", L.ffn_norm);
    const std::string block = prefix + (c_.architecture == "llama4" ? "feed_forward." : "mlp.");
    if (!is_moe) return ffn(block, L.ffn);
    matrix(block + "router.weight", L.router);
    experts(block + "experts.", L.experts);
    if (L.ffn.gate) ffn(block + "shared_expert.", L.ffn);
  }

  const LlamaConfig& c_;
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
  if (t.vector) std::copy_n(values_of(*t.vector), t.shape.count(), to);
  for (const TensorPiece& p : t.pieces) {
    const float* const from = values_of(p.weight->panels);
    each_value(p, [&](int64_t outside, int64_t inside) { to[outside] = from[inside]; });
  }
}

void copy_in(const NamedTensor& t, const float* from, FunctionRef<float*(const void*)> values_of) {
  if (t.vector) std::copy_n(from, t.shape.count(), values_of(*t.vector));
  for (const TensorPiece& p : t.pieces) {
    float* const to = values_of(p.weight->panels);
    each_value(p, [&](int64_t outside, int64_t inside) { to[inside] = from[outside]; });
  }
}

}  // namespace puna
