#include "attacks/heap_meter.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<size_t> used{0}, start{0}, highest{0};

void* counted(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  const size_t now = used += malloc_usable_size(memory);
  size_t peak = highest;
  while (now > peak && !highest.compare_exchange_weak(peak, now)) {}
  return memory;
}

void discounted(void* memory) noexcept {
  if (memory != nullptr) used -= malloc_usable_size(memory);
  std::free(memory);
}

}  // namespace

void* operator new(size_t bytes) { return counted(std::malloc(bytes ? bytes : 1)); }
void* operator new(size_t bytes, std::align_val_t alignment) {
  const size_t a = size_t(alignment);
  return counted(std::aligned_alloc(a, (bytes + a - 1) / a * a));
}
void operator delete(void* memory) noexcept { discounted(memory); }
void operator delete(void* memory, size_t) noexcept { discounted(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { discounted(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { discounted(memory); }

namespace puna::test {

HeapMeter::HeapMeter() noexcept { highest = start = used.load(); }
size_t HeapMeter::peak() noexcept { return highest - start; }

}  // namespace puna::test
