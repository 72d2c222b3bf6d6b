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
    rec.stage(R, [&](int64_t t) { rec.kernels().rms_norm(xn.row(t), n.before.row(t), n.w, D, n.eps); });
  for (const Product& p : n.products) linear_backward(rec, dxn, rec.gradient(p.y), xn, *p.w);
  norm_backward(rec, dx, dxn, n.before, n.w, n.eps, nullptr);
}

void swiglu_linear_forward(Inference& rec, View x, View gate, View up, const Weight& w) {
  const auto scratch = rec.frame();
  const Activations h = make_activations(rec, gate.dims[0], gate.dims[1], {&w});
  rec.stage(h.rows(), [&](int64_t t) {
    rec.kernels().swiglu(h.x.row(t), gate.row(t), up.row(t), gate.dims[1]);
    finish_row(rec.kernels(), h, t);
  });
  linear_forward(rec, h, {{x, &w, true}}, false);
}

void swiglu_linear_backward(Tape& rec, View x, View gate, View up, const Weight& w) {
  const View dgate = rec.gradient(gate), dup = rec.gradient(up), dy = rec.gradient(x);
  const auto scratch = rec.scratch();
  const KernelTable& k = rec.kernels();
  const int64_t R = gate.dims[0], F = gate.dims[1];
  const View h = rec.make(R, F), dh = rec.make_zero(R, F);
  if (reads_input(rec, w)) rec.stage(R, [&](int64_t t) { k.swiglu(h.row(t), gate.row(t), up.row(t), F); });
  linear_backward(rec, dh, dy, h, w);
  rec.stage(R, [&](int64_t t) { k.swiglu_backward(dgate.row(t), dup.row(t), dh.row(t), gate.row(t), up.row(t), F); });
}

}  // namespace puna
