// heap_meter.cpp -- see heap_meter.h. Memory of the context's allocator comes from operator new as well and is counted here too.
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

void* take(size_t bytes) noexcept { return counted(std::malloc(bytes ? bytes : 1)); }
void* take(size_t bytes, std::align_val_t alignment) noexcept {
  const size_t a = size_t(alignment);
  return counted(std::aligned_alloc(a, (bytes + a - 1) / a * a));
}
void* or_throw(void* memory) { return memory ? memory : throw std::bad_alloc(); }

void give(void* memory) noexcept {
  if (memory != nullptr) used -= malloc_usable_size(memory);
  std::free(memory);
}

}  // namespace

// All forms, or a sanitizer would see its own form freed by one of ours.
using Nothrow = std::nothrow_t;
void* operator new(size_t n) { return or_throw(take(n)); }
void* operator new[](size_t n) { return or_throw(take(n)); }
void* operator new(size_t n, const Nothrow&) noexcept { return take(n); }
void* operator new[](size_t n, const Nothrow&) noexcept { return take(n); }
void* operator new(size_t n, std::align_val_t a) { return or_throw(take(n, a)); }
void* operator new[](size_t n, std::align_val_t a) { return or_throw(take(n, a)); }
void* operator new(size_t n, std::align_val_t a, const Nothrow&) noexcept { return take(n, a); }
void* operator new[](size_t n, std::align_val_t a, const Nothrow&) noexcept { return take(n, a); }
void operator delete(void* p) noexcept { give(p); }
void operator delete[](void* p) noexcept { give(p); }
void operator delete(void* p, size_t) noexcept { give(p); }
void operator delete[](void* p, size_t) noexcept { give(p); }
void operator delete(void* p, std::align_val_t) noexcept { give(p); }
void operator delete[](void* p, std::align_val_t) noexcept { give(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { give(p); }
void operator delete[](void* p, size_t, std::align_val_t) noexcept { give(p); }
void operator delete(void* p, const Nothrow&) noexcept { give(p); }
void operator delete[](void* p, const Nothrow&) noexcept { give(p); }
void operator delete(void* p, std::align_val_t, const Nothrow&) noexcept { give(p); }
void operator delete[](void* p, std::align_val_t, const Nothrow&) noexcept { give(p); }

namespace puna::test {

HeapMeter::HeapMeter() noexcept { highest = start = used.load(); }
size_t HeapMeter::peak() noexcept { return highest - start; }

}  // namespace puna::test
