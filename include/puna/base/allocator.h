// allocator.h -- where tensors, KV pages, scratch and panels get their bytes: the context's allocator, counted and
// limited. Passing the limit is Error{out_of_memory} before anything is allocated. Thread-safe.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace puna {

// The host's functions; NULL pointers mean ours (aligned operator new). `alloc` returns NULL when it cannot.
struct AllocatorFunctions {
  void* user = nullptr;
  void* (*alloc)(void* user, size_t bytes, size_t alignment) = nullptr;
  void (*free)(void* user, void* memory, size_t bytes) = nullptr;
};

class Allocator {
 public:
  static constexpr size_t kAlignment = 64;
  Allocator(const AllocatorFunctions& functions, uint64_t limit_bytes /* 0 = none */) noexcept;
  Allocator(const Allocator&) = delete;
  Allocator& operator=(const Allocator&) = delete;

  // 64-byte aligned, uninitialised. `purpose` completes the sentence "... for <purpose>" in the error.
  void* allocate(size_t bytes, const char* purpose);
  void release(void* memory, size_t bytes) noexcept;

  uint64_t used() const noexcept { return used_.load(std::memory_order_relaxed); }
  uint64_t peak() const noexcept { return peak_.load(std::memory_order_relaxed); }
  uint64_t limit() const noexcept { return limit_; }

 private:
  AllocatorFunctions functions_;
  uint64_t limit_;
  std::atomic<uint64_t> used_{0}, peak_{0};
};

// Owns one allocation. Keeps its allocator alive, so buffers may outlive the context they came from.
class Buffer {
 public:
  Buffer() noexcept = default;
  Buffer(std::shared_ptr<Allocator> allocator, size_t bytes, const char* purpose);
  Buffer(Buffer&& o) noexcept { swap(o); }
  Buffer& operator=(Buffer&& o) noexcept {
    Buffer(std::move(o)).swap(*this);
    return *this;
  }
  ~Buffer();
  void swap(Buffer& o) noexcept;

  std::byte* data() noexcept { return data_; }
  const std::byte* data() const noexcept { return data_; }
  size_t size() const noexcept { return size_; }

 private:
  std::shared_ptr<Allocator> allocator_;
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace puna
