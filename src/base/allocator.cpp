#include "puna/base/allocator.h"

#include <new>

#include "base/guarded_host.h"
#include "base/os.h"
#include "puna/base/error.h"

namespace puna {
namespace {

// Big blocks are weights and caches, read from end to end for every token: with 4 KB pages a good part of that time
// goes to address translation, so they ask for large ones.
size_t default_alignment(size_t bytes) { return bytes < 2 * os::kLargePage ? Allocator::kAlignment : os::kLargePage; }

void* default_alloc(void*, size_t bytes, size_t) {
  const size_t alignment = default_alignment(bytes);
  void* const memory = ::operator new(bytes, std::align_val_t(alignment), std::nothrow);
  if (memory && alignment == os::kLargePage) os::prefer_large_pages(memory, bytes);
  return memory;
}
void default_free(void*, void* memory, size_t bytes) {
  ::operator delete(memory, std::align_val_t(default_alignment(bytes)));
}

// The host's functions are foreign code: an exception out of them is a refusal, and one out of free is the host's own
// leak.
void* guarded_alloc(const AllocatorFunctions& f, size_t bytes) noexcept {
  void* memory = nullptr;
  call_host([&] { memory = f.alloc(f.user, bytes, Allocator::kAlignment); });
  return memory;
}
void guarded_free(const AllocatorFunctions& f, void* memory, size_t bytes) noexcept {
  call_host([&] { f.free(f.user, memory, bytes); });
}

}  // namespace

Allocator::Allocator(const AllocatorFunctions& functions, uint64_t limit_bytes) noexcept
    : functions_(functions), limit_(limit_bytes) {
  if (!functions_.alloc || !functions_.free) functions_ = {nullptr, default_alloc, default_free};
}

void* Allocator::allocate(size_t bytes, const char* purpose) {
  if (bytes == 0) bytes = 1;
  if (bytes > size_t(PTRDIFF_MAX))
    fail(Status::out_of_memory, "%zu bytes for %s are more than any machine has", bytes, purpose);
  // Reserved only when it fits: a request that is refused must not make another thread's smaller one fail meanwhile.
  uint64_t before = used_.load(std::memory_order_relaxed);
  do {
    if (limit_ != 0 && bytes > limit_ - before)
      fail(Status::out_of_memory, "memory limit: %zu bytes for %s would bring the context to %ju of %ju allowed", bytes,
           purpose, before + bytes, limit_);
  } while (!used_.compare_exchange_weak(before, before + bytes, std::memory_order_relaxed));
  void* memory = guarded_alloc(functions_, bytes);
  if (memory == nullptr || reinterpret_cast<uintptr_t>(memory) % kAlignment != 0) {
    if (memory) guarded_free(functions_, memory, bytes);
    used_.fetch_sub(bytes, std::memory_order_relaxed);
    fail(Status::out_of_memory, "the allocator gave no %zu bytes (aligned to %zu) for %s", bytes, kAlignment, purpose);
  }
  const uint64_t used = before + bytes;
  uint64_t peak = peak_.load(std::memory_order_relaxed);
  while (used > peak && !peak_.compare_exchange_weak(peak, used, std::memory_order_relaxed)) {}
  return memory;
}

void Allocator::release(void* memory, size_t bytes) noexcept {
  if (memory == nullptr) return;
  if (bytes == 0) bytes = 1;
  guarded_free(functions_, memory, bytes);
  used_.fetch_sub(bytes, std::memory_order_relaxed);
}

Buffer::Buffer(std::shared_ptr<Allocator> allocator, size_t bytes, const char* purpose)
    : allocator_(std::move(allocator)),
      data_(static_cast<std::byte*>(allocator_->allocate(bytes, purpose))),
      size_(bytes) {}

Buffer::~Buffer() {
  if (data_) allocator_->release(data_, size_);
}

void Buffer::swap(Buffer& o) noexcept {
  std::swap(allocator_, o.allocator_);
  std::swap(data_, o.data_);
  std::swap(size_, o.size_);
}

}  // namespace puna
