// llama.cpp -- the forward pass of dense Llama and Llama 4 text, as stages (include/puna/model/llama.h has the equations).
// R rows of a batch, D hidden, H query heads, K head_dim, V vocab.
#include "puna/model/llama.h"

#include <cmath>
#include <cstring>

#include "base/os.h"
#include "kernels/panel.h"
#include "model/rope.h"
#include "ops/attention.h"
#include "ops/experts.h"
#include "ops/rows.h"

namespace puna {
namespace {

void tap(Inference& rec, float* to, View x) {
  if (to) rec.stage(1, [&](int64_t) { for (int64_t t = 0; t < x.dims[0]; ++t) memcpy(to + t * x.dims[1], x.row(t), size_t(x.dims[1]) * 4); });
}

RopeTable rope_table(Inference& rec, const Batch& b, const std::vector<float>& inverse_frequency) {
  const int64_t half = int64_t(inverse_frequency.size());
  const RopeTable table{rec.make(int64_t(b.rows.size()), half), rec.make(int64_t(b.rows.size()), half)};
  rec.stage(int64_t(b.rows.size()), [&](int64_t t) {
    rope_angles(table.cosine.row(t), table.sine.row(t), b.rows[size_t(t)].position, inverse_frequency);
  });
  return table;
}

void embed(Inference& rec, View x, const Weight& embedding, const Batch& b) {
  rec.stage(x.dims[0], [&](int64_t t) {
    const BatchRow& row = b.rows[size_t(t)];
    if (row.embedding) memcpy(x.row(t), row.embedding, size_t(x.dims[1]) * 4);
    else weight_row(rec.kernels(), x.row(t), embedding, row.token);
  });
}

// Experts that lie in a file are read in the background as soon as the router has chosen them: all together, not page by page.
void fetch_experts(Inference& rec, const Routes& routes, const LlamaLayer& L) {
  rec.stage(1, [&](int64_t) {
    for (size_t e = 0; e < L.experts.size(); ++e) {
      if (routes.first[e] == routes.first[e + 1]) continue;
      for (const Weight* w : {&L.experts[e].gate, &L.experts[e].up, &L.experts[e].down})
        os::fetch_mapped_pages(w->panels, uint64_t(packed_bytes(*w)));
    }
  });
}

// q, k, v of normalised rows; then per head RoPE and QK norm (RoPE layers) or the temperature (NoPE layers); k, v to the cache.
void attn_in(Inference& rec, View q, const Batch& b, View x, const LlamaConfig& c, const LlamaLayer& L, int64_t l, const RopeTable& rope) {
  const KernelTable& kernels = rec.kernels();
  const auto frame = rec.frame();
  const int64_t R = x.dims[0], K = c.head_dim;
  const Activations xn = make_activations(rec, R, c.hidden, {&L.wq, &L.wk, &L.wv});
  const View k = rec.make(R, c.kv_heads * K), v = rec.make(R, c.kv_heads * K);
  norm_rows(rec, xn, x, L.attn_norm, c.norm_eps);
  linear(rec, xn, {{q, &L.wq}, {k, &L.wk}, {v, &L.wv}});
  const bool uses_rope = c.uses_rope[size_t(l)];
  const auto turn = c.rope_style == RopeStyle::interleaved ? kernels.rope_interleaved : kernels.rope_half_split;
  rec.stage(R, [&](int64_t t) {
    const BatchRow& row = b.rows[size_t(t)];
    const auto positions = [&](float* heads, int64_t count) {
      for (int64_t h = 0; h < count; ++h) {
        turn(heads + h * K, rope.cosine.row(t), rope.sine.row(t), K);
        if (c.qk_norm) kernels.rms_norm(heads + h * K, heads + h * K, nullptr, K, c.norm_eps);
      }
    };
    if (uses_rope) {
      positions(q.row(t), c.heads);
      positions(k.row(t), c.kv_heads);
    } else if (c.temperature) {
      kernels.scale(q.row(t), q.row(t), attention_temperature(c, row.position), c.heads * K);
    }
    KvCache& cache = *b.sequences[size_t(row.sequence)];
    for (int64_t h = 0; h < c.kv_heads; ++h) cache.store(kernels, l, row.position, h, k.row(t) + h * K, v.row(t) + h * K);
  });
}

// x += Wo attention(q): chunked layers see [chunk start, position], the others [0, position]. Keys come back from the cache format.
void attend_out(Inference& rec, View x, View q, const Batch& b, const LlamaConfig& c, const LlamaLayer& L, int64_t l) {
  const auto frame = rec.frame();
  const Activations a = make_activations(rec, x.dims[0], c.heads * c.head_dim, {&L.wo});
  const bool f16 = !rec.exact();
  const float scale = float(1.0 / std::sqrt(double(c.head_dim)));
  attend(rec, a.x, q, c.kv_heads, c.head_dim, scale, f16, [&](int64_t t) {
    const BatchRow& row = b.rows[size_t(t)];
    const KvCache& cache = *b.sequences[size_t(row.sequence)];
    const int64_t low = c.chunked(l) ? row.position / c.chunk * c.chunk : 0;
    return AttendRange{{cache.keys(l), cache.values(l), cache.page_size(), 0}, low, row.position + 1};
  });
  quantise_rows(rec, a);
  linear(rec, a, {{x, &L.wo, true}});
}

// x += Wdown (silu(Wgate xn) * Wup xn)
void swiglu_add(Inference& rec, View x, const LlamaConfig& c, const LlamaLayer& L) {
  const auto frame = rec.frame();
  const int64_t R = x.dims[0], F = L.ffn.gate.rows;
  const Activations xn = make_activations(rec, R, c.hidden, {&L.ffn.gate, &L.ffn.up});
  const Activations h = make_activations(rec, R, F, {&L.ffn.down});
  const View gate = rec.make(R, F), up = rec.make(R, F);
  norm_rows(rec, xn, x, L.ffn_norm, c.norm_eps);
  linear(rec, xn, {{gate, &L.ffn.gate}, {up, &L.ffn.up}});
  swiglu_rows(rec, h, gate, up);
  linear(rec, h, {{x, &L.ffn.down, true}});
}

void moe_add(Inference& rec, View x, const LlamaConfig& c, const LlamaLayer& L, int64_t moe_index, bool mapped, const ForwardTaps* taps) {
  const auto frame = rec.frame();
  const int64_t R = x.dims[0], E = c.experts;
  const ExpertWeights& any = L.experts[0];
  const Activations xn = make_activations(rec, R, c.hidden, {&any.gate, &any.up, &L.ffn.gate, &L.ffn.up});
  norm_rows(rec, xn, x, L.ffn_norm, c.norm_eps);
  View logits;
  const Routes routes = route(rec, xn, L.router, c.experts_per_token, &logits);
  if (mapped) fetch_experts(rec, routes, L);
  if (taps) {
    if (taps->router_logits) tap(rec, taps->router_logits + moe_index * R * E, logits);
    rec.stage(1, [&](int64_t) {
      const size_t n = size_t(routes.count);
      if (taps->router_experts) memcpy(taps->router_experts + moe_index * routes.count, routes.expert, n * 4);
      if (taps->router_scores) memcpy(taps->router_scores + moe_index * routes.count, routes.score, n * 4);
    });
  }
  experts_add(rec, x, xn, routes, L.experts, L.ffn.gate ? &L.ffn : nullptr);
}

void head(Inference& rec, View logits, View x, const LlamaWeights& w, const LlamaConfig& c, const Batch& b, const ForwardTaps* taps) {
  if (b.wanted.empty()) return;
  const auto frame = rec.frame();
  const int64_t W = int64_t(b.wanted.size());
  const Activations xn = make_activations(rec, W, c.hidden, {&w.lm_head});
  rec.stage(W, [&](int64_t i) {
    rec.kernels().rms_norm(xn.x.row(i), x.row(b.wanted[size_t(i)]), w.final_norm, c.hidden, c.norm_eps);
    finish_row(rec.kernels(), xn, i);
  });
  if (taps) tap(rec, taps->final_norm, xn.x);
  linear(rec, xn, {{logits, &w.lm_head}});
}

}  // namespace

template <class Rec>
void Llama::forward(Rec& rec, const Batch& b, View logits, const ForwardTaps* taps) const {
  const View x = rec.make(int64_t(b.rows.size()), config.hidden);  // the residual stream
  const RopeTable rope = rope_table(rec, b, config.inverse_frequency);
  embed(rec, x, weights.embedding, b);
  if (taps) tap(rec, taps->embedded, x);
  for (int64_t l = 0; l < config.layers; ++l) layer(rec, b, x, l, rope, taps);
  if (taps) tap(rec, taps->last_hidden, x);
  head(rec, logits, x, weights, config, b, taps);
}

// One layer, re-runnable alone. Source: Hugging Face modeling_llama.py and modeling_llama4.py.
template <class Rec>
void Llama::layer(Rec& rec, const Batch& b, View x, int64_t l, const RopeTable& rope, const ForwardTaps* taps) const {
  const auto frame = rec.frame();  // scratch dies with the layer
  const LlamaLayer& L = weights.layers[size_t(l)];
  const View q = rec.make(x.dims[0], config.heads * config.head_dim);
  attn_in(rec, q, b, x, config, L, l, rope);
  attend_out(rec, x, q, b, config, L, l);
  const int64_t tap_offset = l * x.dims[0] * x.dims[1];
  if (taps && taps->after_attention) tap(rec, taps->after_attention + tap_offset, x);
  if (config.is_moe[size_t(l)]) {
    int64_t moe_index = 0;
    for (int64_t i = 0; i < l; ++i) moe_index += config.is_moe[size_t(i)];
    moe_add(rec, x, config, L, moe_index, weights.mapped, taps);
  } else {
    swiglu_add(rec, x, config, L);
  }
  if (taps && taps->hidden) tap(rec, taps->hidden + tap_offset, x);
}

template void Llama::forward<Inference>(Inference&, const Batch&, View, const ForwardTaps*) const;

}  // namespace puna
