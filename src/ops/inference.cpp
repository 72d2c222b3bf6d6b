#include "ops/inference.h"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace puna {
namespace {

// A claim is at most this part of a thread's share of what is left: near the end claims are small, and all threads
// finish at about the same time.
constexpr int64_t kShares = 4;

}  // namespace

View Inference::make_zero(int64_t rows, int64_t cols) {
  const View v = make(rows, cols);
  stage(rows, [&](int64_t t) { memset(v.row(t), 0, size_t(cols) * 4); });
  return v;
}

void Inference::stage(int64_t tiles, FunctionRef<void(int64_t)> fn, int64_t at_once) {
  const int64_t index = next_stage_++;
  if (stopped_ || arena_.measuring() || index < cursor_.stage) return;
  // Threads claim tiles in ascending order and finish what they claim, so "all below `next` are done" holds when they
  // stop.
  std::atomic<int64_t> next{cursor_.tile};
  std::atomic<bool> stop{false};
  const int64_t threads = executor_.width();
  const auto claim_tiles = [&](int64_t) {
    while (!stop.load(std::memory_order_relaxed)) {
      if (should_stop_ && should_stop_()) return stop.store(true, std::memory_order_relaxed);
      const int64_t left = tiles - next.load(std::memory_order_relaxed);
      const int64_t count = std::clamp<int64_t>(left / (kShares * threads), 1, at_once);
      const int64_t first = next.fetch_add(count, std::memory_order_relaxed), end = std::min(first + count, tiles);
      if (first >= tiles) return;
      for (int64_t tile = first; tile < end; ++tile) fn(tile);
    }
  };
  executor_.run(std::min(tiles - cursor_.tile, threads), claim_tiles);
  const int64_t done = next.load(std::memory_order_relaxed);
  if (done < tiles) {
    cursor_.tile = done;
    stopped_ = true;
  } else {
    cursor_ = {index + 1, 0};
  }
}

}  // namespace puna
