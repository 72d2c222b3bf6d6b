#include "faults/failing_heap.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

constexpr int64_t kNever = INT64_MIN;
std::atomic<int64_t> live{0}, countdown{kNever};
std::atomic<bool> failed{false}, failed_nothrow{false};

bool fails(bool nothrow) noexcept {
  if (countdown.load(std::memory_order_relaxed) < 0) return false;
  if (countdown.fetch_sub(1) != 0) return false;
  failed = true;
  failed_nothrow = nothrow;
  return true;
}

void* take(size_t bytes, size_t alignment, bool nothrow) noexcept {
  if (fails(nothrow)) return nullptr;
  void* p = alignment == 0 ? std::malloc(bytes ? bytes : 1) : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (p) ++live;
  return p;
}
void* or_throw(void* p) { return p ? p : throw std::bad_alloc(); }
void give(void* p) noexcept {
  if (p) --live;
  std::free(p);
}

}  // namespace

using Nothrow = std::nothrow_t;
void* operator new(size_t n) { return or_throw(take(n, 0, false)); }
void* operator new[](size_t n) { return or_throw(take(n, 0, false)); }
void* operator new(size_t n, const Nothrow&) noexcept { return take(n, 0, true); }
void* operator new[](size_t n, const Nothrow&) noexcept { return take(n, 0, true); }
void* operator new(size_t n, std::align_val_t a) { return or_throw(take(n, size_t(a), false)); }
void* operator new[](size_t n, std::align_val_t a) { return or_throw(take(n, size_t(a), false)); }
void* operator new(size_t n, std::align_val_t a, const Nothrow&) noexcept { return take(n, size_t(a), true); }
void* operator new[](size_t n, std::align_val_t a, const Nothrow&) noexcept { return take(n, size_t(a), true); }
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

void arm_heap(int64_t n) noexcept {
  failed = false;
  failed_nothrow = false;
  countdown = n;
}
bool disarm_heap(bool* optional) noexcept {
  countdown = kNever;
  *optional = failed_nothrow;
  return failed;
}
int64_t live_blocks() noexcept { return live; }

}  // namespace puna::test
