#include "ops/streams.h"

#include <algorithm>
#include <cmath>

namespace puna {

void copy_rows_backward(Tape& rec, View y, View x, int64_t first) {
  const View dx = rec.gradient(x), dy = rec.gradient(y);
  rec.stage(y.dims[0], [&](int64_t t) { rec.kernels().add(dx.row(t) + first, dy.row(t), y.dims[1]); });
}

void scale_columns_backward(Tape& rec, View y, View x, View before, const float* w) {
  constexpr int64_t kColumns = 64;  // of dw, a tile: each adds up all rows in ascending order
  const View dx = rec.gradient(x), dy = rec.gradient(y);
  const KernelTable& k = rec.kernels();
  const int64_t R = y.dims[0], D = y.dims[1];
  rec.stage(R, [&](int64_t t) { k.add_product(dx.row(t), dy.row(t), w, 1.0f, D); });
  float* const dw = rec.parameter_gradient(w);
  if (!dw) return;
  rec.stage((D + kColumns - 1) / kColumns, [&](int64_t tile) {
    const int64_t d = tile * kColumns, n = std::min(kColumns, D - d);
    for (int64_t t = 0; t < R; ++t) k.add_product(dw + d, dy.row(t) + d, before.row(t) + d, 1.0f, n);
  });
}

void rescale_rows_forward(Inference& rec, const Rescaled& r) {
  const KernelTable& k = rec.kernels();
  const int64_t D = r.y.dims[1];
  const auto square = [&](const float* x) { return k.dot(x, x, D) / float(D); };
  rec.stage(r.y.dims[0], [&](int64_t t) {
    float* const lengths = r.lengths + 2 * t;
    lengths[0] = std::sqrt(square(r.like.row(t)));
    lengths[1] = std::sqrt(std::max(square(r.y.row(t)), kLeastSquare));
    k.scale(r.y.row(t), r.y.row(t), lengths[0] / lengths[1], D);
  });
}

// With a = rms(like), b = rms(y) and g = dy . y:   dlike += like g / (D a b)    dy <- dy a / b - y g a / (D b^3),
// the last without its second part where b is the least.
void rescale_rows_backward(Tape& rec, const Rescaled& r) {
  const View dy = rec.gradient(r.y), dlike = rec.gradient(r.like);
  const KernelTable& k = rec.kernels();
  const int64_t D = r.y.dims[1];
  rec.stage(r.y.dims[0], [&](int64_t t) {
    const float a = r.lengths[2 * t], b = r.lengths[2 * t + 1], g = k.dot(dy.row(t), r.before.row(t), D);
    if (a > 0) k.add_scaled(dlike.row(t), r.like_before.row(t), g / (float(D) * a * b), D);
    k.scale(dy.row(t), dy.row(t), a / b, D);
    if (b > std::sqrt(kLeastSquare)) k.add_scaled(dy.row(t), r.before.row(t), -g * a / (float(D) * b * b * b), D);
  });
}

namespace {

// Mean and deviation (of all values, not of a sample) of a row, and the row less its mean in `centred`.
struct Moments {
  float mean, deviation;
};
Moments moments_of(const KernelTable& k, float* centred, const float* x, const float* ones, int64_t n) {
  Moments m;
  m.mean = k.dot(x, ones, n) / float(n);
  k.scale(centred, x, 1.0f, n);
  k.add_scaled(centred, ones, -m.mean, n);
  m.deviation = std::sqrt(k.dot(centred, centred, n) / float(n));
  return m;
}

const float* ones_of(Inference& rec, int64_t n) {
  float* const ones = rec.take<float>(n);
  rec.stage(1, [&](int64_t) { std::fill(ones, ones + n, 1.0f); });
  return ones;
}

}  // namespace

void keep_largest_forward(Inference& rec, View x, float sparsity) {
  const auto frame = rec.frame();
  const KernelTable& k = rec.kernels();
  const int64_t n = x.dims[1];
  const float* const ones = ones_of(rec, n);
  rec.stage(x.dims[0], [&](int64_t t) {
    const Moments m = moments_of(k, x.row(t), x.row(t), ones, n);
    k.add_scaled(x.row(t), ones, -sparsity * m.deviation, n);
    for (float* v = x.row(t); v < x.row(t) + n; ++v) *v = *v > 0 ? *v : 0.0f;
  });
}

// With g = dy where y > 0, else 0, and s its sum:   dx = g - s (1 + sparsity (x - mean) / deviation) / n
void keep_largest_backward(Tape& rec, View x, View before, float sparsity) {
  const View dx = rec.gradient(x);
  const auto scratch = rec.scratch();
  const KernelTable& k = rec.kernels();
  const int64_t R = x.dims[0], n = x.dims[1];
  const float* const ones = ones_of(rec, n);
  const View centred = rec.make(R, n);
  rec.stage(R, [&](int64_t t) {
    const Moments m = moments_of(k, centred.row(t), before.row(t), ones, n);
    for (int64_t i = 0; i < n; ++i)
      if (!(x.row(t)[i] > 0)) dx.row(t)[i] = 0;
    const float sum = k.dot(dx.row(t), ones, n) / float(n);
    k.add_scaled(dx.row(t), ones, -sum, n);
    if (m.deviation > 0) k.add_scaled(dx.row(t), centred.row(t), -sum * sparsity / m.deviation, n);
  });
}

void predict_streams_forward(Inference& rec, View predicted, View x, View weights) {
  const int64_t R = weights.dims[0], S = x.dims[0] / R, D = x.dims[1];
  rec.stage(R, [&](int64_t t) {
    for (int64_t o = 0; o < S; ++o) {
      float* const to = predicted.row(o * R + t);
      memcpy(to, x.row(o * R + t), size_t(D) * 4);
      for (int64_t i = 0; i < S; ++i) rec.kernels().add_scaled(to, x.row(i * R + t), weights.row(t)[o * S + i], D);
    }
  });
}

void predict_streams_backward(Tape& rec, View predicted, View x, View before, View weights) {
  const View dp = rec.gradient(predicted), dx = rec.gradient(x), dw = rec.gradient(weights);
  const KernelTable& k = rec.kernels();
  const int64_t R = weights.dims[0], S = x.dims[0] / R, D = x.dims[1];
  rec.stage(R, [&](int64_t t) {
    for (int64_t i = 0; i < S; ++i) {
      float* const to = dx.row(i * R + t);
      k.add(to, dp.row(i * R + t), D);
      for (int64_t o = 0; o < S; ++o) {
        k.add_scaled(to, dp.row(o * R + t), weights.row(t)[o * S + i], D);
        dw.row(t)[o * S + i] += k.dot(dp.row(o * R + t), before.row(i * R + t), D);
      }
    }
  });
}

void correct_streams_forward(Inference& rec, const Corrected& c) {
  const KernelTable& k = rec.kernels();
  const int64_t R = c.y.dims[0], D = c.y.dims[1], S = c.weights.dims[1];
  rec.stage(R, [&](int64_t t) {
    float* const difference = c.difference.row(t);
    memcpy(difference, c.y.row(t), size_t(D) * 4);
    k.add_scaled(difference, c.predicted.row(t), -1.0f, D);
    for (int64_t o = 0; o < S; ++o) {
      memcpy(c.x.row(o * R + t), c.predicted.row(o * R + t), size_t(D) * 4);
      k.add_scaled(c.x.row(o * R + t), difference, 1.0f + c.weights.row(t)[o], D);
    }
  });
}

// x is written over: its gradient is used up, and what comes before it in the layer adds to zero.
void correct_streams_backward(Tape& rec, const Corrected& c) {
  const View dx = rec.gradient(c.x), dp = rec.gradient(c.predicted), dy = rec.gradient(c.y),
             dw = rec.gradient(c.weights);
  const auto scratch = rec.scratch();
  const KernelTable& k = rec.kernels();
  const int64_t R = c.y.dims[0], D = c.y.dims[1], S = c.weights.dims[1];
  const View sums = rec.make_zero(R, D);
  rec.stage(R, [&](int64_t t) {
    for (int64_t o = 0; o < S; ++o) {
      float* const from = dx.row(o * R + t);
      k.add(dp.row(o * R + t), from, D);
      k.add_scaled(sums.row(t), from, 1.0f + c.weights.row(t)[o], D);
      dw.row(t)[o] += k.dot(from, c.difference.row(t), D);
      memset(from, 0, size_t(D) * 4);
    }
    k.add(dy.row(t), sums.row(t), D);
    k.add_scaled(dp.row(t), sums.row(t), -1.0f, D);
  });
}

}  // namespace puna
