// rows.h -- stages over rows: normalise and quantise, SwiGLU.
#pragma once
#include "ops/linear.h"

namespace puna {

// a = rms_norm(x) * w, quantised when a has the form.   x: [T,D], w: f32 [D]
inline void norm_rows(Inference& rec, const Activations& a, View x, const float* w, float eps) {
  const KernelTable& k = rec.kernels();
  rec.stage(a.rows(), [&](int64_t t) {
    k.rms_norm(a.x.row(t), x.row(t), w, x.dims[1], eps);
    finish_row(k, a, t);
  });
}

inline void quantise_rows(Inference& rec, const Activations& a) {
  if (a.q) rec.stage(a.rows(), [&](int64_t t) { finish_row(rec.kernels(), a, t); });
}

inline void swiglu_rows(Inference& rec, const Activations& a, View gate, View up) {
  const KernelTable& k = rec.kernels();
  rec.stage(a.rows(), [&](int64_t t) {
    k.swiglu(a.x.row(t), gate.row(t), up.row(t), gate.dims[1]);
    finish_row(k, a, t);
  });
}

}  // namespace puna
