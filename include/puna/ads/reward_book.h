// reward_book.h -- what was shown and what came of it, where rewards come late, twice, or in another order: impressions
// wait for their click until their window is over, and then count as shown, clicked or not. So a young impression does
// not pass for one that nobody clicked, and the sums do not depend on the order in which events arrive.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "puna/ads/choice.h"

namespace puna::ads {

struct RewardCounts {
  int64_t shown = 0, clicked = 0;  // counted so far
  int64_t waiting = 0;             // in their window
  int64_t repeated = 0;            // the same event again: left out
  int64_t late = 0;                // clicks after their window, or of impressions that are not known
};

class RewardBook {
 public:
  // Times are in any unit. Error{invalid_argument} unless the window is at least 0.
  explicit RewardBook(int64_t window);
  ~RewardBook();
  RewardBook(const RewardBook&) = delete;
  RewardBook& operator=(const RewardBook&) = delete;

  // The keys are the caller's, one an impression: a 64-bit id, or a hash of one.
  void shown(uint64_t key, int32_t segment, int32_t variant, int64_t time);
  // A click of an impression, which may itself be reported later. True: it counts.
  bool clicked(uint64_t key, int64_t time);

  // It is `now`: outcomes of all impressions whose window is over, summed by cell, in the order of segments and
  // variants. What was told of them is remembered for another window, so that repeats are known as such.
  std::vector<Outcome> collect(int64_t now);
  // Counts them and keeps the outcomes for collect(): of how many cells there are some.
  size_t settle(int64_t now);
  RewardCounts counts() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace puna::ads
