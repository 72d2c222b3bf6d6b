// failing_allocator.h -- a context's own allocator, failing once, or from then on.
#pragma once
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>

namespace puna::test {

struct FailingAllocator {
  std::atomic<int64_t> countdown{-1}, live{0};
  bool throws = false, from_then_on = false;
  bool failed = false;
  static void* alloc(void* user, size_t bytes, size_t alignment) {
    auto* self = static_cast<FailingAllocator*>(user);
    if (self->countdown-- == 0) {
      self->failed = true;
      if (self->from_then_on) self->countdown = 0;
      if (self->throws) throw std::runtime_error("from alloc");
      return nullptr;
    }
    ++self->live;
    return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  }
  static void dealloc(void* user, void* memory, size_t) {
    auto* self = static_cast<FailingAllocator*>(user);
    --self->live;
    std::free(memory);
    if (self->throws) throw std::runtime_error("from dealloc");
  }
};

}  // namespace puna::test
