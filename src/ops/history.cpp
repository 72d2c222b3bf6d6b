#include "ops/history.h"

#include <algorithm>
#include <limits>

#include "base/det_math.h"
#include "ops/add_by_id.h"
#include "ops/row_blocks.h"

namespace puna {

void embed_history_forward(Inference& rec, View x, const HistoryTables& m, const HistoryRows& rows,
                           const Dropout& dropout) {
  rec.stage(rows.users, [&](int64_t u) {
    for (int64_t t = rows.starts[u]; t < rows.starts[u + 1]; ++t) {
      rec.kernels().scale(x.row(t), m.items + int64_t(rows.ids[t]) * m.D, m.scale, m.D);
      rec.kernels().add(x.row(t), m.positions + (rows.known + t - rows.starts[u]) * m.D, m.D);
      dropout.apply(x.row(t), t, m.D);
    }
  });
}

void embed_history_backward(Tape& rec, View dx, const HistoryTables& m, const HistoryRows& rows,
                            const Dropout& dropout) {
  float *const ditems = rec.parameter_gradient(m.items), *const dpositions = rec.parameter_gradient(m.positions);
  const auto scratch = rec.scratch();
  float* const scales = rec.take<float>(rows.rows());
  for_rows(rec, rows.rows(), [&](int64_t t) {
    dropout.apply(dx.row(t), t, m.D);
    scales[t] = m.scale;
  });
  if (dpositions)
    rec.stage(rows.longest, [&](int64_t p) {
      for (int64_t u = 0; u < rows.users; ++u)
        if (rows.starts[u] + p < rows.starts[u + 1])
          rec.kernels().add(dpositions + p * m.D, dx.row(rows.starts[u] + p), m.D);
    });
  if (ditems) add_by_id(rec, {ditems, m.D, m.D, dx, 1, rows.ids, scales, rows.rows(), m.max_id});
}

namespace {

struct Scratch {
  int64_t user_floats;
  float* floats;
  uint8_t* kept;
  int64_t kept_bytes;
};

Scratch make_scratch(Inference& rec, const HistoryRows& rows, const HistoryAttention& a) {
  const int64_t longest = rows.known + rows.longest;
  Scratch s{history_attend_scratch(longest, a.heads, a.qk_dim, a.v_dim), nullptr, nullptr,
            a.dropout ? a.heads * longest * longest : 0};
  s.floats = rec.take<float>(rows.users * s.user_floats);
  s.kept = s.kept_bytes != 0 ? rec.take<uint8_t>(rows.users * s.kept_bytes) : nullptr;
  return s;
}

HistoryAttend user_of(int64_t u, Columns q, Columns k, Columns v, const HistoryRows& rows, const HistoryAttention& a,
                      const Scratch& s) {
  const int64_t start = rows.starts[u], count = rows.starts[u + 1] - start;
  HistoryAttend h = {};
  h.q = q.at(start);
  h.k = k.at(start);
  h.v = v.at(start);
  h.q_row = q.stride();
  h.k_row = k.stride();
  h.v_row = v.stride();
  h.first = rows.known;
  h.rows = rows.known + count;
  h.heads = a.heads;
  h.qk_dim = a.qk_dim;
  h.v_dim = a.v_dim;
  h.scale = a.scale;
  h.positions = a.positions ? a.positions + a.slots - 1 : nullptr;
  h.time_weights = a.time_weights;
  h.time_bounds = a.time_bounds;
  h.times = rows.times_of(u);
  h.scratch = s.floats + u * s.user_floats;
  if (s.kept) {
    uint8_t* const kept = s.kept + u * s.kept_bytes;
    for (int64_t i = 0; i < a.heads * count; ++i) a.dropout.draw(kept + i * count, start * a.heads + i, i % count + 1);
    h.kept = kept;
    h.kept_scale = a.dropout.scale();
  }
  return h;
}

// The rows' keys and values join those of the rows before.
void use_cache(HistoryAttend& h, const HistoryAttention& a) {
  const auto join = [&](const float*& from, int64_t& from_row, float* cache, int64_t width) {
    for (int64_t t = h.first; t < h.rows; ++t) std::copy_n(from + (t - h.first) * from_row, width, cache + t * width);
    from = cache;
    from_row = width;
  };
  join(h.k, h.k_row, a.cached_k, a.heads * a.qk_dim);
  join(h.v, h.v_row, a.cached_v, a.heads * a.v_dim);
}

}  // namespace

void attend_history_forward(Inference& rec, View out, Columns q, Columns k, Columns v, const HistoryRows& rows,
                            const HistoryAttention& a) {
  const auto frame = rec.frame();
  const Scratch scratch = make_scratch(rec, rows, a);
  rec.stage(rows.users, [&](int64_t u) {
    HistoryAttend h = user_of(u, q, k, v, rows, a, scratch);
    if (a.cached_k) use_cache(h, a);
    h.out = out.row(rows.starts[u]);
    h.out_row = out.strides[0];
    rec.kernels().history_attend(h);
  });
}

void attend_history_backward(Tape& rec, View dout, Columns q, Columns k, Columns v, const HistoryRows& rows,
                             const HistoryAttention& a) {
  const Columns dq{rec.gradient(q.all), q.first}, dk{rec.gradient(k.all), k.first}, dv{rec.gradient(v.all), v.first};
  const auto frame = rec.scratch();
  const Scratch scratch = make_scratch(rec, rows, a);
  const int64_t distances = a.positions ? 2 * a.slots - 1 : 0, weights = a.positions ? distances + kTimeBuckets + 1 : 0;
  const View bias = rec.make(rows.users, weights);  // each user's part of the biases' gradient, added up in order below
  rec.stage(rows.users, [&](int64_t u) {
    const int64_t start = rows.starts[u];
    const HistoryAttend h = user_of(u, q, k, v, rows, a, scratch);
    HistoryAttendBackward d = {dout.row(start), dout.strides[0], dq.at(start), dk.at(start), dv.at(start),
                               dq.stride(),     dk.stride(),     dv.stride(),  nullptr,      nullptr};
    if (a.positions) {
      std::fill_n(bias.row(u), weights, 0.0f);
      d.dpositions = bias.row(u) + a.slots - 1;
      d.dtime_weights = bias.row(u) + distances;
    }
    rec.kernels().history_attend_backward(h, d);
  });
  float *const dpositions = rec.parameter_gradient(a.positions), *const dtimes = rec.parameter_gradient(a.time_weights);
  if (!dpositions || !dtimes) return;
  rec.stage(1, [&](int64_t) {
    for (int64_t u = 0; u < rows.users; ++u) {
      rec.kernels().add(dpositions, bias.row(u), distances);
      rec.kernels().add(dtimes, bias.row(u) + distances, kTimeBuckets + 1);
    }
  });
}

TimeBounds time_bucket_bounds() noexcept {
  const auto bucket = [](int64_t distance) {
    const float log = float(det::log(double(float(distance < 1 ? 1 : distance))));
    return std::min<int64_t>(kTimeBuckets, int64_t(log / 0.301f));
  };
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  TimeBounds first = {};
  for (size_t b = 1; b <= kTimeBuckets; ++b) {  // the least distance of bucket b or above
    int64_t low = first[b - 1], high = kMost;
    while (low < high) {
      const int64_t middle = low + (high - low) / 2;
      if (bucket(middle) >= int64_t(b))
        high = middle;
      else
        low = middle + 1;
    }
    first[b] = low;
  }
  first[kTimeBuckets + 1] = kMost;
  return first;
}

}  // namespace puna
