// arena.h -- a pass's scratch: a bump allocator over one block. The same sequence of takes yields the same addresses,
// which is what lets a forward be re-entered from the top after a pause. Without a block it only measures.
#pragma once
#include <cstddef>
#include <cstdint>

#include "puna/base/error.h"

namespace puna {

class Arena {
 public:
  Arena() = default;  // measuring: addresses are not to be touched
  Arena(std::byte* block, size_t size) : block_(reinterpret_cast<uintptr_t>(block)), size_(size) {}

  void* take(size_t bytes) {
    const uintptr_t address = block_ + top_;
    top_ += (bytes + 63) / 64 * 64;
    if (top_ > peak_) peak_ = top_;
    PUNA_INVARIANT(measuring() || top_ <= size_);
    return reinterpret_cast<void*>(address);
  }
  bool measuring() const noexcept { return block_ == 0; }
  size_t peak() const noexcept { return peak_; }
  size_t mark() const noexcept { return top_; }
  void release_to(size_t mark) noexcept { top_ = mark; }

 private:
  uintptr_t block_ = 0;
  size_t size_ = 0, top_ = 0, peak_ = 0;
};

}  // namespace puna
