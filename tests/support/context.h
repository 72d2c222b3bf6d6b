// context.h -- a context for tests of layers that never call a kernel: its kernel table is a block of zero bytes.
#pragma once
#include <cstddef>
#include <memory>

#include "puna/base/context.h"

namespace puna::test {

inline ContextPtr test_context_without_kernels(uint64_t memory_limit = 0) {
  alignas(64) static const std::byte no_kernels[4096] = {};
  ContextOptions options;
  options.threads = 1;
  options.memory_limit = memory_limit;
  return std::make_shared<const Context>(options, reinterpret_cast<const KernelTable&>(no_kernels));
}

}  // namespace puna::test
