// run_measured.h -- a pass over scratch of just the size it needs: measured first, then computed. The scratch is kept
// for the next pass.
#pragma once
#include "base/fp_env.h"
#include "ops/arena.h"
#include "puna/base/context.h"

namespace puna {

// compute(arena) builds and runs the pass, and says whether it has finished; so does this. `name`: of the scratch, for
// the error when memory does not suffice.
template <class Compute>
[[nodiscard]] bool run_measured(const Context& context, Buffer& scratch, const char* name, Compute&& compute) {
  const FpEnv fp_env;
  context.require_same_process();
  Arena measure;
  compute(measure);
  if (scratch.size() < measure.peak()) {
    scratch = Buffer();  // the old block first: the two need not be held at once
    scratch = context.allocate(measure.peak(), name);
  }
  Arena arena(scratch.data(), scratch.size());
  return compute(arena);
}

}  // namespace puna
