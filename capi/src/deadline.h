// deadline.h -- pauses a call when its time budget is used up; asked between tiles by any thread. The first answer is
// always to go on, so that every call makes progress, however small its budget.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>

#include "puna/base/function_ref.h"

namespace puna::capi {

class Deadline {
 public:
  explicit Deadline(uint64_t budget_us) : unlimited_(budget_us == 0) {
    constexpr uint64_t kLongest = uint64_t(1) << 50;  // 35 years: adding it to any clock does not overflow
    end_ = Clock::now() + std::chrono::microseconds(budget_us < kLongest ? budget_us : kLongest);
  }
  bool operator()() noexcept {
    if (!asked_.load(std::memory_order_relaxed) && !asked_.exchange(true, std::memory_order_relaxed)) return false;
    return Clock::now() >= end_;
  }
  FunctionRef<bool()> pause() noexcept { return unlimited_ ? FunctionRef<bool()>() : FunctionRef<bool()>(*this); }

 private:
  using Clock = std::chrono::steady_clock;
  bool unlimited_;
  std::atomic<bool> asked_{false};
  Clock::time_point end_;
};

}  // namespace puna::capi
