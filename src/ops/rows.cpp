#include "ops/rows.h"

#include <algorithm>

namespace puna {

void norm_backward(Tape& rec, View dx, View dy, View x, const float* w, float eps, const int64_t* rows) {
  constexpr int64_t kColumns = 64;  // of dw, a tile: each adds up all rows in ascending order
  const auto scratch = rec.scratch();
  const KernelTable& k = rec.kernels();
  const int64_t T = x.dims[0], D = x.dims[1];
  float* const scale = rec.take<float>(T);
  rec.stage(T, [&](int64_t t) { scale[t] = k.rms_norm_backward(dx.row(rows ? rows[t] : t), dy.row(t), x.row(t), w, D, eps, true); });
  float* const dw = rec.parameter_gradient(w);
  if (!dw) return;
  rec.stage((D + kColumns - 1) / kColumns, [&](int64_t tile) {
    const int64_t d = tile * kColumns, n = std::min(kColumns, D - d);
    for (int64_t t = 0; t < T; ++t) k.add_product(dw + d, dy.row(t) + d, x.row(t) + d, scale[t], n);
  });
}

void swiglu_backward(Tape& rec, View dgate, View dup, View dy, View gate, View up) {
  rec.stage(dy.dims[0], [&](int64_t t) {
    rec.kernels().swiglu_backward(dgate.row(t), dup.row(t), dy.row(t), gate.row(t), up.row(t), dy.dims[1]);
  });
}

}  // namespace puna
