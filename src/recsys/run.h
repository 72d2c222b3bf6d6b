// run.h -- a recommender's pass: to its end, or Error{cancelled}.
#pragma once
#include "ops/run_measured.h"
#include "ops/tape.h"
#include "puna/base/error.h"

namespace puna::recsys {

template <class Compute>
void run_pass(const Context& context, Buffer& scratch, Compute&& compute) {
  if (!run_measured(context, scratch, "a recommender's pass", compute))
    fail(Status::cancelled, "the pass was cancelled");
}

template <class Forward>
void run_inference(const Context& context, Buffer& scratch, FunctionRef<bool()> should_stop, Forward&& forward) {
  run_pass(context, scratch, [&](Arena& arena) {
    Cursor cursor;
    Inference rec(context.kernels(), context.executor(), arena, cursor, true, should_stop);
    forward(rec);
    return rec.finished();
  });
}

}  // namespace puna::recsys
