#include "ops/attention.h"

#include <algorithm>

namespace puna {
namespace {

constexpr int64_t kSpan = 1024;         // positions: attend_spans()
constexpr int64_t kEnoughTiles = 16;    // for all threads to have work without splitting ranges
constexpr int64_t kMaxAttendRows = 24;  // query heads of a tile: their sums stay in the cache beside a page

bool same_keys(const AttendRange& a, const AttendRange& b) {
  return a.pages.k == b.pages.k && a.pages.v == b.pages.v && a.low == b.low;
}

}  // namespace

int64_t attend_spans(int64_t low, int64_t high) noexcept { return (high - low + kSpan - 1) / kSpan; }

const float* attend(Inference& rec, View out, View q, int64_t kv_heads, int64_t head_dim, const AttendScores& scores,
                    DType kept, FunctionRef<AttendRange(int64_t)> range) {
  const KernelTable& k = rec.kernels();
  const auto kernel = kept == DType::f32 ? k.attend_f32 : kept == DType::f16 ? k.attend_f16 : k.attend_q8;
  const int64_t R = q.dims[0], heads = q.dims[1] / head_dim, grouped = heads / kv_heads;
  // batch rows of a tile
  const int64_t block = std::max<int64_t>(1, kMaxAttendRows / grouped), blocks = (R + block - 1) / block;
  int64_t spans = 1;
  for (int64_t t = 0; t < R; ++t) {
    const AttendRange r = range(t);
    spans = std::max(spans, attend_spans(r.low, r.high));
  }
  // Few tiles: every span is a tile with a slot for its result, and a second stage merges them. Many: a tile computes
  // its spans one after the other. Either way span 0 is written to the output and the later spans are merged into it in
  // order, so the bits are the same.
  const bool split = spans > 1 && blocks * kv_heads < kEnoughTiles;
  const int64_t slots = split ? spans : std::min<int64_t>(spans, 2);
  float* const states = rec.take<float>(slots * R * heads * 2);
  const View later = rec.make((slots - 1) * R, heads * head_dim);
  const auto slot = [&](int64_t span) { return std::min(span, slots - 1); };
  const auto out_of = [&](int64_t span, int64_t t, int64_t h) {
    return (span == 0 ? out.row(t) : later.row((slot(span) - 1) * R + t)) + h * head_dim;
  };
  const auto state_of = [&](int64_t span, int64_t t, int64_t h) {
    return states + ((slot(span) * R + t) * heads + h) * 2;
  };

  const auto attend_span = [&](int64_t span, int64_t kv_head, int64_t t0, int64_t t1) {
    AttendRow rows[kMaxAttendRows];
    for (int64_t t = t0; t < t1;) {
      AttendRange r = range(t);
      r.pages.head = kv_head;
      const int64_t low = r.low + span * kSpan;
      int64_t high = r.high, count = 0;
      const auto flush = [&] {
        if (count != 0)
          kernel({.rows = rows,
                  .count = count,
                  .head_dim = head_dim,
                  .scale = scores.scale,
                  .kv = r.pages,
                  .low = low,
                  .high = std::min(high, low + kSpan),
                  .softcap = scores.softcap});
        count = 0;
      };
      for (; t < t1; ++t) {
        const AttendRange next = range(t);
        if (!same_keys(r, next)) break;
        if (next.high <= low) continue;
        high = next.high;
        for (int64_t h = kv_head * grouped; h < (kv_head + 1) * grouped; ++h) {
          if (count == kMaxAttendRows) flush();
          rows[count++] = {q.row(t) + h * head_dim, out_of(span, t, h), state_of(span, t, h), next.high,
                           std::max(low, next.first)};
        }
      }
      flush();
    }
  };
  const auto merge = [&](int64_t span, int64_t t, int64_t h) {
    k.merge_attention(out_of(0, t, h), state_of(0, t, h), out_of(span, t, h), state_of(span, t, h), head_dim);
  };
  const auto reaches = [&](int64_t span, int64_t t) { return range(t).low + span * kSpan < range(t).high; };
  // A sink is one more position, whose value is zero.
  float* const nothing = scores.sinks ? rec.take<float>(head_dim) : nullptr;
  if (nothing) rec.stage(1, [&](int64_t) { std::fill(nothing, nothing + head_dim, 0.0f); });
  const auto finish = [&](int64_t t, int64_t h) {
    if (nothing) {
      const float sink[] = {scores.sinks[h], 1.0f};
      k.merge_attention(out_of(0, t, h), state_of(0, t, h), nothing, sink, head_dim);
    }
    k.finish_attention(out_of(0, t, h), state_of(0, t, h), head_dim);
  };

  if (split) {
    rec.stage(blocks * kv_heads * spans, [&](int64_t tile) {
      const int64_t t0 = tile / spans / kv_heads * block;
      attend_span(tile % spans, tile / spans % kv_heads, t0, std::min(R, t0 + block));
    });
    rec.stage(R, [&](int64_t t) {
      for (int64_t h = 0; h < heads; ++h) {
        for (int64_t span = 1; reaches(span, t); ++span) merge(span, t, h);
        finish(t, h);
      }
    });
    return states;
  }
  rec.stage(blocks * kv_heads, [&](int64_t tile) {
    const int64_t kv_head = tile % kv_heads, t0 = tile / kv_heads * block, t1 = std::min(R, t0 + block);
    for (int64_t span = 0; span < spans; ++span) {
      attend_span(span, kv_head, t0, t1);
      for (int64_t t = t0; t < t1 && span > 0; ++t)
        for (int64_t h = kv_head * grouped; h < (kv_head + 1) * grouped && reaches(span, t); ++h) merge(span, t, h);
    }
    for (int64_t t = t0; t < t1; ++t)
      for (int64_t h = kv_head * grouped; h < (kv_head + 1) * grouped; ++h) finish(t, h);
  });
  return states;
}

void attend_backward(Tape& rec, const AttendGradient& a, std::span<const SequenceRows> sequences) {
  const View dq = rec.gradient(a.q), dk = rec.gradient(a.k), dv = rec.gradient(a.v), dout = rec.gradient(a.out);
  const auto scratch = rec.scratch();
  const int64_t K = a.head_dim, heads = a.q.dims[1] / K, kv_heads = a.k.dims[1] / K, grouped = heads / kv_heads;
  const int64_t tiles = int64_t(sequences.size()) * kv_heads, tile_floats = attend_backward_scratch(K);
  float* const workspace = rec.take<float>(tiles * tile_floats);
  rec.stage(tiles, [&](int64_t tile) {
    const SequenceRows s = sequences[size_t(tile / kv_heads)];
    const int64_t kv_head = tile % kv_heads;
    const auto query = [&](View v) { return v.row(s.first) + kv_head * grouped * K; };
    const auto key = [&](View v) { return v.row(s.first) + kv_head * K; };
    rec.kernels().attend_backward({.q = query(a.q),
                                   .out = query(a.out),
                                   .dout = query(dout),
                                   .dq = query(dq),
                                   .q_row = a.q.strides[0],
                                   .k = key(a.k),
                                   .v = key(a.v),
                                   .dk = key(dk),
                                   .dv = key(dv),
                                   .kv_row = a.k.strides[0],
                                   .state = a.state + (s.first * heads + kv_head * grouped) * 2,
                                   .state_row = heads * 2,
                                   .scratch = workspace + tile * tile_floats,
                                   .rows = s.count,
                                   .grouped = grouped,
                                   .head_dim = K,
                                   .chunk = a.chunk,
                                   .scale = a.scores.scale,
                                   .window = a.window,
                                   .softcap = a.scores.softcap});
  });
  float* const dsinks = a.scores.sinks ? rec.parameter_gradient(a.scores.sinks) : nullptr;
  if (!dsinks) return;
  // The sink's weight is e^(sink - largest) / total, its value zero: dsink = -weight (dout . out).
  const KernelTable& kernels = rec.kernels();
  rec.stage(heads, [&](int64_t h) {
    for (int64_t t = 0; t < a.q.dims[0]; ++t) {
      const float* const state = a.state + (t * heads + h) * 2;
      float weight;
      kernels.softmax_gradient(&weight, a.scores.sinks + h, state, 1.0f, 1);
      dsinks[h] -= weight * kernels.dot(dout.row(t) + h * K, a.out.row(t) + h * K, K);
    }
  });
}

}  // namespace puna
