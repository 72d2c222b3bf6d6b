#include "puna/ads/auction.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "puna/base/error.h"

namespace puna::ads {
namespace {

void require_amounts(std::span<const double> values, const char* what, double least) {
  for (size_t i = 0; i < values.size(); ++i)
    PUNA_REQUIRE(std::isfinite(values[i]) && values[i] >= least, "%s %zu is %g, expected a number of at least %g", what,
                 i, values[i], least);
}

struct Two {
  int32_t first = -1;
  double best = 0, next = 0;
};
Two best_two(std::span<const double> bids, double reserve) {
  require_amounts(bids, "bid", 0);
  PUNA_REQUIRE(std::isfinite(reserve) && reserve >= 0, "the reserve is %g, expected 0 or more", reserve);
  Two two{.first = -1, .best = 0, .next = reserve};
  for (size_t i = 0; i < bids.size(); ++i) {
    if (bids[i] < reserve) continue;
    if (two.first < 0 || bids[i] > two.best) {
      if (two.first >= 0) two.next = std::max(reserve, two.best);
      two.first = int32_t(i);
      two.best = bids[i];
    } else {
      two.next = std::max(two.next, bids[i]);
    }
  }
  return two;
}

}  // namespace

SingleResult second_price(std::span<const double> bids, double reserve) {
  const Two two = best_two(bids, reserve);
  return two.first < 0 ? SingleResult() : SingleResult{.winner = two.first, .price = two.next};
}

SingleResult first_price(std::span<const double> bids, double reserve) {
  const Two two = best_two(bids, reserve);
  return two.first < 0 ? SingleResult() : SingleResult{.winner = two.first, .price = two.best};
}

std::vector<SlotResult> sell_slots(SlotRule rule, std::span<const double> bids, std::span<const double> qualities,
                                   std::span<const double> click_factors) {
  PUNA_REQUIRE(bids.size() == qualities.size(), "there are %zu bids and %zu qualities", bids.size(), qualities.size());
  require_amounts(bids, "bid", 0);
  require_amounts(qualities, "quality", 0);
  require_amounts(click_factors, "click factor", 0);
  for (size_t j = 1; j < click_factors.size(); ++j)
    PUNA_REQUIRE(click_factors[j] <= click_factors[j - 1], "click factor %zu is above the one before it", j);
  std::vector<int32_t> order(bids.size());
  std::iota(order.begin(), order.end(), 0);
  const auto score = [&](int32_t i) { return bids[size_t(i)] * qualities[size_t(i)]; };
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return score(a) > score(b); });
  const size_t sold = std::min(click_factors.size(), order.size());
  const auto score_at = [&](size_t place) { return place < order.size() ? score(order[place]) : 0.0; };
  std::vector<SlotResult> slots(click_factors.size());
  double vcg = 0;  // for being shown in the slot, from the last one up
  for (size_t j = sold; j-- > 0;) {
    const int32_t i = order[j];
    const double clicks = click_factors[j], below = j + 1 < click_factors.size() ? click_factors[j + 1] : 0;
    const double quality = qualities[size_t(i)];
    vcg += (clicks - below) * score_at(j + 1);
    slots[j].winner = i;
    slots[j].expected = rule == SlotRule::vcg ? vcg : clicks * score_at(j + 1);
    slots[j].per_click = clicks > 0 && quality > 0 ? slots[j].expected / (clicks * quality) : 0;
  }
  return slots;
}

}  // namespace puna::ads
