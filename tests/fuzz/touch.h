// touch.h -- shared by the fuzz targets of file formats: a context that may use a bounded amount of memory, and a
// reader of every byte that a tensor claims, so that a sanitizer sees a range that leads outside the file.
#pragma once
#include "../support/context.h"
#include "puna/tensor/tensor.h"

namespace puna::test {

inline const Context& fuzz_context() {
  static const ContextPtr context = test_context_without_kernels(64 << 20);
  return *context;
}

inline void touch(const TensorMap& tensors) {
  unsigned sum = 0;
  for (const TensorEntry& e : tensors.entries()) {
    if (tensors.find(e.name) != &e || uint64_t(e.shape.count()) > e.bytes * 6)
      __builtin_trap();  // at least 1.5 bits a value
    for (uint64_t i = 0; i < e.bytes; ++i) sum += unsigned(e.data[i]);
  }
  volatile unsigned sink = sum;
  (void)sink;
}

}  // namespace puna::test
