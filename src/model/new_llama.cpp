#include "puna/model/new_llama.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "base/normals.h"
#include "kernels/panel.h"
#include "model/extra_tensors.h"
#include "model/named_tensors.h"
#include "puna/base/error.h"

namespace puna {

Llama new_llama(const Context& context, const LlamaConfig& c, uint64_t seed) {
  Llama model;
  model.config = c;
  LlamaWeights& w = model.weights;
  const auto block = [&](int64_t floats) {
    auto buffer = std::make_shared<Buffer>(context.allocate(size_t(floats) * sizeof(float), "new weights"));
    auto* const values = reinterpret_cast<float*>(buffer->data());
    std::fill(values, values + floats, 0.0f);
    w.owned.push_back(std::move(buffer));
    return values;
  };
  std::unordered_map<const std::byte*, float*> values_of;  // a weight's panels, to be filled
  const auto matrix = [&](int64_t rows, int64_t cols) {
    const int64_t panel = cols * kTileRows;
    float* const values = block((rows + kTileRows - 1) / kTileRows * panel);
    const auto* const panels = reinterpret_cast<const std::byte*>(values);
    values_of[panels] = values;
    return Weight{panels, DType::f32, rows, cols, panel * int64_t(sizeof(float))};
  };
  const auto filled = [&](int64_t count, float value) {
    float* const values = block(count);
    std::fill(values, values + count, value);
    return values;
  };
  const auto ones = [&] { return filled(c.hidden, 1); };
  const auto extras = [&](const std::vector<ExtraTensor>& tensors) {
    for (const ExtraTensor& t : tensors) {
      if (t.vector)
        *t.vector = filled(t.cols, 1);
      else
        *t.matrix = matrix(t.rows, t.cols);
    }
  };
  const auto swiglu = [&](int64_t F) {
    return ExpertWeights{matrix(F, c.hidden), matrix(F, c.hidden), matrix(c.hidden, F)};
  };
  w.embedding = matrix(c.vocab, c.hidden);
  w.lm_head = c.tied ? w.embedding : matrix(c.vocab, c.hidden);
  w.final_norm = ones();
  extras(extra_tensors(c, w, ""));
  for (int64_t l = 0; l < c.layers; ++l) {
    LlamaLayer L;
    const int64_t K = c.head_dim_of(l), Q = c.heads * K, KV = c.kv_heads_of(l) * K;
    const bool has_kv = l < c.kv_layers();
    if (c.pre_norm) {
      L.attn_norm = ones();
      L.ffn_norm = ones();
    }
    if (c.post_norm) {
      L.post_attn_norm = ones();
      L.post_ffn_norm = ones();
    }
    if (c.qkv_bias) {
      L.bq = filled(Q, 0);
      L.bk = filled(KV, 0);
      L.bv = filled(KV, 0);
    }
    if (c.out_bias) L.bo = filled(c.hidden, 0);
    if (c.qk_norm == QkNorm::heads || c.qk_norm == QkNorm::whole) {
      L.q_norm = filled(c.qk_norm == QkNorm::whole ? Q : K, 1);
      if (has_kv) L.k_norm = filled(c.qk_norm == QkNorm::whole ? KV : K, 1);
    }
    if (c.sinks) L.sinks = filled(c.heads, 0);
    L.wq = matrix(Q, c.hidden);
    if (has_kv) L.wk = matrix(KV, c.hidden);
    if (c.has_value_weights(l)) L.wv = matrix(KV, c.hidden);
    L.wo = matrix(c.hidden, Q);
    const bool moe = c.is_moe[size_t(l)] != 0;
    if (!moe || c.dense_beside_experts)
      L.ffn = swiglu(c.ffn_of(l));
    else if (c.router_score == RouterScore::sigmoid)
      L.ffn = swiglu(c.expert_ffn);
    if (moe) {
      L.router = matrix(c.experts, c.hidden);
      if (c.expert_bias) L.router_bias = filled(c.experts, 0);
      for (int64_t e = 0; e < c.experts; ++e) {
        ExpertWeights x = swiglu(c.expert_ffn);
        if (c.expert_bias) {
          x.gate_bias = filled(c.expert_ffn, 0);
          x.up_bias = filled(c.expert_ffn, 0);
          x.down_bias = filled(c.hidden, 0);
        }
        L.experts.push_back(x);
      }
    }
    extras(extra_tensors(c, L, l, ""));
    w.layers.push_back(std::move(L));
  }

  std::vector<NamedTensor> named = named_tensors(model);
  context.executor().run(int64_t(named.size()), [&](int64_t i) {
    const NamedTensor& t = named[size_t(i)];
    const bool adds = t.name.find("o_proj") != std::string::npos || t.name.find("down_proj") != std::string::npos;
    const float deviation = float(0.02 / (adds ? std::sqrt(2.0 * double(c.layers)) : 1.0));
    Normals normals(seed, uint64_t(i));
    for (const TensorPiece& piece : t.pieces) {
      float* const values = values_of.at(piece.weight->panels);
      for (int64_t r = 0; r < piece.weight->rows; ++r)
        for (int64_t k = 0; k < piece.weight->cols; ++k)
          values[(r / kTileRows * piece.weight->cols + k) * kTileRows + r % kTileRows] = deviation * normals.next();
    }
  });
  return model;
}

}  // namespace puna
