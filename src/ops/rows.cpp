#include "ops/rows.h"

#include <algorithm>

namespace puna {

void norm_backward(Tape& rec, View dx, View dy, View x, const float* w, float eps, const int64_t* rows) {
  constexpr int64_t kColumns = 64;  // of dw, a tile: each adds up all rows in ascending order
  const auto scratch = rec.scratch();
  const KernelTable& k = rec.kernels();
  const int64_t T = x.dims[0], D = x.dims[1];
  float* const scale = rec.take<float>(T);
  rec.stage(T, [&](int64_t t) {
    scale[t] = k.rms_norm_backward(
        {.dx = dx.row(rows ? rows[t] : t), .dy = dy.row(t), .x = x.row(t), .w = w, .D = D, .eps = eps, .add_to = true});
  });
  float* const dw = rec.parameter_gradient(w);
  if (!dw) return;
  rec.stage((D + kColumns - 1) / kColumns, [&](int64_t tile) {
    const int64_t d = tile * kColumns, n = std::min(kColumns, D - d);
    for (int64_t t = 0; t < T; ++t) k.add_product(dw + d, dy.row(t) + d, x.row(t) + d, scale[t], n);
  });
}

namespace {

// A frozen weight's gradient does not read what it was multiplied with.
bool reads_input(const Tape& rec, const Weight& w) { return rec.parameter_gradient(w.panels) || rec.lora_of(w); }

}  // namespace

void norm_linear_backward(Tape& rec, const NormLinear& n) {
  const View dx = rec.gradient(n.x);
  for (const Product& p : n.products) rec.gradient(p.y);
  const auto scratch = rec.scratch();
  const int64_t R = n.x.dims[0], D = n.x.dims[1];
  const View xn = rec.make(R, D), dxn = rec.make_zero(R, D);
  const auto reads = [&](const Product& p) { return reads_input(rec, *p.w); };
  if (std::any_of(n.products.begin(), n.products.end(), reads))
    rec.stage(R, [&](int64_t t) { norm_row(rec.kernels(), xn.row(t), n.before.row(t), n.w, D, n.eps); });
  for (const Product& p : n.products) linear_backward(rec, dxn, rec.gradient(p.y), xn, *p.w);
  if (n.w)
    norm_backward(rec, dx, dxn, n.before, n.w, n.eps, nullptr);
  else
    rec.stage(R, [&](int64_t t) { rec.kernels().add(dx.row(t), dxn.row(t), D); });
}

void glu_row(const KernelTable& k, const Glu& glu, float* y, const float* gate, const float* up, int64_t n) {
  switch (glu.kind) {
    case Glu::Kind::silu: return k.swiglu(y, gate, up, n);
    case Glu::Kind::gelu: return k.geglu(y, gate, up, n);
    case Glu::Kind::clamped: return k.clamped_swiglu(y, gate, up, n, glu.limit, glu.alpha);
  }
}

void glu_row_backward(const KernelTable& k, const Glu& glu, float* dgate, float* dup, const float* dy,
                      const float* gate, const float* up, int64_t n) {
  switch (glu.kind) {
    case Glu::Kind::silu: return k.swiglu_backward(dgate, dup, dy, gate, up, n);
    case Glu::Kind::gelu: return k.geglu_backward(dgate, dup, dy, gate, up, n);
    case Glu::Kind::clamped: return k.clamped_swiglu_backward(dgate, dup, dy, gate, up, n, glu.limit, glu.alpha);
  }
}

void glu_linear_forward(Inference& rec, const GluLinear& g, const Weight& w) {
  const auto scratch = rec.frame();
  const Activations h = make_activations(rec, g.gate.dims[0], g.gate.dims[1], {&w});
  rec.stage(h.rows(), [&](int64_t t) {
    glu_row(rec.kernels(), g.glu, h.x.row(t), g.gate.row(t), g.up.row(t), g.gate.dims[1]);
    finish_row(rec.kernels(), h, t);
  });
  linear_forward(rec, h, {{g.y, &w, g.add}}, false);
}

void glu_linear_backward(Tape& rec, const GluLinear& g, const Weight& w) {
  const View dgate = rec.gradient(g.gate), dup = rec.gradient(g.up), dy = rec.gradient(g.y);
  const auto scratch = rec.scratch();
  const KernelTable& k = rec.kernels();
  const int64_t R = g.gate.dims[0], F = g.gate.dims[1];
  const View h = rec.make(R, F), dh = rec.make_zero(R, F);
  if (reads_input(rec, w)) rec.stage(R, [&](int64_t t) { glu_row(k, g.glu, h.row(t), g.gate.row(t), g.up.row(t), F); });
  linear_backward(rec, dh, dy, h, w);
  rec.stage(R, [&](int64_t t) {
    glu_row_backward(k, g.glu, dgate.row(t), dup.row(t), dh.row(t), g.gate.row(t), g.up.row(t), F);
  });
}

void bias_backward(Tape& rec, View dy, const float* b) {
  float* const db = b ? rec.parameter_gradient(b) : nullptr;
  if (!db) return;
  constexpr int64_t kColumns = 64;  // a tile: all rows in ascending order
  const int64_t D = dy.dims[1];
  rec.stage((D + kColumns - 1) / kColumns, [&](int64_t tile) {
    const int64_t d = tile * kColumns, n = std::min(kColumns, D - d);
    for (int64_t t = 0; t < dy.dims[0]; ++t) rec.kernels().add(db + d, dy.row(t) + d, n);
  });
}

void add_block_backward(Tape& rec, View x, View y, const BlockOutput& how) {
  const View dx = rec.gradient(x), dy = rec.gradient(y);
  const auto scratch = rec.scratch();
  const KernelTable& k = rec.kernels();
  const int64_t R = y.dims[0], D = y.dims[1];
  if (!how.w) return rec.stage(R, [&](int64_t t) { k.add_scaled(dy.row(t), dx.row(t), how.scale, D); });
  const View scaled = rec.make(R, D);
  rec.stage(R, [&](int64_t t) { k.scale(scaled.row(t), dx.row(t), how.scale, D); });
  norm_backward(rec, dy, scaled, y, how.w, how.eps, nullptr);
}

void norm_in_place_backward(Tape& rec, View d, View before, const float* w, float eps) {
  const auto scratch = rec.scratch();
  const View dy = rec.make(d.dims[0], d.dims[1]);
  rec.stage(d.dims[0], [&](int64_t t) {
    memcpy(dy.row(t), d.row(t), size_t(d.dims[1]) * 4);
    std::fill(d.row(t), d.row(t) + d.dims[1], 0.0f);
  });
  norm_backward(rec, d, dy, before, w, eps, nullptr);
}

}  // namespace puna
