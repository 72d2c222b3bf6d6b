// rows.h -- stages over rows, each with its gradient: normalise and quantise, SwiGLU, and both with the linear layers
// that alone read them.
#pragma once
#include <vector>

#include "ops/linear.h"
#include "puna/tensor/gated.h"

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

// What normalises a block's input: w [D]; without it (OLMo 2) the input is taken as it is.
inline void norm_row(const KernelTable& k, float* y, const float* x, const float* w, int64_t D, float eps) {
  if (w)
    k.rms_norm(y, x, w, D, eps);
  else
    memcpy(y, x, size_t(D) * 4);
}

// y = (rms_norm(x) * w) W^T for each product, or x W^T without w. The normalised rows are scratch: their gradient makes
// them again.
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
    rec.stage(x.dims[0], [&](int64_t t) {
      norm_row(rec.kernels(), xn.x.row(t), x.row(t), w, x.dims[1], eps);
      finish_row(rec.kernels(), xn, t);
    });
    linear_forward(rec, xn, products, false);
  }
  if constexpr (Rec::records)
    rec.on_backward([&rec, n = NormLinear{x, before, w, eps, products}] { norm_linear_backward(rec, n); });
}

// f(gate, up) of one row, and its gradient, which adds.
void glu_row(const KernelTable& k, const Glu& glu, float* y, const float* gate, const float* up, int64_t n);
void glu_row_backward(const KernelTable& k, const Glu& glu, float* dgate, float* dup, const float* dy,
                      const float* gate, const float* up, int64_t n);

// y = f(gate, up) W^T, or y +=. The factor is scratch here too.
struct GluLinear {
  View y, gate, up;
  Glu glu;
  bool add;
};
void glu_linear_forward(Inference& rec, const GluLinear& g, const Weight& w);
void glu_linear_backward(Tape& rec, const GluLinear& g, const Weight& w);

template <class Rec>
void glu_linear(Rec& rec, const GluLinear& g, const Weight& w) {
  glu_linear_forward(rec, g, w);
  if constexpr (Rec::records) rec.on_backward([&rec, g, &w] { glu_linear_backward(rec, g, w); });
}

// x += (silu(gate) * up) W^T
template <class Rec>
void swiglu_linear(Rec& rec, View x, View gate, View up, const Weight& w) {
  glu_linear(rec, {x, gate, up, {}, true}, w);
}

// y[t] += b.   b: f32 [D] or NULL. db += the column sums of dy.
void bias_backward(Tape& rec, View dy, const float* b);
template <class Rec>
void add_bias(Rec& rec, View y, const float* b) {
  if (!b) return;
  rec.stage(y.dims[0], [&](int64_t t) { rec.kernels().add(y.row(t), b, y.dims[1]); });
  if constexpr (Rec::records) rec.on_backward([&rec, y, b] { bias_backward(rec, rec.gradient(y), b); });
}

// How a block's output y joins the residual stream: x += scale * y, y normalised before where w is there.
struct BlockOutput {
  const float* w;  // [D] or NULL
  float eps, scale;
};
void add_block_backward(Tape& rec, View x, View y, const BlockOutput& how);
template <class Rec>
void add_block(Rec& rec, View x, View y, const BlockOutput& how) {
  const KernelTable& k = rec.kernels();
  const int64_t R = y.dims[0], D = y.dims[1];
  const auto frame = static_cast<Inference&>(rec).frame();
  const View made = how.w ? rec.make(R, D) : y;  // y itself stays for the gradient
  rec.stage(R, [&](int64_t t) {
    if (how.w) k.rms_norm(made.row(t), y.row(t), how.w, D, how.eps);
    k.add_scaled(x.row(t), made.row(t), how.scale, D);
  });
  if constexpr (Rec::records) rec.on_backward([&rec, x, y, how] { add_block_backward(rec, x, y, how); });
}

// The gradient of rows normalised in place: d becomes that of the rows before, dw is added to. `before`: those rows.
void norm_in_place_backward(Tape& rec, View d, View before, const float* w, float eps);

// x *= scale, in place.
template <class Rec>
void scale_rows(Rec& rec, View x, float scale) {
  if (scale == 1) return;
  const auto run = [&rec, scale](View v) {
    rec.stage(v.dims[0], [&](int64_t t) { rec.kernels().scale(v.row(t), v.row(t), scale, v.dims[1]); });
  };
  run(x);
  if constexpr (Rec::records) rec.on_backward([&rec, run, x] { run(rec.gradient(x)); });
}

// x = cap tanh(x / cap), in place; cap 0: as it is.
template <class Rec>
void softcap_rows(Rec& rec, View x, float cap) {
  if (cap == 0) return;
  rec.stage(x.dims[0], [&](int64_t t) { rec.kernels().softcap(x.row(t), x.row(t), cap, x.dims[1]); });
  if constexpr (Rec::records)
    rec.on_backward([&rec, x, cap] {
      const View dx = rec.gradient(x);
      rec.stage(x.dims[0], [&](int64_t t) { rec.kernels().softcap_backward(dx.row(t), x.row(t), cap, x.dims[1]); });
    });
}

}  // namespace puna
