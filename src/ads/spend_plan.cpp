#include "puna/ads/spend_plan.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "puna/base/error.h"

namespace puna::ads {

SpendPlan::SpendPlan() : cumulative_{0, 1} {}

SpendPlan::SpendPlan(std::span<const double> shares) {
  cumulative_.assign(1, 0.0);
  for (size_t i = 0; i < shares.size(); ++i) {
    PUNA_REQUIRE(std::isfinite(shares[i]) && shares[i] >= 0 && shares[i] <= 1e12,
                 "share %zu of the plan is %g, expected a number from 0 to 1e12", i, shares[i]);
    cumulative_.push_back(cumulative_.back() + shares[i]);
  }
  const double all = cumulative_.back();
  PUNA_REQUIRE(all > 0, "the plan has %zu shares, and none of them is positive", shares.size());
  for (double& c : cumulative_) c /= all;
}

double SpendPlan::spent_by(double at) const noexcept {
  if (!(at > 0)) return 0;
  if (at >= 1) return 1;
  const double place = at * double(cumulative_.size() - 1);
  const auto part = size_t(place);
  return cumulative_[part] + (cumulative_[part + 1] - cumulative_[part]) * (place - double(part));
}

Hindsight best_in_hindsight(std::span<const AuctionRecord> day, Micros budget, const Watch& watch) {
  std::vector<size_t> order;
  for (size_t i = 0; i < day.size(); ++i)
    if (day[i].value > day[i].price) order.push_back(i);
  // By value over price, the first auction of those that are equal; cross-multiplied, so that prices may be 0.
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    watch.tick();
    const double left = double(day[a].value) * double(day[b].price),
                 right = double(day[b].value) * double(day[a].price);
    return left != right ? left > right : a < b;
  });
  Hindsight best;
  best.shares.assign(kSlots, 0.0);
  for (const size_t i : order) {
    const AuctionRecord& a = day[i];
    if (a.price > budget - best.spent) {
      best.value += double(a.value) * double(budget - best.spent) / double(a.price);
      best.multiplier = double(a.value) / double(a.price) - 1;
      break;
    }
    best.value += double(a.value);
    best.spent += a.price;
    ++best.won;
    best.shares[size_t(std::clamp(a.at, 0.0, 0.999999) * kSlots)] += double(a.price);
  }
  return best;
}

SpendPlan plan_from(const Hindsight& yesterday) {
  // About 400 wins in a window: then a share's error is a twentieth.
  const int half = std::clamp(int(200.0 * kSlots / double(std::max<int64_t>(yesterday.won, 1))), 0, kSlots / 8);
  const double all = std::accumulate(yesterday.shares.begin(), yesterday.shares.end(), 0.0);
  if (all <= 0) return SpendPlan();
  std::vector<double> smooth(kSlots, 0.0);
  for (int k = 0; k < kSlots; ++k) {
    const int from = std::max(0, k - half), to = std::min(kSlots - 1, k + half);
    for (int j = from; j <= to; ++j) smooth[size_t(k)] += yesterday.shares[size_t(j)];
    smooth[size_t(k)] = smooth[size_t(k)] / double(to - from + 1) / all + 0.02 / kSlots;
  }
  return SpendPlan(smooth);
}

}  // namespace puna::ads
