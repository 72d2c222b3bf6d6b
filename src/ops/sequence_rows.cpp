#include "ops/sequence_rows.h"

#include <cmath>

namespace puna {

void plain_norm_backward(Tape& rec, View dx, View dy, View x, float eps) {
  for_rows(rec, x.dims[0],
           [&](int64_t t) { rec.kernels().layer_norm_backward(dx.row(t), dy.row(t), x.row(t), x.dims[1], eps); });
}

void gated_norm_rows(Inference& rec, View y, View gates, View a, float eps, const Dropout& dropout) {
  const int64_t D = a.dims[1];
  for_rows(rec, a.dims[0], [&](int64_t t) {
    float* const to = y.row(t);
    const float* const u = gates.row(t);
    rec.kernels().layer_norm(to, a.row(t), nullptr, nullptr, D, eps);
    for (int64_t d = 0; d < D; ++d) to[d] *= u[d];
    dropout.apply(to, t, D);
  });
}

void gated_norm_backward(Tape& rec, View dgates, View da, View dy, View gates, View a, float eps,
                         const Dropout& dropout) {
  const auto scratch = rec.scratch();
  const int64_t T = a.dims[0], D = a.dims[1], blocks = (T + kRowBlock - 1) / kRowBlock;
  const View norms = rec.make(blocks, D), passed = rec.make(blocks, D);  // one row of each a tile
  for_rows(rec, T, [&](int64_t t) {
    float *const n = norms.row(t / kRowBlock), *const g = passed.row(t / kRowBlock), *const du = dgates.row(t);
    const float* const u = gates.row(t);
    rec.kernels().layer_norm(n, a.row(t), nullptr, nullptr, D, eps);
    memcpy(g, dy.row(t), size_t(D) * 4);
    dropout.apply(g, t, D);
    for (int64_t d = 0; d < D; ++d) {
      du[d] += g[d] * n[d];
      g[d] *= u[d];
    }
    rec.kernels().layer_norm_backward(da.row(t), g, a.row(t), D, eps);
  });
}

void add_column_sums(Tape& rec, float* to, View dy) {
  rec.stage(1, [&](int64_t) {
    for (int64_t t = 0; t < dy.dims[0]; ++t) rec.kernels().add(to, dy.row(t), dy.dims[1]);
  });
}

void add_rows(Inference& rec, View to, View from) {
  for_rows(rec, to.dims[0], [&](int64_t t) { rec.kernels().add(to.row(t), from.row(t), to.dims[1]); });
}

void relu_rows(Inference& rec, View y, View x, const Dropout& dropout) {
  const int64_t D = x.dims[1];
  for_rows(rec, x.dims[0], [&](int64_t t) {
    for (int64_t d = 0; d < D; ++d) y.row(t)[d] = x.row(t)[d] > 0.0f ? x.row(t)[d] : 0.0f;
    dropout.apply(y.row(t), t, D);
  });
}

void relu_backward(Tape& rec, View dx, View dy, View y, const Dropout& dropout) {
  const float scale = dropout ? dropout.scale() : 1.0f;
  for_rows(rec, y.dims[0], [&](int64_t t) {  // y is above zero where x was and was kept
    for (int64_t d = 0; d < y.dims[1]; ++d) dx.row(t)[d] += y.row(t)[d] > 0.0f ? dy.row(t)[d] * scale : 0.0f;
  });
}

void residual_rows(Inference& rec, View y, View x, View z, const Dropout& dropout) {
  const int64_t D = x.dims[1];
  for_rows(rec, x.dims[0], [&](int64_t t) {
    memcpy(y.row(t), z.row(t), size_t(D) * 4);
    dropout.apply(y.row(t), t, D);
    rec.kernels().add(y.row(t), x.row(t), D);
  });
}

void residual_backward(Tape& rec, View dx, View dz, View dy, const Dropout& dropout) {
  const auto scratch = rec.scratch();
  const int64_t T = dy.dims[0], D = dy.dims[1];
  const View passed = rec.make((T + kRowBlock - 1) / kRowBlock, D);
  for_rows(rec, T, [&](int64_t t) {
    float* const g = passed.row(t / kRowBlock);
    rec.kernels().add(dx.row(t), dy.row(t), D);
    memcpy(g, dy.row(t), size_t(D) * 4);
    dropout.apply(g, t, D);
    rec.kernels().add(dz.row(t), g, D);
  });
}

void unit_row(const KernelTable& k, float* y, const float* x, int64_t D, float eps) noexcept {
  const float norm = std::sqrt(k.dot(x, x, D));
  k.scale(y, x, 1.0f / (norm > eps ? norm : eps), D);
}

// dx += (dy - y (y.dy)) / |x|; below eps the length is a constant.
void unit_row_backward(const KernelTable& k, float* dx, const float* dy, const float* x, int64_t D,
                       float eps) noexcept {
  const float square = k.dot(x, x, D), norm = std::sqrt(square);
  k.add_scaled(dx, dy, 1.0f / (norm > eps ? norm : eps), D);
  if (norm > eps) k.add_scaled(dx, x, -k.dot(x, dy, D) / (square * norm), D);
}

}  // namespace puna
