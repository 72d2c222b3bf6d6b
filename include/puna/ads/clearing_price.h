// clearing_price.h -- what the highest other bid in a first-price auction is likely to be, learnt from one's own bids:
// a log-normal for each hour, log price ~ N(m, s^2). A lost bid says only that the price was above it, a won one (where
// the exchange does not tell) that it was below: the likelihood is that of censored data, climbed by a step an auction.
#pragma once
#include <cstdint>
#include <vector>

namespace puna::ads {

class ClearingPrices {
 public:
  // Prices before anything is known: typical is their median, spread the standard deviation of their logarithm.
  // Error{invalid_argument} unless hours is 1 to 1,000 and both are above 0.
  ClearingPrices(int hours, double typical, double spread = 1);

  void saw(int hour, double price);  // it was told
  void won(int hour, double bid);    // it was at most this
  void lost(int hour, double bid);   // it was above this

  double win_probability(int hour, double bid) const noexcept;
  // The bid with the largest (value - bid) * win_probability(bid): the shaded bid of a first-price auction, 0 to value.
  double shaded_bid(int hour, double value) const noexcept;

  double median(int hour) const noexcept;
  double spread(int hour) const noexcept;

 private:
  struct Hour {
    double mean, log_spread;
    double mean_seen = 0, spread_seen = 0;  // information about each: what the steps are divided by
  };
  void step(Hour& hour, double by_mean, double by_spread, double mean_info, double spread_info) noexcept;
  Hour& at(int hour);
  const Hour& at(int hour) const noexcept;
  std::vector<Hour> hours_;
};

}  // namespace puna::ads
