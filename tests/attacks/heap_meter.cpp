// heap_meter.cpp -- see heap_meter.h. Memory of the context's allocator comes from operator new as well and is counted
// here too.
#include "attacks/heap_meter.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<size_t> used{0}, start{0}, highest{0};

void* counted(void* memory) noexcept {
  if (memory == nullptr) return nullptr;
  const size_t now = used += malloc_usable_size(memory);
  size_t peak = highest;
  while (now > peak && !highest.compare_exchange_weak(peak, now)) {}
  return memory;
}

void* take(size_t bytes, size_t alignment, bool) noexcept {
  if (alignment == 0) return counted(std::malloc(bytes ? bytes : 1));
  return counted(std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment));
}

void give(void* memory) noexcept {
  if (memory != nullptr) used -= malloc_usable_size(memory);
  std::free(memory);
}

}  // namespace

#include "support/replace_new.inl.h"

namespace puna::test {

HeapMeter::HeapMeter() noexcept { highest = start = used.load(); }
size_t HeapMeter::peak() noexcept { return highest - start; }

}  // namespace puna::test
