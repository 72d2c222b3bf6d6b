// llama.cpp -- the forward pass of every decoder, as stages (include/puna/model/llama.h has the equations, config.h
// what differs). R rows of a batch, D hidden, H query heads, K head_dim, V vocab.
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

// cos and sin of position * inverse_frequency for the rows of a batch: [rows, rotated/2] each. minus_sine exists on a
// Tape only: gradients are rotated backward.
struct RopeTable {
  View cosine, sine, minus_sine;
};
struct RopeTables {
  RopeTable all, local;  // local: of sliding-window layers, where they have frequencies of their own
  const RopeTable& of(const LlamaConfig& c, int64_t l) const {
    return c.sliding(l) && !c.local_frequency.empty() ? local : all;
  }
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

// frequency(sequence): a sequence may have its own (LongRoPE).
template <class Rec>
RopeTable rope_table(Rec& rec, const Batch& b, int64_t half, float magnitude,
                     FunctionRef<const std::vector<float>&(int32_t)> frequency) {
  const int64_t R = int64_t(b.rows.size());
  RopeTable table{rec.make(R, half), rec.make(R, half), {}};
  if constexpr (Rec::records) table.minus_sine = rec.make(R, half);
  const KernelTable& k = rec.kernels();
  rec.stage(R, [&](int64_t t) {
    const BatchRow& row = b.rows[size_t(t)];
    rope_angles(table.cosine.row(t), table.sine.row(t), row.position, frequency(row.sequence));
    if (magnitude != 1)
      for (const View& v : {table.cosine, table.sine}) k.scale(v.row(t), v.row(t), magnitude, half);
    if constexpr (Rec::records) k.scale(table.minus_sine.row(t), table.sine.row(t), -1.0f, half);
  });
  return table;
}

template <class Rec>
RopeTables rope_tables(Rec& rec, const Batch& b, const LlamaConfig& c) {
  const auto usual = [&](int32_t s) -> const std::vector<float>& {
    return b.sequences[size_t(s)]->is_long() ? c.long_frequency : c.inverse_frequency;
  };
  const auto local = [&](int32_t) -> const std::vector<float>& { return c.local_frequency; };
  RopeTables tables{rope_table(rec, b, int64_t(c.inverse_frequency.size()), c.rope_magnitude, usual), {}};
  if (!c.local_frequency.empty()) tables.local = rope_table(rec, b, int64_t(c.local_frequency.size()), 1, local);
  return tables;
}

template <class Rec>
void embed(Rec& rec, View x, const Weight& embedding, float scale, const Batch& b) {
  rec.stage(x.dims[0], [&](int64_t t) {
    const BatchRow& row = b.rows[size_t(t)];
    if (row.embedding) {
      memcpy(x.row(t), row.embedding, size_t(x.dims[1]) * 4);
      return;
    }
    weight_row(rec.kernels(), x.row(t), embedding, row.token);
    if (scale != 1) rec.kernels().scale(x.row(t), x.row(t), scale, x.dims[1]);
  });
  if constexpr (Rec::records)
    rec.on_backward([&rec, &embedding, &b, x, scale] {
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
            to[d * kTileRows] += scale * dx.row(t)[d];
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

// Queries or keys of all rows, and what happens to them in place, in this order: bias, QK norm with weights, RoPE,
// plain QK norm, what grows with the position.
struct Heads {
  const LlamaConfig& c;
  RopeTable rope;
  bool uses_rope, is_query;
  const float *bias, *norm;  // norm: with weights
  View x;
  View before = {};  // the norm; on a Tape

  int64_t norm_width() const noexcept { return c.qk_norm == QkNorm::whole ? x.dims[1] : c.head_dim; }
  bool has_norm() const noexcept { return norm || (uses_rope && c.qk_norm == QkNorm::after_rope); }
  auto rotation(const KernelTable& k) const noexcept {
    return c.rope_style == RopeStyle::interleaved ? k.rope_interleaved : k.rope_half_split;
  }
  float growth(int64_t position) const noexcept {
    if (!is_query) return 1;
    if (c.query_growth != 0) return query_growth(c, position);
    return !uses_rope && c.temperature ? attention_temperature(c, position) : 1;
  }
  void normalise(const KernelTable& k, int64_t t) const {
    if (before.rank != 0) memcpy(before.row(t), x.row(t), size_t(x.dims[1]) * 4);
    for (float* part = x.row(t); part < x.row(t) + x.dims[1]; part += norm_width())
      k.rms_norm(part, part, norm, norm_width(), c.norm_eps);
  }
  void forward(const KernelTable& k, int64_t t, int64_t position) const {
    if (bias) k.add(x.row(t), bias, x.dims[1]);
    if (norm) normalise(k, t);
    for (float* head = x.row(t); uses_rope && head < x.row(t) + x.dims[1]; head += c.head_dim)
      rotation(k)(head, rope.cosine.row(t), rope.sine.row(t), c.rotated());
    if (!norm && has_norm()) normalise(k, t);
    if (const float g = growth(position); g != 1) k.scale(x.row(t), x.row(t), g, x.dims[1]);
  }
  // dx: the gradient of x, changed in place as well
  template <class Rec>
  void backward(Rec& rec, View dx, const Batch& b) const {
    const KernelTable& k = rec.kernels();
    const View heads(dx.f32(), DType::f32, {dx.dims[0] * dx.dims[1] / norm_width(), norm_width()});
    const View heads_before(before.f32(), DType::f32, {heads.dims[0], heads.dims[1]});
    rec.stage(dx.dims[0], [&](int64_t t) {
      if (const float g = growth(b.rows[size_t(t)].position); g != 1) k.scale(dx.row(t), dx.row(t), g, dx.dims[1]);
    });
    if (!norm && has_norm()) norm_in_place_backward(rec, heads, heads_before, nullptr, c.norm_eps);
    rec.stage(dx.dims[0], [&](int64_t t) {
      for (float* head = dx.row(t); uses_rope && head < dx.row(t) + dx.dims[1]; head += c.head_dim)
        rotation(k)(head, rope.cosine.row(t), rope.minus_sine.row(t), c.rotated());
    });
    if (norm) norm_in_place_backward(rec, heads, heads_before, norm, c.norm_eps);
    bias_backward(rec, dx, bias);
  }
};

// q, k, v of normalised rows; then what Heads says; k, v to the cache.
template <class Rec>
Attended attn_in(Rec& rec, View q, const Batch& b, View x, const LlamaConfig& c, const LlamaLayer& L, int64_t l,
                 const RopeTable& rope) {
  const KernelTable& kernels = rec.kernels();
  const auto frame = rec.frame();
  const int64_t R = x.dims[0], K = c.head_dim;
  const View k = rec.make(R, c.kv_heads * K), v = rec.make(R, c.kv_heads * K);
  norm_linear(rec, x, L.attn_norm, c.norm_eps, {{q, &L.wq}, {k, &L.wk}, {v, &L.wv}});
  const bool uses_rope = c.uses_rope[size_t(l)] != 0;
  Heads queries{c, rope, uses_rope, true, L.bq, L.q_norm, q}, keys{c, rope, uses_rope, false, L.bk, L.k_norm, k};
  if constexpr (Rec::records)
    for (Heads* heads : {&queries, &keys})
      if (heads->has_norm()) heads->before = rec.make(R, heads->x.dims[1]);
  rec.stage(R, [&](int64_t t) {
    const BatchRow& row = b.rows[size_t(t)];
    queries.forward(kernels, t, row.position);
    keys.forward(kernels, t, row.position);
    if (L.bv) kernels.add(v.row(t), L.bv, v.dims[1]);
    KvCache& cache = *b.sequences[size_t(row.sequence)];
    for (int64_t h = 0; h < c.kv_heads; ++h)
      cache.store(kernels, l, row.position, h, k.row(t) + h * K, v.row(t) + h * K);
  });
  if constexpr (Rec::records) {
    if (!rec.exact())
      for (const View& kept : {k, v}) round_to_f16(rec, kept);
    rec.on_backward([&rec, &b, queries, keys, v, bv = L.bv] {
      const View dq = rec.gradient(queries.x), dk = rec.gradient(keys.x), dv = rec.gradient(v);
      queries.backward(rec, dq, b);
      keys.backward(rec, dk, b);
      bias_backward(rec, dv, bv);
    });
  }
  return {q, k, v};
}

// Where a block's products go: into the residual stream itself, or beside it to be normalised and scaled (Block::end).
template <class Rec>
struct Block {
  Rec& rec;
  const LlamaConfig& c;
  View x;
  bool direct = !c.post_norm && c.residual_scale == 1;
  View y = direct ? x : rec.make(x.dims[0], x.dims[1]);
  void end(const float* bias, const float* post_norm) {
    add_bias(rec, y, bias);
    if (!direct) add_block(rec, x, y, {post_norm, c.norm_eps, c.residual_scale});
  }
};

// x += Wo attention(q): rows see what LlamaConfig::first_seen says. Keys come back from the cache format.
template <class Rec>
void attend_out(Rec& rec, View x, const Attended& in, const Batch& b, const LlamaConfig& c, const LlamaLayer& L,
                int64_t l) {
  const auto frame = rec.frame();
  const Activations a = make_activations(rec, x.dims[0], c.heads * c.head_dim, {&L.wo});
  const AttendScores scores{c.score_scale(), c.attention_softcap, L.sinks};
  const float* state = attend(rec, a.x, in.q, c.kv_heads, c.head_dim, scores, b.sequences[0]->type(), [&](int64_t t) {
    const BatchRow& row = b.rows[size_t(t)];
    const KvCache& cache = *b.sequences[size_t(row.sequence)];
    const int64_t first = c.first_seen(l, row.position), page = cache.page_size();
    return AttendRange{{cache.keys(l), cache.values(l), page, 0}, first / page * page, row.position + 1, first};
  });
  if constexpr (Rec::records)
    rec.on_backward([&rec, &b,
                     gradient = AttendGradient{in.q, in.k, in.v, a.x, state, c.head_dim, c.chunked(l) ? c.chunk : 0,
                                               c.sliding(l) ? c.window : 0, scores}] {
      attend_backward(rec, gradient, whole_sequences(b));
    });
  quantise_rows(rec, a);
  Block<Rec> block{rec, c, x};
  linear(rec, a, {{block.y, &L.wo, block.direct}});
  block.end(L.bo, L.post_attn_norm);
}

// x += Wdown (silu(Wgate xn) * Wup xn), or with another unit than SwiGLU
template <class Rec>
void ffn_add(Rec& rec, View x, const LlamaConfig& c, const LlamaLayer& L) {
  const auto frame = rec.frame();
  const int64_t R = x.dims[0], F = L.ffn.gate.rows;
  const View gate = rec.make(R, F), up = rec.make(R, F);
  norm_linear(rec, x, L.ffn_norm, c.norm_eps, {{gate, &L.ffn.gate}, {up, &L.ffn.up}});
  Block<Rec> block{rec, c, x};
  glu_linear(rec, {block.y, gate, up, c.glu, block.direct}, L.ffn.down);
  block.end(nullptr, L.post_ffn_norm);
}

template <class Rec>
void moe_add(Rec& rec, View x, const LlamaConfig& c, const LlamaLayer& L, int64_t moe_index, bool mapped,
             const ForwardTaps* taps) {
  const auto frame = rec.frame();
  const int64_t R = x.dims[0], E = c.experts;
  const ExpertWeights& any = L.experts[0];
  const Activations xn = make_activations(rec, R, c.hidden, {&any.gate, &any.up, &L.ffn.gate, &L.ffn.up});
  norm_rows(rec, xn, x, L.ffn_norm, c.norm_eps);
  const Routes routes = route(rec, xn, L.router, c.experts_per_token, L.router_bias, c.router_score);
  if (mapped) fetch_experts(rec, routes, L);
  if (taps) {
    if (taps->router_logits) tap(rec, taps->router_logits + moe_index * R * E, routes.logits);
    rec.stage(1, [&](int64_t) {
      const size_t n = size_t(routes.count);
      if (taps->router_experts) memcpy(taps->router_experts + moe_index * routes.count, routes.expert, n * 4);
      if (taps->router_scores) memcpy(taps->router_scores + moe_index * routes.count, routes.score, n * 4);
    });
  }
  experts_add(rec, x, xn, routes, L.experts, L.ffn.gate ? &L.ffn : nullptr, c.glu);
}

// One layer, re-runnable alone. Source: Hugging Face modeling_<family>.py.
template <class Rec>
void run_layer(Rec& rec, const Llama& model, const Batch& b, View x, int64_t l, const RopeTables& rope,
               const ForwardTaps* taps) {
  const LlamaConfig& c = model.config;
  const auto frame = rec.frame();  // scratch dies with the layer
  const LlamaLayer& L = model.weights.layers[size_t(l)];
  const View q = rec.make(x.dims[0], c.heads * c.head_dim);
  const Attended in = attn_in(rec, q, b, x, c, L, l, rope.of(c, l));
  attend_out(rec, x, in, b, c, L, l);
  const int64_t tap_offset = l * x.dims[0] * x.dims[1];
  if (taps && taps->after_attention) tap(rec, taps->after_attention + tap_offset, x);
  if (c.is_moe[size_t(l)]) {
    int64_t moe_index = 0;
    for (int64_t i = 0; i < l; ++i) moe_index += c.is_moe[size_t(i)];
    moe_add(rec, x, c, L, moe_index, model.weights.mapped, taps);
  } else {
    ffn_add(rec, x, c, L);
  }
  if (taps && taps->hidden) tap(rec, taps->hidden + tap_offset, x);
}

// The residual stream after the last layer, [rows, hidden].
template <class Rec>
View residual_stream(Rec& rec, const Llama& model, const Batch& b, const ForwardTaps* taps) {
  const LlamaConfig& c = model.config;
  const View x = rec.make(int64_t(b.rows.size()), c.hidden);
  if constexpr (Rec::records) rec.gradient(x);  // outlives the layers' frames
  const RopeTables rope = rope_tables(rec, b, c);
  embed(rec, x, model.weights.embedding, c.embedding_scale, b);
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

// The rows that the head multiplies: normalised, and where logits have a scale, times it.
template <class Rec>
Activations head_input(Rec& rec, const Llama& model, View x, const Batch& b, const ForwardTaps* taps) {
  const LlamaConfig& c = model.config;
  const Activations xn = make_activations(rec, int64_t(b.wanted.size()), c.hidden, {&model.weights.lm_head});
  norm_rows(rec, xn, x, model.weights.final_norm, c.norm_eps, b.wanted.data());
  if (taps) tap(rec, taps->final_norm, xn.x);
  if (c.logit_scale != 1) {
    scale_rows(rec, xn.x, c.logit_scale);
    quantise_rows(rec, xn);
  }
  return xn;
}

}  // namespace

template <class Rec>
void forward(Rec& rec, const Llama& model, const Batch& b, View logits, const ForwardTaps* taps) {
  const View x = residual_stream(rec, model, b, taps);
  if (b.wanted.empty()) return;
  rec.begin_head();
  const auto frame = rec.frame();
  const Activations xn = head_input(rec, model, x, b, taps);
  linear(rec, xn, {{logits, &model.weights.lm_head}});
  softcap_rows(rec, logits, model.config.final_softcap);
}

template <class Rec>
View forward_hidden(Rec& rec, const Llama& model, const Batch& b) {
  return head_input(rec, model, residual_stream(rec, model, b, nullptr), b, nullptr).x;
}

template void forward<Inference>(Inference&, const Llama&, const Batch&, View, const ForwardTaps*);
template View forward_hidden<Inference>(Inference&, const Llama&, const Batch&);
#if PUNA_TRAIN
template void forward<Tape>(Tape&, const Llama&, const Batch&, View, const ForwardTaps*);
template View forward_hidden<Tape>(Tape&, const Llama&, const Batch&);
#endif

}  // namespace puna
