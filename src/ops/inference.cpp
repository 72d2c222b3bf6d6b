#include "ops/inference.h"

#include <atomic>
#include <cstring>

namespace puna {

View Inference::make_zero(int64_t rows, int64_t cols) {
  const View v = make(rows, cols);
  stage(rows, [&](int64_t t) { memset(v.row(t), 0, size_t(cols) * 4); });
  return v;
}

void Inference::stage(int64_t tiles, FunctionRef<void(int64_t)> fn) {
  const int64_t index = next_stage_++;
  if (stopped_ || arena_.measuring() || index < cursor_.stage) return;
  // Threads claim tiles in ascending order and finish what they claim, so "all below `next` are done" holds when they stop.
  std::atomic<int64_t> next{cursor_.tile};
  std::atomic<bool> stop{false};
  const auto claim_tiles = [&](int64_t) {
    while (!stop.load(std::memory_order_relaxed)) {
      if (should_stop_ && should_stop_()) return stop.store(true, std::memory_order_relaxed);
      const int64_t tile = next.fetch_add(1, std::memory_order_relaxed);
      if (tile >= tiles) return;
      fn(tile);
    }
  };
  const int64_t left = tiles - cursor_.tile;
  executor_.run(left < executor_.width() ? left : executor_.width(), claim_tiles);
  const int64_t done = next.load(std::memory_order_relaxed);
  if (done < tiles) {
    cursor_.tile = done;
    stopped_ = true;
  } else {
    cursor_ = {index + 1, 0};
  }
}

}  // namespace puna
