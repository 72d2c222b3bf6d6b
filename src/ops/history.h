// history.h -- the stages of a sequence recommender that know about users: the embedding of their items, and attention
// within each history. Users' rows lie one after the other without padding (jagged): user u has rows starts[u] ...
// starts[u + 1] - 1.
#pragma once
#include <array>

#include "ops/dropout.h"
#include "ops/tape.h"

namespace puna {

struct HistoryRows {
  const int64_t* starts = nullptr;  // [users + 1]
  int64_t users = 0;
  int64_t longest = 0;             // rows of the longest history
  const int32_t* ids = nullptr;    // [rows]
  const int64_t* times = nullptr;  // [rows + users]: each user's, then his query's; may be NULL where no op asks
  // One user whose earlier rows are known: row 0 here is his row `known`; keys and values of those before are in the
  // cache.
  int64_t known = 0;

  int64_t rows() const noexcept { return starts[users]; }
  const int64_t* times_of(int64_t u) const noexcept { return times ? times + starts[u] + u : nullptr; }
};

// x[t] = dropout(scale items[id] + positions[place of t in its history]).   items: [.,D], positions: [.,D], plain rows
struct HistoryTables {
  const float *items, *positions;
  int64_t D;
  float scale;
  int32_t max_id;
};
void embed_history_forward(Inference& rec, View x, const HistoryTables& tables, const HistoryRows& rows,
                           const Dropout& dropout);
void embed_history_backward(Tape& rec, View dx, const HistoryTables& tables, const HistoryRows& rows,
                            const Dropout& dropout);
template <class Rec>
void embed_history(Rec& rec, View x, const HistoryTables& tables, const HistoryRows& rows, const Dropout& dropout) {
  embed_history_forward(rec, x, tables, rows, dropout);
  if constexpr (Rec::records)
    rec.on_backward([=, &rec] {
      const View dx = rec.gradient(x);
      embed_history_backward(rec, dx, tables, rows, dropout);
    });
}

// Columns [first, ...) of a value.
struct Columns {
  View all;
  int64_t first = 0;
  float* at(int64_t row) const noexcept { return all.row(row) + first; }
  int64_t stride() const noexcept { return all.strides[0]; }
};

// As HistoryAttend (kernel_table.h) says; `positions` has 2 slots - 1 weights, distance 0 in the middle.
struct HistoryAttention {
  int64_t heads, qk_dim, v_dim;
  float scale;
  const float *positions = nullptr, *time_weights = nullptr;
  const int64_t* time_bounds = nullptr;
  int64_t slots = 0;
  Dropout dropout = {};                            // of softmax weights
  float *cached_k = nullptr, *cached_v = nullptr;  // [positions][heads * dim] of the one user, or NULL
};
void attend_history_forward(Inference& rec, View out, Columns q, Columns k, Columns v, const HistoryRows& rows,
                            const HistoryAttention& a);
void attend_history_backward(Tape& rec, View dout, Columns q, Columns k, Columns v, const HistoryRows& rows,
                             const HistoryAttention& a);
template <class Rec>
void attend_history(Rec& rec, View out, Columns q, Columns k, Columns v, const HistoryRows& rows,
                    const HistoryAttention& a) {
  attend_history_forward(rec, out, q, k, v, rows, a);
  if constexpr (Rec::records)
    rec.on_backward([=, &rec] {
      const View dout = rec.gradient(out);
      attend_history_backward(rec, dout, q, k, v, rows, a);
    });
}

// The bounds of HSTU's time buckets: bucket(d) = min(int(ln(max(d, 1)) / 0.301), 128) in f32, the original's rounding
// included.
using TimeBounds = std::array<int64_t, kTimeBuckets + 2>;
TimeBounds time_bucket_bounds() noexcept;

}  // namespace puna
