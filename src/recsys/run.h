// run.h -- a forward pass over scratch of just the size it needs: measured first, then computed. The scratch is kept for the next one.
#pragma once
#include "base/fp_env.h"
#include "ops/tape.h"
#include "puna/base/context.h"
#include "puna/base/error.h"

namespace puna::recsys {

// compute(arena) builds and runs the pass, and says whether it has finished.
template <class Compute>
void run_measured(const Context& context, Buffer& scratch, Compute&& compute) {
  const FpEnv fp_env;
  context.require_same_process();
  Arena measure;
  compute(measure);
  if (scratch.size() < measure.peak()) {
    scratch = Buffer();
    scratch = context.allocate(measure.peak(), "a recommender's pass");
  }
  Arena arena(scratch.data(), scratch.size());
  if (!compute(arena)) fail(Status::cancelled, "the pass was cancelled");
}

template <class Forward>
void run_inference(const Context& context, Buffer& scratch, FunctionRef<bool()> should_stop, Forward&& forward) {
  run_measured(context, scratch, [&](Arena& arena) {
    Cursor cursor;
    Inference rec(context.kernels(), context.executor(), arena, cursor, true, should_stop);
    forward(rec);
    return rec.finished();
  });
}

}  // namespace puna::recsys
