// attention.h -- attention of a batch's rows over pages of keys and values. Rows that follow each other in one sequence
// share every load of its keys; a long range is cut into spans of kSpan positions, whose results are merged in order,
// so that one row's work can be shared by threads as well. Spans are cut by position alone: the bits do not depend on
// who computes what.
#pragma once
#include <span>

#include "ops/tape.h"

namespace puna {

// What one row attends to: positions [first, high) of its pages; `low`, a multiple of the page size, is where first's
// page begins.
struct AttendRange {
  KvPages pages;
  int64_t low, high;
  int64_t first = 0;
};

// How scores become weights. sinks: a logit a head that takes part in the softmax and has no value (gpt-oss), or NULL.
struct AttendScores {
  float scale;
  float softcap = 0;
  const float* sinks = nullptr;  // [heads]
};

// How many spans [low, high) is cut into. The scratch of attend() follows from the most that a row has, and from the
// shape of q.
int64_t attend_spans(int64_t low, int64_t high) noexcept;

// out[t, h] = attention of query head h over its KV head.   q, out: [T, heads*head_dim].
// kept: how the pages hold numbers, f32, f16 or q8_0. range(t) of each row; rows of one sequence stand together, in
// ascending position. Returns each row's largest score and total, [T, heads, 2].
const float* attend(Inference& rec, View out, View q, int64_t kv_heads, int64_t head_dim, const AttendScores& scores,
                    DType kept, FunctionRef<AttendRange(int64_t)> range);

// Rows of one sequence, at positions 0, 1, ...: what a gradient can be taken of.
struct SequenceRows {
  int64_t first, count;
};
// Adds to dq, dk, dv of q [T, heads*head_dim] and k, v [T, kv_heads*head_dim] as they were attended to, and to the
// sinks'. Rows see their own chunk up to themselves, or with chunk 0 everything up to themselves, of that the window.
struct AttendGradient {
  View q, k, v, out;
  const float* state;  // that attend returned
  int64_t head_dim, chunk, window;
  AttendScores scores;
};
void attend_backward(Tape& rec, const AttendGradient& a, std::span<const SequenceRows> sequences);

}  // namespace puna
