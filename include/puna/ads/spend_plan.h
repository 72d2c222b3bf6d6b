// spend_plan.h -- which share of a day's budget is to be spent by when: evenly, or as the best constant multiplier
// would have spent it yesterday.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "puna/ads/money.h"
#include "puna/base/watch.h"

namespace puna::ads {

inline constexpr int kSlots = 288;  // of a day: five minutes each

// One auction of a day, as it is known afterwards.
struct AuctionRecord {
  double at = 0;     // share of the day that is over, in [0, 1)
  Micros value = 0;  // what winning is worth to the campaign
  Micros price = 0;  // the highest other bid
};

class SpendPlan {
 public:
  SpendPlan();  // linear in time
  // Shares of equal parts of the day, one behind the other; they need not add up to 1. Error{invalid_argument} unless
  // they are finite, none is negative, and some is positive.
  explicit SpendPlan(std::span<const double> shares);
  // The share of the budget that is to be spent when the share `at` of the day is over; 0 at 0, 1 from 1 on.
  double spent_by(double at) const noexcept;
  std::span<const double> cumulative() const noexcept { return cumulative_; }  // at the end of each part

 private:
  std::vector<double> cumulative_;  // [parts + 1], from 0 to 1
};

// A day looked at from its end: the best that a constant multiplier mu could have done with the budget in a second
// price auction, bidding value / (1 + mu). That is the knapsack: auctions by value over price, while the money lasts.
struct Hindsight {
  double value = 0;  // in micros, with the fraction of the last auction that the money does not reach
  Micros spent = 0;  // without it
  int64_t won = 0;
  double multiplier = 0;       // mu; 0: the budget was enough for all that was worth its price
  std::vector<double> shares;  // [kSlots] of the spend
};
Hindsight best_in_hindsight(std::span<const AuctionRecord> day, Micros budget, const Watch& watch = Watch());

// Yesterday as a plan for today. Few auctions say little about each five minutes: shares are averaged over a window,
// the wider the fewer auctions were won, and never fall to nothing.
SpendPlan plan_from(const Hindsight& yesterday);

}  // namespace puna::ads
