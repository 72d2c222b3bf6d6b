#include "ops/attention.h"

#include <algorithm>

namespace puna {
namespace {

constexpr int64_t kSpan = 1024;          // positions, from the range's low end
constexpr int64_t kMaxAttendRows = 24;   // query heads of a tile: their sums stay in the cache beside a page

bool same_keys(const AttendRange& a, const AttendRange& b) {
  return a.pages.k == b.pages.k && a.pages.v == b.pages.v && a.low == b.low;
}

}  // namespace

void attend(Inference& rec, View out, View q, int64_t kv_heads, int64_t head_dim, float scale, bool f16, FunctionRef<AttendRange(int64_t)> range) {
  const KernelTable& k = rec.kernels();
  const auto kernel = f16 ? k.attend_f16 : k.attend_f32;
  const int64_t R = q.dims[0], heads = q.dims[1] / head_dim, grouped = heads / kv_heads;
  const int64_t block = std::max<int64_t>(1, kMaxAttendRows / grouped), blocks = (R + block - 1) / block;  // batch rows of a tile
  int64_t spans = 1;
  for (int64_t t = 0; t < R; ++t) {
    const AttendRange r = range(t);
    spans = std::max(spans, (r.high - r.low + kSpan - 1) / kSpan);
  }
  // Span 0 goes where the result will be, the later ones beside it.
  float* const states = rec.take<float>(spans * R * heads * 2);
  const View later = rec.make((spans - 1) * R, heads * head_dim);
  const auto out_of = [&](int64_t span, int64_t t, int64_t h) { return (span == 0 ? out.row(t) : later.row((span - 1) * R + t)) + h * head_dim; };
  const auto state_of = [&](int64_t span, int64_t t, int64_t h) { return states + ((span * R + t) * heads + h) * 2; };

  rec.stage(blocks * kv_heads * spans, [&](int64_t tile) {
    const int64_t span = tile % spans, kv_head = tile / spans % kv_heads, t0 = tile / spans / kv_heads * block, t1 = std::min(R, t0 + block);
    AttendRow rows[kMaxAttendRows];
    for (int64_t t = t0; t < t1;) {
      AttendRange r = range(t);
      r.pages.head = kv_head;
      const int64_t low = r.low + span * kSpan;
      int64_t high = r.high;
      int64_t count = 0;
      const auto flush = [&] {
        if (count != 0) kernel(rows, count, head_dim, scale, r.pages, low, std::min(high, low + kSpan));
        count = 0;
      };
      for (; t < t1; ++t) {
        const AttendRange next = range(t);
        if (!same_keys(r, next)) break;
        if (next.high <= low) continue;
        high = next.high;
        for (int64_t h = kv_head * grouped; h < (kv_head + 1) * grouped; ++h) {
          if (count == kMaxAttendRows) flush();
          rows[count++] = {q.row(t) + h * head_dim, out_of(span, t, h), state_of(span, t, h), next.high};
        }
      }
      flush();
    }
    if (spans > 1) return;
    for (int64_t t = t0; t < t1; ++t)
      for (int64_t h = kv_head * grouped; h < (kv_head + 1) * grouped; ++h) k.finish_attention(out_of(0, t, h), state_of(0, t, h), head_dim);
  });
  if (spans == 1) return;
  rec.stage(R, [&](int64_t t) {
    const AttendRange r = range(t);
    for (int64_t h = 0; h < heads; ++h) {
      for (int64_t span = 1; r.low + span * kSpan < r.high; ++span)
        k.merge_attention(out_of(0, t, h), state_of(0, t, h), out_of(span, t, h), state_of(span, t, h), head_dim);
      k.finish_attention(out_of(0, t, h), state_of(0, t, h), head_dim);
    }
  });
}

}  // namespace puna
