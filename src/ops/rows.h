// rows.h -- stages over rows, each with its gradient: normalise and quantise, SwiGLU, and both with the linear layers
// that alone read them.
#pragma once
#include <vector>

#include "ops/linear.h"

namespace puna {

// dx[row(i)] += gradient of rms_norm at x[i], dw likewise.   x: the normalised rows as they were, [T,D]; rows: see
// norm_rows
void norm_backward(Tape& rec, View dx, View dy, View x, const float* w, float eps, const int64_t* rows);

// a[i] = rms_norm(x[rows[i]]) * w, quantised when a has the form. Without `rows` (ascending, each once; borrowed by a
// Tape): x[i]. x: [.,D], w: f32 [D]
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

// y = (rms_norm(x) * w) W^T for each product. The normalised rows are scratch: their gradient makes them again.
struct NormLinear {
  View x, before;  // the residual stream, which later layers change, and as it was
  const float* w;
  float eps;
  std::vector<Product> products;
};
void norm_linear_backward(Tape& rec, const NormLinear& n);

template <class Rec>
void norm_linear(Rec& rec, View x, const float* w, float eps, std::initializer_list<Product> products) {
  View before;
  if constexpr (Rec::records) before = rec.copy(x);
  {
    const auto scratch = static_cast<Inference&>(rec).frame();
    const Weight* reader = products.begin()->w;
    for (const Product& p : products)
      if (uses_quantised(rec, *p.w)) reader = p.w;
    const Activations xn = make_activations(rec, x.dims[0], x.dims[1], {reader});
    norm_rows(static_cast<Inference&>(rec), xn, x, w, eps);
    linear_forward(rec, xn, products, false);
  }
  if constexpr (Rec::records)
    rec.on_backward([&rec, n = NormLinear{x, before, w, eps, products}] { norm_linear_backward(rec, n); });
}

// x += (silu(gate) * up) W^T. The factor is scratch here too.
void swiglu_linear_forward(Inference& rec, View x, View gate, View up, const Weight& w);
void swiglu_linear_backward(Tape& rec, View x, View gate, View up, const Weight& w);

template <class Rec>
void swiglu_linear(Rec& rec, View x, View gate, View up, const Weight& w) {
  swiglu_linear_forward(rec, x, gate, up, w);
  if constexpr (Rec::records) rec.on_backward([&rec, x, gate, up, &w] { swiglu_linear_backward(rec, x, gate, up, w); });
}

}  // namespace puna
