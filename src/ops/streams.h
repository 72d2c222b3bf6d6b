// streams.h -- stages of models with several residual streams (AltUp, arXiv:2301.13310) and of what came with them in
// Gemma 3n, each with its gradient. Streams are blocks of rows one below the other, [S * R, D]; a tape knows their
// gradients as parts of one (Tape::gradient_in_parts).
// Source: Hugging Face modeling_gemma3n.py.
#pragma once
#include "ops/rows.h"

namespace puna {

inline View stream_of(View streams, int64_t i, int64_t count) noexcept {
  const int64_t R = streams.dims[0] / count;
  return slice(streams, i * R, R, streams.dims[1]);
}

// y = x, or its columns from `first` on.
void copy_rows_backward(Tape& rec, View y, View x, int64_t first);
template <class Rec>
void copy_rows(Rec& rec, View y, View x, int64_t first = 0) {
  rec.stage(y.dims[0], [&](int64_t t) { memcpy(y.row(t), x.row(t) + first, size_t(y.dims[1]) * 4); });
  if constexpr (Rec::records) rec.on_backward([&rec, y, x, first] { copy_rows_backward(rec, y, x, first); });
}

// y = w x, column by column.   w: f32 [D]
void scale_columns_backward(Tape& rec, View y, View x, View before, const float* w);
template <class Rec>
void scale_columns(Rec& rec, View y, View x, const float* w) {
  const int64_t D = y.dims[1];
  rec.stage(y.dims[0], [&](int64_t t) {
    memset(y.row(t), 0, size_t(D) * 4);
    rec.kernels().add_product(y.row(t), x.row(t), w, 1.0f, D);
  });
  if constexpr (Rec::records) {
    const View before = rec.copy(x);
    rec.on_backward([&rec, y, x, before, w] { scale_columns_backward(rec, y, x, before, w); });
  }
}

// y becomes as long as `like`, row by row:  y *= rms(like) / sqrt(max(mean(y^2), kLeastSquare))
inline constexpr float kLeastSquare = 1e-5f;
struct Rescaled {
  View y, like, before, like_before;  // the last two on a Tape
  float* lengths = nullptr;           // [T,2] of like and y before
};
void rescale_rows_forward(Inference& rec, const Rescaled& r);
void rescale_rows_backward(Tape& rec, const Rescaled& r);
template <class Rec>
void rescale_rows(Rec& rec, View y, View like) {
  Rescaled r{y, like, {}, {}, rec.template take<float>(2 * y.dims[0])};
  if constexpr (Rec::records) {
    r.before = rec.copy(y);
    r.like_before = rec.copy(like);
  }
  rescale_rows_forward(rec, r);
  if constexpr (Rec::records) rec.on_backward([&rec, r] { rescale_rows_backward(rec, r); });
}

// x = relu(x - (mean(x) + sparsity deviation(x))), row by row, in place: of normally distributed values, a known part
// stays.
void keep_largest_forward(Inference& rec, View x, float sparsity);
void keep_largest_backward(Tape& rec, View x, View before, float sparsity);
template <class Rec>
void keep_largest(Rec& rec, View x, float sparsity) {
  View before;
  if constexpr (Rec::records) before = rec.copy(x);
  keep_largest_forward(rec, x, sparsity);
  if constexpr (Rec::records)
    rec.on_backward([&rec, x, before, sparsity] { keep_largest_backward(rec, x, before, sparsity); });
}

// What a layer will do to the streams: predicted_o = x_o + sum_i weights[t, o S + i] x_i.   weights [R, S*S]
void predict_streams_forward(Inference& rec, View predicted, View x, View weights);
void predict_streams_backward(Tape& rec, View predicted, View x, View before, View weights);
template <class Rec>
void predict_streams(Rec& rec, View predicted, View x, View weights) {
  predict_streams_forward(rec, predicted, x, weights);
  if constexpr (Rec::records) {
    const View before = rec.copy(x);
    rec.on_backward(
        [&rec, predicted, x, before, weights] { predict_streams_backward(rec, predicted, x, before, weights); });
  }
}

// What the layer did, y, to all of them: x_o = predicted_o + (1 + weights[t, o]) (y - predicted_0).   weights [R, S]
struct Corrected {
  View x, predicted, y, weights, difference;  // difference: [R,D], y - predicted_0
};
void correct_streams_forward(Inference& rec, const Corrected& c);
void correct_streams_backward(Tape& rec, const Corrected& c);
template <class Rec>
void correct_streams(Rec& rec, View x, View predicted, View y, View weights) {
  const Corrected c{x, predicted, y, weights, rec.make(y.dims[0], y.dims[1])};
  correct_streams_forward(rec, c);
  if constexpr (Rec::records) rec.on_backward([&rec, c] { correct_streams_backward(rec, c); });
}

}  // namespace puna
