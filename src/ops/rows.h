// rows.h -- stages over rows, each with its gradient: normalise and quantise, SwiGLU.
#pragma once
#include "ops/linear.h"

namespace puna {

// dx[row(i)] += gradient of rms_norm at x[i], dw likewise.   x: the normalised rows as they were, [T,D]; rows: see norm_rows
void norm_backward(Tape& rec, View dx, View dy, View x, const float* w, float eps, const int64_t* rows);
void swiglu_backward(Tape& rec, View dgate, View dup, View dy, View gate, View up);

// a[i] = rms_norm(x[rows[i]]) * w, quantised when a has the form. Without `rows` (ascending, each once; borrowed by a Tape): x[i].
// x: [.,D], w: f32 [D]
template <class Rec>
void norm_rows(Rec& rec, const Activations& a, View x, const float* w, float eps, const int64_t* rows = nullptr) {
  const KernelTable& k = rec.kernels();
  const auto from = [=](int64_t i) { return x.row(rows ? rows[i] : i); };
  rec.stage(a.rows(), [&](int64_t t) {
    k.rms_norm(a.x.row(t), from(t), w, x.dims[1], eps);
    finish_row(k, a, t);
  });
  if constexpr (Rec::records) {
    const View before = rec.make(a.rows(), x.dims[1]);  // x is the residual stream: later layers change it
    rec.stage(a.rows(), [&](int64_t t) { memcpy(before.row(t), from(t), size_t(x.dims[1]) * 4); });
    rec.on_backward([&rec, x, y = a.x, before, w, eps, rows] {
      const View dx = rec.gradient(x), dy = rec.gradient(y);
      norm_backward(rec, dx, dy, before, w, eps, rows);
    });
  }
}

inline void quantise_rows(Inference& rec, const Activations& a) {
  if (a.q) rec.stage(a.rows(), [&](int64_t t) { finish_row(rec.kernels(), a, t); });
}

// a = silu(gate) * up
template <class Rec>
void swiglu_rows(Rec& rec, const Activations& a, View gate, View up) {
  const KernelTable& k = rec.kernels();
  rec.stage(a.rows(), [&](int64_t t) {
    k.swiglu(a.x.row(t), gate.row(t), up.row(t), gate.dims[1]);
    finish_row(k, a, t);
  });
  if constexpr (Rec::records)
    rec.on_backward([&rec, gate, up, y = a.x] {
      const View dgate = rec.gradient(gate), dup = rec.gradient(up), dy = rec.gradient(y);
      swiglu_backward(rec, dgate, dup, dy, gate, up);
    });
}

}  // namespace puna
