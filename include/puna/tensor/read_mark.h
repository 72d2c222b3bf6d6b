// read_mark.h -- set when a key or tensor of a file is read. What was never read is checked at the end of a load
// (model/leftovers.h) and listed by `puna info`. Setting it is const and safe from any thread.
#pragma once
#include <atomic>

namespace puna {

class ReadMark {
 public:
  ReadMark() = default;
  ReadMark(const ReadMark& o) noexcept : set_(o.is_set()) {}
  ReadMark& operator=(const ReadMark& o) noexcept {
    set_.store(o.is_set(), std::memory_order_relaxed);
    return *this;
  }
  void set() const noexcept { set_.store(true, std::memory_order_relaxed); }
  bool is_set() const noexcept { return set_.load(std::memory_order_relaxed); }

 private:
  mutable std::atomic<bool> set_{false};
};

}  // namespace puna
