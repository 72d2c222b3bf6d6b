// load_watch.h -- progress and cancellation while weights are packed: an executor that works in slices of a few
// milliseconds and reports between them, on the caller's thread. After a cancel it runs nothing more, so that the rest
// of the load ends at once; the result is discarded.
#pragma once
#include <algorithm>
#include <chrono>

#include "base/shared_watch.h"
#include "puna/base/executor.h"

namespace puna {

class LoadWatch final : public Executor {
 public:
  LoadWatch(Executor& executor, FunctionRef<bool()> go_on) : executor_(executor), host_(go_on) {}
  int width() const noexcept override { return executor_.width(); }
  void run(int64_t n, FunctionRef<void(int64_t)> fn) noexcept override {
    using Clock = std::chrono::steady_clock;
    for (int64_t done = 0; done < n && !stopped();) {
      const int64_t slice = std::min(slice_, n - done);
      const Clock::time_point start = Clock::now();
      executor_.run(slice, [&](int64_t i) { fn(done + i); });
      const auto us = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start).count();
      if (us > 4000)
        slice_ = std::max<int64_t>(slice_ / 2, 1);
      else if (us < 1000 && slice == slice_)
        slice_ *= 2;
      done += slice;
      host_.ask();
    }
  }
  bool stopped() const noexcept { return host_.stopped(); }
  void rethrow() const { host_.rethrow(); }

 private:
  Executor& executor_;
  HostAnswer host_;
  int64_t slice_ = 16;  // indices; grows to what a millisecond or more takes
};

}  // namespace puna
