// rehearsal.h -- dry runs: a context whose executor runs nothing. The loader's code runs in it to compute sizes and
// offsets. Matrices are allocated and never touched, and untouched memory is address space alone.
#pragma once
#include "puna/runtime/model.h"

namespace puna {

inline ContextPtr rehearsal_context() {
  ContextOptions options;
  options.executor.threads = 1;
  options.executor.parallel_for = [](void*, int64_t, void (*)(void*, int64_t), void*) {};
  return make_context(options);
}

}  // namespace puna
