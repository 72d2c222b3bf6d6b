// watch.h -- cancellation: long work asks the host's callback now and then, so that a cancel takes effect within
// milliseconds. Parsers and other loops call tick(); passes that many threads share are stopped between tiles
// (src/base/shared_watch.h).
#pragma once
#include <chrono>
#include <cstdint>

#include "puna/base/function_ref.h"

namespace puna {

// For one thread. Passed down as `const Watch&`; the default one never cancels.
class Watch {
 public:
  Watch() = default;
  // The host is asked when `between` is over since it was asked last.
  explicit Watch(FunctionRef<bool()> go_on, std::chrono::microseconds between = std::chrono::milliseconds(1))
      : go_on_(go_on), between_(between), asked_(Clock::now()) {}
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // To be called by every loop over what a file or a caller brings, `work` in units of at most a microsecond (an item,
  // 100 bytes of text). Error{cancelled} when the host says no; what its callback throws passes.
  void tick(uint64_t work = 1) const {
    if (go_on_ && (work_ += work) >= kWorkBetweenLooks) look();
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr uint64_t kWorkBetweenLooks = 256;  // at the clock
  void look() const;

  FunctionRef<bool()> go_on_;
  std::chrono::microseconds between_{};
  mutable uint64_t work_ = 0;
  mutable Clock::time_point asked_;
};

}  // namespace puna
