// sequence_rows.h -- what a sequence recommender does to each row, with the gradients: plain layer norm, SiLU, HSTU's
// gated norm, bias, ReLU,
// residual sums, unit length.    T rows of D values; y is another value than x.
#pragma once
#include "ops/dropout.h"
#include "ops/row_blocks.h"
#include "ops/tape.h"

namespace puna {

// y = (x - mean) / sqrt(variance + eps)
void plain_norm_backward(Tape& rec, View dx, View dy, View x, float eps);
template <class Rec>
void plain_norm(Rec& rec, View y, View x, float eps) {
  for_rows(rec, x.dims[0],
           [&](int64_t t) { rec.kernels().layer_norm(y.row(t), x.row(t), nullptr, nullptr, x.dims[1], eps); });
  if constexpr (Rec::records)
    rec.on_backward([=, &rec] {
      const View dx = rec.gradient(x), dy = rec.gradient(y);
      plain_norm_backward(rec, dx, dy, x, eps);
    });
}

// y = x sigmoid(x)
template <class Rec>
void silu(Rec& rec, View y, View x) {
  for_rows(rec, x.dims[0], [&](int64_t t) { rec.kernels().silu(y.row(t), x.row(t), x.dims[1]); });
  if constexpr (Rec::records)
    rec.on_backward([=, &rec] {
      const View dx = rec.gradient(x), dy = rec.gradient(y);
      for_rows(rec, x.dims[0],
               [&](int64_t t) { rec.kernels().silu_backward(dx.row(t), dy.row(t), x.row(t), x.dims[1]); });
    });
}

// y = dropout(u * plain_norm(a)), u the first columns of `gates`.   a: [T,D], gates: [T, D or more]
void gated_norm_backward(Tape& rec, View dgates, View da, View dy, View gates, View a, float eps,
                         const Dropout& dropout);
void gated_norm_rows(Inference& rec, View y, View gates, View a, float eps, const Dropout& dropout);
template <class Rec>
void gated_norm(Rec& rec, View y, View gates, View a, float eps, const Dropout& dropout) {
  gated_norm_rows(rec, y, gates, a, eps, dropout);
  if constexpr (Rec::records)
    rec.on_backward([=, &rec] {
      const View dgates = rec.gradient(gates), da = rec.gradient(a), dy = rec.gradient(y);
      gated_norm_backward(rec, dgates, da, dy, gates, a, eps, dropout);
    });
}

// y = x + bias, or the bias alone where there is no x: what a linear layer then adds to.   bias: [D]
void add_column_sums(Tape& rec, float* to, View dy);
void add_rows(Inference& rec, View to, View from);
template <class Rec>
void biased(Rec& rec, View y, View x, const float* bias) {
  const int64_t D = y.dims[1];
  const bool sum = x.rank != 0;
  for_rows(rec, y.dims[0], [&](int64_t t) {
    memcpy(y.row(t), bias, size_t(D) * 4);
    if (sum) rec.kernels().add(y.row(t), x.row(t), D);
  });
  if constexpr (Rec::records)
    rec.on_backward([=, &rec] {
      const View dy = rec.gradient(y);
      if (sum) add_rows(rec, rec.gradient(x), dy);
      if (float* const db = rec.parameter_gradient(bias)) add_column_sums(rec, db, dy);
    });
}

// y = dropout(max(x, 0))
void relu_backward(Tape& rec, View dx, View dy, View y, const Dropout& dropout);
void relu_rows(Inference& rec, View y, View x, const Dropout& dropout);
template <class Rec>
void relu(Rec& rec, View y, View x, const Dropout& dropout) {
  relu_rows(rec, y, x, dropout);
  if constexpr (Rec::records)
    rec.on_backward([=, &rec] {
      const View dx = rec.gradient(x), dy = rec.gradient(y);
      relu_backward(rec, dx, dy, y, dropout);
    });
}

// y = x + dropout(z)
void residual_backward(Tape& rec, View dx, View dz, View dy, const Dropout& dropout);
void residual_rows(Inference& rec, View y, View x, View z, const Dropout& dropout);
template <class Rec>
void residual(Rec& rec, View y, View x, View z, const Dropout& dropout) {
  residual_rows(rec, y, x, z, dropout);
  if constexpr (Rec::records)
    rec.on_backward([=, &rec] {
      const View dx = rec.gradient(x), dz = rec.gradient(z), dy = rec.gradient(y);
      residual_backward(rec, dx, dz, dy, dropout);
    });
}

// y = x / max(|x|, eps); on plain rows, for tables as well.
void unit_row(const KernelTable& k, float* y, const float* x, int64_t D, float eps) noexcept;
// dx += ...
void unit_row_backward(const KernelTable& k, float* dx, const float* dy, const float* x, int64_t D, float eps) noexcept;
template <class Rec>
void unit_rows(Rec& rec, View y, View x, float eps) {
  for_rows(rec, x.dims[0], [&](int64_t t) { unit_row(rec.kernels(), y.row(t), x.row(t), x.dims[1], eps); });
  if constexpr (Rec::records)
    rec.on_backward([=, &rec] {
      const View dx = rec.gradient(x), dy = rec.gradient(y);
      for_rows(rec, x.dims[0],
               [&](int64_t t) { unit_row_backward(rec.kernels(), dx.row(t), dy.row(t), x.row(t), x.dims[1], eps); });
    });
}

}  // namespace puna
