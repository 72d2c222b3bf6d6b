// llama.cpp -- the forward pass of every decoder, as stages (include/puna/model/llama.h has the equations, config.h
// what differs). R rows of a batch, D hidden, H query heads, K head_dim, V vocab.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/os.h"
#include "kernels/panel.h"
#include "model/altup.h"
#include "model/forward.h"
#include "model/look_up.h"
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

// What layers change, the residual streams, and what they read beside their weights.
struct Stream {
  View x;  // [S * R, D]
  RopeTables rope;
  View per_layer;         // [R, L*P]
  Attended kept[2] = {};  // on a Tape: keys and values that later layers share, of full and of sliding layers
  // Where the keys and values of a layer are kept; NULL: nowhere, they are its own.
  const Attended* kept_of(const LlamaConfig& c, int64_t l) const {
    const bool slides = c.sliding(l), is_shared = c.shared_kv > 0 && c.kv_layer(l) == c.last_kv_layer(slides);
    return is_shared && kept[slides].k.rank != 0 ? &kept[slides] : nullptr;
  }
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

// Queries, keys or values of all rows, and what happens to them in place, in this order: bias, norm of heads, RoPE,
// plain norm behind it, what grows with the position.
struct Heads {
  enum class Norm : uint8_t { none, before_rope, after_rope };
  const LlamaConfig& c;
  View x;
  int64_t head_dim;
  const float* bias;
  Norm norm_at;
  const float* norm = nullptr;  // its weights, or NULL
  bool is_query = false;
  RopeTable rope = {};
  bool uses_rope = false;
  View before = {};  // the norm; on a Tape

  int64_t norm_width() const noexcept { return norm && c.qk_norm == QkNorm::whole ? x.dims[1] : head_dim; }
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
  void rotate(const KernelTable& k, float* row, int64_t t, View sine) const {
    const int64_t rotated = 2 * rope.cosine.dims[1];
    for (float* head = row; head < row + x.dims[1]; head += head_dim)
      rotation(k)(head, rope.cosine.row(t), sine.row(t), rotated);
  }
  void forward(const KernelTable& k, int64_t t, int64_t position) const {
    if (bias) k.add(x.row(t), bias, x.dims[1]);
    if (norm_at == Norm::before_rope) normalise(k, t);
    if (uses_rope) rotate(k, x.row(t), t, rope.sine);
    if (norm_at == Norm::after_rope) normalise(k, t);
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
    if (norm_at == Norm::after_rope) norm_in_place_backward(rec, heads, heads_before, norm, c.norm_eps);
    if (uses_rope) rec.stage(dx.dims[0], [&](int64_t t) { rotate(k, dx.row(t), t, rope.minus_sine); });
    if (norm_at == Norm::before_rope) norm_in_place_backward(rec, heads, heads_before, norm, c.norm_eps);
    bias_backward(rec, dx, bias);
  }
};

// The products of a layer's normalised rows: q, and k and v where it has weights for them.
template <class Rec>
void project(Rec& rec, View x, const LlamaConfig& c, const LlamaLayer& L, const Attended& to) {
  const Product q{to.q, &L.wq}, k{to.k, &L.wk}, v{to.v, &L.wv};
  if (!L.wk)
    norm_linear(rec, x, L.attn_norm, c.norm_eps, {q});
  else if (!L.wv)
    norm_linear(rec, x, L.attn_norm, c.norm_eps, {q, k});
  else
    norm_linear(rec, x, L.attn_norm, c.norm_eps, {q, k, v});
}

// q, k, v of normalised rows; then what Heads says; k, v to the cache, unless another layer's are used.
template <class Rec>
Attended attn_in(Rec& rec, View q, const Batch& b, View x, const Stream& s, const LlamaConfig& c, const LlamaLayer& L,
                 int64_t l) {
  const KernelTable& kernels = rec.kernels();
  const auto frame = rec.frame();
  const int64_t R = x.dims[0], K = c.head_dim_of(l), KV = c.kv_heads_of(l) * K;
  const Attended* const kept = s.kept_of(c, l);
  const bool has_keys = bool(L.wk), uses_rope = c.uses_rope[size_t(l)] != 0;
  const Attended to{q, kept ? kept->k : rec.make(has_keys ? R : 0, KV),
                    kept ? kept->v : rec.make(has_keys ? R : 0, KV)};
  project(rec, x, c, L, to);
  const RopeTable& rope = s.rope.of(c, l);
  using Norm = Heads::Norm;
  const Norm qk = c.qk_norm == QkNorm::heads || c.qk_norm == QkNorm::whole ? Norm::before_rope
                  : c.qk_norm == QkNorm::after_rope && uses_rope           ? Norm::after_rope
                                                                           : Norm::none;
  Heads queries{c, q, K, L.bq, qk, L.q_norm, true, rope, uses_rope},
      keys{c, to.k, K, L.bk, qk, L.k_norm, false, rope, uses_rope},
      values{c, to.v, K, L.bv, c.value_norm ? Norm::before_rope : Norm::none, nullptr, false, rope, false};
  if constexpr (Rec::records)
    for (Heads* heads : {&queries, &keys, &values})
      if (heads->norm_at != Norm::none && (has_keys || heads == &queries))
        heads->before = rec.make(heads->x.dims[0], heads->x.dims[1]);
  rec.stage(R, [&](int64_t t) {
    const BatchRow& row = b.rows[size_t(t)];
    queries.forward(kernels, t, row.position);
    if (!has_keys) return;
    if (!L.wv) memcpy(to.v.row(t), to.k.row(t), size_t(KV) * 4);
    keys.forward(kernels, t, row.position);
    values.forward(kernels, t, row.position);
    KvCache& cache = *b.sequences[size_t(row.sequence)];
    for (int64_t h = 0; h < c.kv_heads_of(l); ++h)
      cache.store(kernels, l, row.position, h, to.k.row(t) + h * K, to.v.row(t) + h * K);
  });
  if (has_keys && (Rec::records || kept) && !rec.exact())
    for (const View& rounded : {to.k, to.v}) round_to_f16(rec, rounded);
  if constexpr (Rec::records)
    rec.on_backward([&rec, &b, queries, keys, values, has_keys, has_values = bool(L.wv)] {
      queries.backward(rec, rec.gradient(queries.x), b);
      if (!has_keys) return;
      const View dk = rec.gradient(keys.x), dv = rec.gradient(values.x);
      keys.backward(rec, dk, b);
      values.backward(rec, dv, b);
      if (!has_values) rec.stage(dk.dims[0], [&](int64_t t) { rec.kernels().add(dk.row(t), dv.row(t), dk.dims[1]); });
    });
  return to;
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
  const int64_t K = c.head_dim_of(l), owner = c.kv_layer(l);
  const Activations a = make_activations(rec, x.dims[0], c.heads * K, {&L.wo});
  const AttendScores scores{c.score_scale(), c.attention_softcap, L.sinks};
  const DType kept = b.sequences[0]->type();
  const float* state = attend(rec, a.x, in.q, c.kv_heads_of(l), K, scores, kept, [&](int64_t t) {
    const BatchRow& row = b.rows[size_t(t)];
    const KvCache& cache = *b.sequences[size_t(row.sequence)];
    const int64_t first = c.first_seen(l, row.position), page = cache.page_size();
    return AttendRange{{cache.keys(owner), cache.values(owner), page, 0}, first / page * page, row.position + 1, first};
  });
  if constexpr (Rec::records)
    rec.on_backward([&rec, &b,
                     gradient = AttendGradient{in.q, in.k, in.v, a.x, state, K, c.chunked(l) ? c.chunk : 0,
                                               c.sliding(l) ? c.window : 0, scores}] {
      attend_backward(rec, gradient, whole_sequences(b));
    });
  quantise_rows(rec, a);
  Block<Rec> block{rec, c, x};
  linear(rec, a, {{block.y, &L.wo, block.direct}});
  block.end(L.bo, L.post_attn_norm);
}

// y += Wdown (silu(Wgate xn) * Wup xn), or with another unit than SwiGLU; y =, where it is no residual stream
template <class Rec>
void ffn(Rec& rec, View y, View x, const LlamaConfig& c, const LlamaLayer& L, int64_t l, bool add) {
  const int64_t R = x.dims[0], F = L.ffn.gate.rows;
  const View gate = rec.make(R, F), up = rec.make(R, F);
  norm_linear(rec, x, L.ffn_norm, c.norm_eps, {{gate, &L.ffn.gate}, {up, &L.ffn.up}});
  if (c.is_sparse(l)) keep_largest(rec, gate, c.sparsity[size_t(l)]);
  glu_linear(rec, {y, gate, up, c.glu, add}, L.ffn.down);
}

template <class Rec>
void ffn_add(Rec& rec, View x, const LlamaConfig& c, const LlamaLayer& L, int64_t l) {
  const auto frame = rec.frame();
  Block<Rec> block{rec, c, x};
  ffn(rec, block.y, x, c, L, l, block.direct);
  block.end(nullptr, L.post_ffn_norm);
}

// Which experts rows go to: by their normalised values, or by the stream itself in a norm of the router's own.
template <class Rec>
Routes routes_of(Rec& rec, View x, const Activations& xn, const LlamaConfig& c, const LlamaLayer& L) {
  const Routing how{c.experts_per_token, c.router_score, L.router_bias, L.beside.expert_scale};
  if (!L.beside.router_scale) return route(rec, xn, L.router, how);
  const Activations own = make_activations(rec, x.dims[0], c.hidden, {});
  norm_rows(rec, own, x, L.beside.router_scale, c.norm_eps);
  scale_rows(rec, own.x, float(1 / std::sqrt(double(c.hidden))));
  return route(rec, own, L.router, how);
}

template <class Rec>
void moe_add(Rec& rec, View x, const LlamaConfig& c, const LlamaLayer& L, int64_t l, bool mapped,
             const ForwardTaps* taps) {
  const auto frame = rec.frame();
  const int64_t R = x.dims[0], E = c.experts;
  const ExpertWeights& any = L.experts[0];
  const Activations xn = make_activations(rec, R, c.hidden, {&any.gate, &any.up, &L.ffn.gate, &L.ffn.up});
  norm_rows(rec, xn, x, c.dense_beside_experts ? L.beside.pre_norm : L.ffn_norm, c.norm_eps);
  const Routes routes = routes_of(rec, x, xn, c, L);
  if (mapped) fetch_experts(rec, routes, L);
  if (taps) {
    const int64_t moe_index = std::count(c.is_moe.begin(), c.is_moe.begin() + l, uint8_t{1});
    if (taps->router_logits) tap(rec, taps->router_logits + moe_index * R * E, routes.logits);
    rec.stage(1, [&](int64_t) {
      const size_t n = size_t(routes.count);
      if (taps->router_experts) memcpy(taps->router_experts + moe_index * routes.count, routes.expert, n * 4);
      if (taps->router_scores) memcpy(taps->router_scores + moe_index * routes.count, routes.score, n * 4);
    });
  }
  if (!c.dense_beside_experts) return experts_add(rec, x, xn, routes, L.experts, L.ffn.gate ? &L.ffn : nullptr, c.glu);
  // x += norm(norm(dense(x)) + norm(experts(x)))
  const View dense = rec.make(R, c.hidden), routed = rec.make_zero(R, c.hidden), both = rec.make_zero(R, c.hidden);
  ffn(rec, dense, x, c, L, l, false);
  experts_add(rec, routed, xn, routes, L.experts, nullptr, c.glu);
  add_block(rec, both, dense, {L.beside.dense_norm, c.norm_eps, 1});
  add_block(rec, both, routed, {L.beside.post_norm, c.norm_eps, 1});
  add_block(rec, x, both, {L.post_ffn_norm, c.norm_eps, c.residual_scale});
}

// One layer, re-runnable alone. Source: Hugging Face modeling_<family>.py.
template <class Rec>
void run_layer(Rec& rec, const Llama& model, const Batch& b, const Stream& s, int64_t l, const ForwardTaps* taps) {
  const LlamaConfig& c = model.config;
  const auto frame = rec.frame();  // scratch dies with the layer
  const LlamaLayer& L = model.weights.layers[size_t(l)];
  const int64_t R = int64_t(b.rows.size());
  View x = s.x, predicted, low_rank;
  if (c.streams > 1) {
    predicted = predict(rec, s.x, c, L.altup);
    x = rec.make(R, c.hidden);
    copy_rows(rec, x, stream_of(predicted, 0, c.streams));
  }
  if (c.laurel_rank > 0) low_rank = laurel(rec, x, c, L);
  const View q = rec.make(R, c.heads * c.head_dim_of(l));
  const Attended in = attn_in(rec, q, b, x, s, c, L, l);
  attend_out(rec, x, in, b, c, L, l);
  if (c.laurel_rank > 0) add_laurel(rec, x, low_rank);
  if (taps && taps->after_attention) tap(rec, taps->after_attention + l * R * c.hidden, x);
  if (c.is_moe[size_t(l)])
    moe_add(rec, x, c, L, l, model.weights.mapped, taps);
  else
    ffn_add(rec, x, c, L, l);
  if (c.streams > 1) correct(rec, s.x, predicted, x, c, L.altup);
  if (c.per_layer > 0) add_per_layer(rec, s.x, s.per_layer, c, L, l);
  if (c.layer_scale) scale_rows(rec, s.x, *L.scale);
  if (taps && taps->hidden) tap(rec, taps->hidden + l * c.streams * R * c.hidden, s.x);
}

// What the layers begin with.
template <class Rec>
Stream begin_stream(Rec& rec, const Llama& model, const Batch& b) {
  const LlamaConfig& c = model.config;
  const LlamaWeights& w = model.weights;
  const int64_t R = int64_t(b.rows.size());
  Stream s{rec.make(c.streams * R, c.hidden), rope_tables(rec, b, c), {}};
  if (c.per_layer > 0) s.per_layer = rec.make(R, c.layers * c.per_layer);
  if constexpr (Rec::records) {  // gradients that outlive the layers' frames
    rec.gradient_in_parts(s.x, c.streams);
    if (c.per_layer > 0) rec.gradient(s.per_layer);
    for (const bool slides : {false, true}) {
      const int64_t l = c.last_kv_layer(slides), KV = c.kv_heads_of(l) * c.head_dim_of(l);
      if (c.shared_kv == 0 || c.sliding(l) != slides) continue;
      s.kept[slides] = {{}, rec.make(R, KV), rec.make(R, KV)};
      rec.gradient(s.kept[slides].k);
      rec.gradient(s.kept[slides].v);
    }
  }
  const View first = stream_of(s.x, 0, c.streams);
  look_up(rec, first, w.embedding, c.embedding_scale, b,
          [](const BatchRow& row) -> int64_t { return row.embedding ? -1 : row.token; });
  if (c.per_layer > 0) per_layer_inputs(rec, s.per_layer, b, first, c, w);
  if (c.streams > 1) widen(rec, s.x, c, w.widen);
  return s;
}

// The rows of a view that belong to rows of the batch, block by block of R.
View gathered(Inference& rec, View from, int64_t R, const std::vector<int64_t>& rows) {
  const int64_t blocks = from.dims[0] / R, W = int64_t(rows.size());
  const View to = rec.make(blocks * W, from.dims[1]);
  rec.stage(blocks * W,
            [&](int64_t i) { memcpy(to.row(i), from.row(i / W * R + rows[size_t(i % W)]), size_t(from.dims[1]) * 4); });
  return to;
}

// Layers without keys of their own leave nothing behind: of them, rows that nobody wants need not be computed.
template <class Rec>
bool drops_rows(const Rec& rec, const LlamaConfig& c, const Batch& b, const ForwardTaps* taps) {
  if (Rec::records || taps || rec.observer() || c.shared_kv == 0) return false;
  return b.wanted.size() < b.rows.size() && (c.experts == 0 || rec.row_loras().empty());
}
Stream wanted_of(Inference& rec, const Stream& s, const Batch& b) {
  const auto of = [&](View v) { return v.rank != 0 ? gathered(rec, v, int64_t(b.rows.size()), b.wanted) : v; };
  Stream w{of(s.x), s.rope, of(s.per_layer)};
  for (RopeTable* rope : {&w.rope.all, &w.rope.local}) *rope = {of(rope->cosine), of(rope->sine), {}};
  return w;
}
Batch wanted_of(const Batch& b) {
  Batch w{{}, b.sequences, {}};
  for (const int64_t row : b.wanted) {
    w.wanted.push_back(int64_t(w.rows.size()));
    w.rows.push_back(b.rows[size_t(row)]);
  }
  return w;
}

// The residual stream after the last layer, [rows, hidden], of all rows or, where the last layers allow it, of those
// that are wanted.
struct LastHidden {
  View x;
  bool only_wanted;
};
template <class Rec>
LastHidden residual_stream(Rec& rec, const Llama& model, const Batch& b, const ForwardTaps* taps) {
  const LlamaConfig& c = model.config;
  const bool drops = drops_rows(rec, c, b, taps);
  Stream s = begin_stream(rec, model, b);
  if (taps) tap(rec, taps->embedded, s.x);
  const Batch wanted = drops ? wanted_of(b) : Batch();
  for (int64_t l = 0; l < c.layers; ++l) {
    if (drops && l == c.kv_layers()) {
      if (b.wanted.empty()) break;
      s = wanted_of(rec, s, b);
      rec.begin_head();
    }
    if constexpr (Rec::records)
      if (rec.checkpoints()) {
        rec.checkpoint(s.x, [&model, &b, s, l](auto& again) { run_layer(again, model, b, s, l, nullptr); });
        continue;
      }
    run_layer(rec, model, drops && l >= c.kv_layers() ? wanted : b, s, l, taps);
  }
  const bool is_used = !b.wanted.empty() || !drops;
  const View x = c.streams > 1 && is_used ? narrow(rec, s.x, c, model.weights.narrow) : s.x;
  if (taps) tap(rec, taps->last_hidden, x);
  return {x, drops};
}

// The rows that the head multiplies: normalised, and where logits have a scale, times it.
template <class Rec>
Activations head_input(Rec& rec, const Llama& model, const LastHidden& last, const Batch& b, const ForwardTaps* taps) {
  const LlamaConfig& c = model.config;
  const Activations xn = make_activations(rec, int64_t(b.wanted.size()), c.hidden, {&model.weights.lm_head});
  norm_rows(rec, xn, last.x, model.weights.final_norm, c.norm_eps, last.only_wanted ? nullptr : b.wanted.data());
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
  const LastHidden last = residual_stream(rec, model, b, taps);
  if (b.wanted.empty()) return;
  rec.begin_head();
  const auto frame = rec.frame();
  const Activations xn = head_input(rec, model, last, b, taps);
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
