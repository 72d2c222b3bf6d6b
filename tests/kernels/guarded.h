// guarded.h -- an array that ends where its memory ends: one element further is a page that may not be touched.
#pragma once
#include <cstddef>
#include <span>
#include <vector>

#include "support/catch.h"
#if __has_include(<sys/mman.h>)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace puna::test {

template <class T>
class Guarded {
 public:
  explicit Guarded(size_t count) : count_(count) {
#if __has_include(<sys/mman.h>)
    const size_t page = size_t(sysconf(_SC_PAGESIZE));
    const size_t bytes = (count * sizeof(T) + page - 1) / page * page;
    mapped_ = bytes + page;
    base_ = static_cast<std::byte*>(mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    REQUIRE(base_ != MAP_FAILED);
    REQUIRE(mprotect(base_ + bytes, page, PROT_NONE) == 0);
    data_ = reinterpret_cast<T*>(base_ + bytes - count * sizeof(T));
#else
    fallback_.resize(count);
    data_ = fallback_.data();
#endif
  }
  explicit Guarded(std::span<const T> values) : Guarded(values.size()) {
    for (size_t i = 0; i < count_; ++i) data_[i] = values[i];
  }
  explicit Guarded(const std::vector<T>& values) : Guarded(std::span<const T>(values)) {}
#if __has_include(<sys/mman.h>)
  ~Guarded() { munmap(base_, mapped_); }
#endif
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  T* data() const { return data_; }
  size_t size() const { return count_; }
  T& operator[](size_t i) const { return data_[i]; }
  operator std::span<const T>() const { return {data_, count_}; }

 private:
  T* data_ = nullptr;
  size_t count_;
#if __has_include(<sys/mman.h>)
  std::byte* base_ = nullptr;
  size_t mapped_ = 0;
#else
  std::vector<T> fallback_;
#endif
};

}  // namespace puna::test
