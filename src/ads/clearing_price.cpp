#include "puna/ads/clearing_price.h"

#include <algorithm>
#include <cmath>

#include "base/det_math.h"
#include "puna/base/error.h"

namespace puna::ads {
namespace {

constexpr double kHalfLog2Pi = 0.9189385332046727, kRoot2 = 1.4142135623730951;

double density(double z) noexcept { return det::exp(-0.5 * z * z - kHalfLog2Pi); }

// The normal distribution's lower tail; far out by its asymptotic series, where 1 + erf has no digits left.
double below(double z) noexcept {
  if (z > -5) return 0.5 * (1 + det::erf(z / kRoot2));
  const double s = 1 / (z * z);
  return density(z) / -z * (1 - s * (1 - 3 * s * (1 - 5 * s)));
}
// density(z) / below(z)
double hazard(double z) noexcept { return z > -30 ? density(z) / below(z) : -z; }

constexpr double kPriorSeen = 5;  // auctions that the first guess counts for
constexpr double kLeastSpread = 0.05, kMostSpread = 5;

}  // namespace

ClearingPrices::ClearingPrices(int hours, double typical, double spread) {
  PUNA_REQUIRE(hours >= 1 && hours <= 1000, "hours is %d, expected 1 to 1000", hours);
  PUNA_REQUIRE(std::isfinite(typical) && typical > 0, "the typical price is %g, expected a number above 0", typical);
  PUNA_REQUIRE(spread >= kLeastSpread && spread <= kMostSpread, "the spread is %g, expected %g to %g", spread,
               kLeastSpread, kMostSpread);
  hours_.assign(size_t(hours), Hour{.mean = det::log(typical), .log_spread = det::log(spread)});
}

ClearingPrices::Hour& ClearingPrices::at(int hour) {
  PUNA_REQUIRE(hour >= 0 && size_t(hour) < hours_.size(), "hour is %d, expected 0 to %zu", hour, hours_.size() - 1);
  return hours_[size_t(hour)];
}
const ClearingPrices::Hour& ClearingPrices::at(int hour) const noexcept {
  return hours_[std::min(size_t(std::max(hour, 0)), hours_.size() - 1)];
}

// Fisher scoring, an auction at a time: the gradient over the information that was gathered.
void ClearingPrices::step(Hour& h, double by_mean, double by_spread, double mean_info, double spread_info) noexcept {
  h.mean_seen += mean_info;
  h.spread_seen += spread_info;
  const double s = det::exp(h.log_spread);
  h.mean += std::clamp(s * by_mean / (kPriorSeen + h.mean_seen), -0.5 * s, 0.5 * s);
  h.log_spread = std::clamp(h.log_spread + std::clamp(by_spread / (2 * kPriorSeen + h.spread_seen), -0.2, 0.2),
                            det::log(kLeastSpread), det::log(kMostSpread));
}

void ClearingPrices::saw(int hour, double price) {
  Hour& h = at(hour);
  if (!(price > 0) || !std::isfinite(price)) return;
  const double z = (det::log(price) - h.mean) / det::exp(h.log_spread);
  step(h, z, z * z - 1, 1, 2);
}

// d log Phi(z): with z = (log bid - m) / s, dz/dm = -1/s and dz/dlog s = -z.
void ClearingPrices::won(int hour, double bid) {
  Hour& h = at(hour);
  if (!(bid > 0) || !std::isfinite(bid)) return;
  const double z = (det::log(bid) - h.mean) / det::exp(h.log_spread), g = hazard(z);
  const double info = density(z) * density(z) / std::max(1e-12, below(z) * below(-z));
  step(h, -g, -z * g, info, z * z * info);
}

void ClearingPrices::lost(int hour, double bid) {
  Hour& h = at(hour);
  if (!(bid > 0) || !std::isfinite(bid)) return;
  const double z = (det::log(bid) - h.mean) / det::exp(h.log_spread), g = hazard(-z);
  const double info = density(z) * density(z) / std::max(1e-12, below(z) * below(-z));
  step(h, g, z * g, info, z * z * info);
}

double ClearingPrices::win_probability(int hour, double bid) const noexcept {
  const Hour& h = at(hour);
  return bid > 0 ? below((det::log(bid) - h.mean) / det::exp(h.log_spread)) : 0;
}

// A log-normal's surplus has one maximum (log F is concave in log bid): 24 points, then a golden section around the
// best.
double ClearingPrices::shaded_bid(int hour, double value) const noexcept {
  if (!(value > 0) || !std::isfinite(value)) return 0;
  const auto surplus = [&](double share) { return (1 - share) * win_probability(hour, share * value); };
  constexpr int kPoints = 24;
  int best = 1;
  double most = -1;
  for (int i = 1; i < kPoints; ++i) {
    const double s = surplus(double(i) / kPoints);
    if (s > most) {
      most = s;
      best = i;
    }
  }
  double low = double(best - 1) / kPoints, high = double(best + 1) / kPoints;
  constexpr double kGolden = 0.6180339887498949;
  double a = high - kGolden * (high - low), b = low + kGolden * (high - low), at_a = surplus(a), at_b = surplus(b);
  for (int i = 0; i < 16; ++i) {
    if (at_a >= at_b) {
      high = b;
      b = a;
      at_b = at_a;
      a = high - kGolden * (high - low);
      at_a = surplus(a);
    } else {
      low = a;
      a = b;
      at_a = at_b;
      b = low + kGolden * (high - low);
      at_b = surplus(b);
    }
  }
  return 0.5 * (low + high) * value;
}

double ClearingPrices::median(int hour) const noexcept { return det::exp(at(hour).mean); }
double ClearingPrices::spread(int hour) const noexcept { return det::exp(at(hour).log_spread); }

}  // namespace puna::ads
