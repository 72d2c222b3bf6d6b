// rows.h -- stages over rows: normalise and quantise, SwiGLU, and attention over pages.
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

// What one row attends to: positions [low, high) of its pages, low a multiple of the page size.
struct AttendRange {
  KvPages pages;
  int64_t low, high;
};

// out[t, h] = attention of query head h over its KV head.   q, out: [T, heads*head_dim]; range(t) is asked in the tile.
template <class Range>
void attend(Inference& rec, View out, View q, int64_t kv_heads, int64_t head_dim, float scale, bool f16, Range&& range) {
  const auto kernel = f16 ? rec.kernels().attend_f16 : rec.kernels().attend_f32;
  const int64_t heads = q.dims[1] / head_dim, grouped = heads / kv_heads;
  rec.stage(q.dims[0] * kv_heads, [&](int64_t tile) {
    const int64_t t = tile / kv_heads, kv_head = tile % kv_heads;
    AttendRange r = range(t);
    r.pages.head_offset = kv_head * r.pages.page_size * head_dim;
    for (int64_t h = kv_head * grouped; h < (kv_head + 1) * grouped; ++h)
      kernel(out.row(t) + h * head_dim, q.row(t) + h * head_dim, head_dim, scale, r.pages, r.low, r.high);
  });
}

}  // namespace puna
