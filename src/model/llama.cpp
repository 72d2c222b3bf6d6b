// llama.cpp -- the forward pass of dense Llama and Llama 4 text, as stages (include/puna/model/llama.h has the
// equations). R rows of a batch, D hidden, H query heads, K head_dim, V vocab.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/os.h"
#include "kernels/panel.h"
#include "model/forward.h"
#include "model/rope.h"
#include "ops/attention.h"
#include "ops/experts.h"
#include "ops/rows.h"
#include "puna/base/error.h"

namespace puna {
namespace {

// cos and sin of position * inverse_frequency for the rows of a batch: [rows, head_dim/2] each. minus_sine exists on a
// Tape only: gradients are rotated backward.
struct RopeTable {
  View cosine, sine, minus_sine;
};

// Checks that a batch's rows are whole sequences, one after the other, from position 0 on: what a tape can take a
// gradient of.
[[maybe_unused]] std::vector<SequenceRows> whole_sequences(const Batch& b) {
  std::vector<SequenceRows> all;
  for (size_t t = 0; t < b.rows.size(); ++t) {
    const bool begins = t == 0 || b.rows[t].sequence != b.rows[t - 1].sequence;
    if (begins) all.push_back({int64_t(t), 0});
    PUNA_REQUIRE(b.rows[t].position == all.back().count,
                 "row %zu is at position %jd, expected %jd: a tape needs whole sequences, row by row", t,
                 b.rows[t].position, all.back().count);
    ++all.back().count;
  }
  return all;
}

template <class Rec>
RopeTable rope_table(Rec& rec, const Batch& b, const std::vector<float>& inverse_frequency) {
  const int64_t half = int64_t(inverse_frequency.size()), R = int64_t(b.rows.size());
  RopeTable table{rec.make(R, half), rec.make(R, half), {}};
  if constexpr (Rec::records) table.minus_sine = rec.make(R, half);
  rec.stage(R, [&](int64_t t) {
    rope_angles(table.cosine.row(t), table.sine.row(t), b.rows[size_t(t)].position, inverse_frequency);
    if constexpr (Rec::records) rec.kernels().scale(table.minus_sine.row(t), table.sine.row(t), -1.0f, half);
  });
  return table;
}

template <class Rec>
void embed(Rec& rec, View x, const Weight& embedding, const Batch& b) {
  rec.stage(x.dims[0], [&](int64_t t) {
    const BatchRow& row = b.rows[size_t(t)];
    if (row.embedding)
      memcpy(x.row(t), row.embedding, size_t(x.dims[1]) * 4);
    else
      weight_row(rec.kernels(), x.row(t), embedding, row.token);
  });
  if constexpr (Rec::records)
    rec.on_backward([&rec, &embedding, &b, x] {
      float* const table = rec.parameter_gradient(embedding.panels);
      if (!table) return;
      constexpr int64_t kColumns = 32;  // a tile: all rows in ascending order
      const View dx = rec.gradient(x);
      rec.stage((embedding.cols + kColumns - 1) / kColumns, [&](int64_t tile) {
        for (int64_t t = 0; t < dx.dims[0]; ++t) {
          const BatchRow& row = b.rows[size_t(t)];
          if (row.embedding) continue;
          float* const to = table + row.token / kTileRows * kTileRows * embedding.cols + row.token % kTileRows;
          for (int64_t d = tile * kColumns; d < std::min(embedding.cols, (tile + 1) * kColumns); ++d)
            to[d * kTileRows] += dx.row(t)[d];
        }
      });
    });
}

// Experts that lie in a file are read in the background as soon as the router has chosen them: all together, not page
// by page.
template <class Rec>
void fetch_experts(Rec& rec, const Routes& routes, const LlamaLayer& L) {
  rec.stage(1, [&](int64_t) {
    for (size_t e = 0; e < L.experts.size(); ++e) {
      if (routes.first[e] == routes.first[e + 1]) continue;
      for (const Weight* w : {&L.experts[e].gate, &L.experts[e].up, &L.experts[e].down})
        os::fetch_mapped_pages(w->panels, uint64_t(packed_bytes(*w)));
    }
  });
}

// k and v on a Tape only; an Inference has written them to the cache.
struct Attended {
  View q, k, v;
};

// Keys and values as the cache will return them: gradients pass through the rounding.
[[maybe_unused]] void round_to_f16(Inference& rec, View x) {  // by tapes
  rec.stage(x.dims[0], [&](int64_t t) {
    uint16_t half[16];
    for (int64_t i = 0; i < x.dims[1]; i += 16) {
      const int64_t n = std::min<int64_t>(16, x.dims[1] - i);
      rec.kernels().to_f16(half, x.row(t) + i, n);
      dequantise_row(rec.kernels(), x.row(t) + i, DType::f16, half, n);
    }
  });
}

// What happens to one row's heads in place, and back: RoPE and QK norm, or the temperature.
struct Positions {
  const LlamaConfig& c;
  RopeTable rope;
  bool uses_rope;
  bool norm() const noexcept { return uses_rope && c.qk_norm; }
  // before (may be without data): the heads between RoPE and QK norm, which the gradient needs.
  void forward(const KernelTable& kernels, View x, View before, int64_t t, int64_t position, bool is_query) const {
    const int64_t K = c.head_dim;
    const auto rotate = c.rope_style == RopeStyle::interleaved ? kernels.rope_interleaved : kernels.rope_half_split;
    for (float* head = x.row(t); uses_rope && head < x.row(t) + x.dims[1]; head += K) {
      rotate(head, rope.cosine.row(t), rope.sine.row(t), K);
      if (before.rank != 0) memcpy(before.row(t) + (head - x.row(t)), head, size_t(K) * 4);
      if (c.qk_norm) kernels.rms_norm(head, head, nullptr, K, c.norm_eps);
    }
    if (!uses_rope && c.temperature && is_query)
      kernels.scale(x.row(t), x.row(t), attention_temperature(c, position), x.dims[1]);
  }
  void backward(const KernelTable& kernels, View dx, View before, int64_t t, int64_t position, bool is_query) const {
    const int64_t K = c.head_dim;
    const auto rotate = c.rope_style == RopeStyle::interleaved ? kernels.rope_interleaved : kernels.rope_half_split;
    for (float* head = dx.row(t); uses_rope && head < dx.row(t) + dx.dims[1]; head += K) {
      if (c.qk_norm)
        kernels.rms_norm_backward({.dx = head,
                                   .dy = head,
                                   .x = before.row(t) + (head - dx.row(t)),
                                   .w = nullptr,
                                   .D = K,
                                   .eps = c.norm_eps,
                                   .add_to = false});
      rotate(head, rope.cosine.row(t), rope.minus_sine.row(t), K);
    }
    if (!uses_rope && c.temperature && is_query)
      kernels.scale(dx.row(t), dx.row(t), attention_temperature(c, position), dx.dims[1]);
  }
};

// q, k, v of normalised rows; then per head RoPE and QK norm (RoPE layers) or the temperature (NoPE layers); k, v to
// the cache.
template <class Rec>
Attended attn_in(Rec& rec, View q, const Batch& b, View x, const LlamaConfig& c, const LlamaLayer& L, int64_t l,
                 const RopeTable& rope) {
  const KernelTable& kernels = rec.kernels();
  const auto frame = rec.frame();
  const int64_t R = x.dims[0], K = c.head_dim;
  const View k = rec.make(R, c.kv_heads * K), v = rec.make(R, c.kv_heads * K);
  norm_linear(rec, x, L.attn_norm, c.norm_eps, {{q, &L.wq}, {k, &L.wk}, {v, &L.wv}});
  const Positions positions{c, rope, c.uses_rope[size_t(l)] != 0};
  View q_before, k_before;
  if (Rec::records && positions.norm()) {
    q_before = rec.make(R, c.heads * K);
    k_before = rec.make(R, c.kv_heads * K);
  }
  rec.stage(R, [&](int64_t t) {
    const BatchRow& row = b.rows[size_t(t)];
    positions.forward(kernels, q, q_before, t, row.position, true);
    positions.forward(kernels, k, k_before, t, row.position, false);
    KvCache& cache = *b.sequences[size_t(row.sequence)];
    for (int64_t h = 0; h < c.kv_heads; ++h)
      cache.store(kernels, l, row.position, h, k.row(t) + h * K, v.row(t) + h * K);
  });
  if constexpr (Rec::records) {
    if (!rec.exact())
      for (const View& kept : {k, v}) round_to_f16(rec, kept);
    rec.on_backward([&rec, &b, positions, q, k, q_before, k_before] {
      const View dq = rec.gradient(q), dk = rec.gradient(k);
      rec.stage(dq.dims[0], [&](int64_t t) {
        positions.backward(rec.kernels(), dq, q_before, t, b.rows[size_t(t)].position, true);
        positions.backward(rec.kernels(), dk, k_before, t, b.rows[size_t(t)].position, false);
      });
    });
  }
  return {q, k, v};
}

// x += Wo attention(q): chunked layers see [chunk start, position], the others [0, position]. Keys come back from the
// cache format.
template <class Rec>
void attend_out(Rec& rec, View x, const Attended& in, const Batch& b, const LlamaConfig& c, const LlamaLayer& L,
                int64_t l) {
  const auto frame = rec.frame();
  const Activations a = make_activations(rec, x.dims[0], c.heads * c.head_dim, {&L.wo});
  const float scale = float(1.0 / std::sqrt(double(c.head_dim)));
  const float* state = attend(rec, a.x, in.q, c.kv_heads, c.head_dim, scale, b.sequences[0]->type(), [&](int64_t t) {
    const BatchRow& row = b.rows[size_t(t)];
    const KvCache& cache = *b.sequences[size_t(row.sequence)];
    const int64_t low = c.chunked(l) ? row.position / c.chunk * c.chunk : 0;
    return AttendRange{{cache.keys(l), cache.values(l), cache.page_size(), 0}, low, row.position + 1};
  });
  if constexpr (Rec::records)
    rec.on_backward([&rec, &b,
                     gradient = AttendGradient{in.q, in.k, in.v, a.x, state, c.head_dim, c.chunked(l) ? c.chunk : 0,
                                               scale}] { attend_backward(rec, gradient, whole_sequences(b)); });
  quantise_rows(rec, a);
  linear(rec, a, {{x, &L.wo, true}});
}

// x += Wdown (silu(Wgate xn) * Wup xn)
template <class Rec>
void swiglu_add(Rec& rec, View x, const LlamaConfig& c, const LlamaLayer& L) {
  const auto frame = rec.frame();
  const int64_t R = x.dims[0], F = L.ffn.gate.rows;
  const View gate = rec.make(R, F), up = rec.make(R, F);
  norm_linear(rec, x, L.ffn_norm, c.norm_eps, {{gate, &L.ffn.gate}, {up, &L.ffn.up}});
  swiglu_linear(rec, x, gate, up, L.ffn.down);
}

template <class Rec>
void moe_add(Rec& rec, View x, const LlamaConfig& c, const LlamaLayer& L, int64_t moe_index, bool mapped,
             const ForwardTaps* taps) {
  const auto frame = rec.frame();
  const int64_t R = x.dims[0], E = c.experts;
  const ExpertWeights& any = L.experts[0];
  const Activations xn = make_activations(rec, R, c.hidden, {&any.gate, &any.up, &L.ffn.gate, &L.ffn.up});
  norm_rows(rec, xn, x, L.ffn_norm, c.norm_eps);
  const Routes routes = route(rec, xn, L.router, c.experts_per_token);
  if (mapped) fetch_experts(rec, routes, L);
  if (taps) {
    if (taps->router_logits) tap(rec, taps->router_logits + moe_index * R * E, routes.logits);
    rec.stage(1, [&](int64_t) {
      const size_t n = size_t(routes.count);
      if (taps->router_experts) memcpy(taps->router_experts + moe_index * routes.count, routes.expert, n * 4);
      if (taps->router_scores) memcpy(taps->router_scores + moe_index * routes.count, routes.score, n * 4);
    });
  }
  experts_add(rec, x, xn, routes, L.experts, L.ffn.gate ? &L.ffn : nullptr);
}

// One layer, re-runnable alone. Source: Hugging Face modeling_llama.py and modeling_llama4.py.
template <class Rec>
void run_layer(Rec& rec, const Llama& model, const Batch& b, View x, int64_t l, const RopeTable& rope,
               const ForwardTaps* taps) {
  const LlamaConfig& c = model.config;
  const auto frame = rec.frame();  // scratch dies with the layer
  const LlamaLayer& L = model.weights.layers[size_t(l)];
  const View q = rec.make(x.dims[0], c.heads * c.head_dim);
  const Attended in = attn_in(rec, q, b, x, c, L, l, rope);
  attend_out(rec, x, in, b, c, L, l);
  const int64_t tap_offset = l * x.dims[0] * x.dims[1];
  if (taps && taps->after_attention) tap(rec, taps->after_attention + tap_offset, x);
  if (c.is_moe[size_t(l)]) {
    int64_t moe_index = 0;
    for (int64_t i = 0; i < l; ++i) moe_index += c.is_moe[size_t(i)];
    moe_add(rec, x, c, L, moe_index, model.weights.mapped, taps);
  } else {
    swiglu_add(rec, x, c, L);
  }
  if (taps && taps->hidden) tap(rec, taps->hidden + tap_offset, x);
}

// The residual stream after the last layer, [rows, hidden].
template <class Rec>
View residual_stream(Rec& rec, const Llama& model, const Batch& b, const ForwardTaps* taps) {
  const LlamaConfig& c = model.config;
  const View x = rec.make(int64_t(b.rows.size()), c.hidden);
  if constexpr (Rec::records) rec.gradient(x);  // outlives the layers' frames
  const RopeTable rope = rope_table(rec, b, c.inverse_frequency);
  embed(rec, x, model.weights.embedding, b);
  if (taps) tap(rec, taps->embedded, x);
  for (int64_t l = 0; l < c.layers; ++l) {
    if constexpr (Rec::records)
      if (rec.checkpoints()) {
        rec.checkpoint(x, [&model, &b, x, l, rope](auto& again) { run_layer(again, model, b, x, l, rope, nullptr); });
        continue;
      }
    run_layer(rec, model, b, x, l, rope, taps);
  }
  if (taps) tap(rec, taps->last_hidden, x);
  return x;
}

template <class Rec>
Activations head_input(Rec& rec, const Llama& model, View x, const Batch& b) {
  const Activations xn = make_activations(rec, int64_t(b.wanted.size()), model.config.hidden, {&model.weights.lm_head});
  norm_rows(rec, xn, x, model.weights.final_norm, model.config.norm_eps, b.wanted.data());
  return xn;
}

}  // namespace

template <class Rec>
void forward(Rec& rec, const Llama& model, const Batch& b, View logits, const ForwardTaps* taps) {
  const View x = residual_stream(rec, model, b, taps);
  if (b.wanted.empty()) return;
  rec.begin_head();
  const auto frame = rec.frame();
  const Activations xn = head_input(rec, model, x, b);
  if (taps) tap(rec, taps->final_norm, xn.x);
  linear(rec, xn, {{logits, &model.weights.lm_head}});
}

template <class Rec>
View forward_hidden(Rec& rec, const Llama& model, const Batch& b) {
  return head_input(rec, model, residual_stream(rec, model, b, nullptr), b).x;
}

template void forward<Inference>(Inference&, const Llama&, const Batch&, View, const ForwardTaps*);
template View forward_hidden<Inference>(Inference&, const Llama&, const Batch&);
#if PUNA_TRAIN
template void forward<Tape>(Tape&, const Llama&, const Batch&, View, const ForwardTaps*);
template View forward_hidden<Tape>(Tape&, const Llama&, const Batch&);
#endif

}  // namespace puna
