// pass.h -- a pass as a session makes it: measured without memory, then run over a block of just that size, paused
// where a test wants.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ops/inference.h"
#include "puna/base/executor.h"
#include "support/isa.h"

namespace puna::test {

// `forward(rec)` is called from the top until it has finished; `stop` (optional) is asked between tiles. Returns how
// often it was called.
template <class Forward>
int run_pass(const KernelTable& kernels, Executor& executor, bool exact, Forward&& forward,
             FunctionRef<bool()> stop = {}) {
  Arena measure;
  Cursor nowhere;
  Inference dry(kernels, executor, measure, nowhere, exact, stop);
  forward(dry);
  std::vector<std::byte> block(measure.peak() + Allocator::kAlignment);
  const size_t skip = (Allocator::kAlignment - reinterpret_cast<uintptr_t>(block.data()) % Allocator::kAlignment) %
                      Allocator::kAlignment;
  Cursor cursor;
  for (int calls = 1;; ++calls) {
    Arena arena(block.data() + skip, measure.peak());
    Inference rec(kernels, executor, arena, cursor, exact, stop);
    forward(rec);
    if (rec.finished()) return calls;
  }
}

template <class Forward>
int run_pass(const std::string& isa, bool exact, Forward&& forward) {
  const auto executor = make_thread_pool(1, {});
  return run_pass(*select_kernels(isa.c_str()), *executor, exact, std::forward<Forward>(forward));
}

}  // namespace puna::test
