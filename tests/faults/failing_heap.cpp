#include "faults/failing_heap.h"

#include <atomic>
#include <cstdlib>

namespace {

constexpr int64_t kNever = INT64_MIN;
std::atomic<int64_t> blocks{0}, countdown{kNever};
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
  void* p = alignment == 0 ? std::malloc(bytes ? bytes : 1)
                           : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (p) ++blocks;
  return p;
}
void give(void* p) noexcept {
  if (p) --blocks;
  std::free(p);
}

}  // namespace

#include "support/replace_new.inl.h"

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
int64_t live_blocks() noexcept { return blocks; }

}  // namespace puna::test
