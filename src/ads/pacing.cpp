#include "puna/ads/pacing.h"

#include <algorithm>
#include <cmath>

#include "base/det_math.h"
#include "puna/base/error.h"
#include "puna/base/philox.h"

namespace puna::ads {
namespace {

constexpr double kMostMultiplier = 1e6, kMostTheta = 13.8;  // log(1e6)
constexpr double kLeastLambda = 0.005;
constexpr Micros kMostSpent = 2 * kMostMicros;  // more is all the same, and never an overflow
// A campaign that knows nothing of its day begins at half its values, and moves quickly for the first hundredth of it.
constexpr double kColdTheta = 0.5;
constexpr double kColdBoost = 5, kColdShare = 0.02;
// With the right plan the best multiplier is constant. How far log(1 + mu) may go from yesterday's, beside its noise,
// until the plan is doubted, and how much farther until it is dropped.
constexpr double kDoubt = 0.02, kDoubtNoise = 2, kDrop = 0.04;
constexpr double kAverage = 0.04;  // of the day, over which the difference is averaged

const PacerOptions& checked(const PacerOptions& o) {
  PUNA_REQUIRE(o.budget >= 0 && o.budget <= kMostMicros, "budget is %jd, expected 0 to %jd", o.budget, kMostMicros);
  PUNA_REQUIRE(o.expected_auctions >= 1, "expected_auctions is %jd, expected at least 1", o.expected_auctions);
  PUNA_REQUIRE(o.multiplier == -1 || (o.multiplier >= 0 && o.multiplier <= kMostMultiplier),
               "multiplier is %g, expected 0 to %g, or -1 for none", o.multiplier, kMostMultiplier);
  PUNA_REQUIRE(o.least_return >= 0 && o.least_return <= 1e6, "least_return is %g, expected 0 to 1e6", o.least_return);
  PUNA_REQUIRE(o.at >= 0 && o.at <= 1, "at is %g, expected 0 to 1", o.at);
  PUNA_REQUIRE(o.spent >= 0 && o.spent <= o.budget, "spent is %jd, expected 0 to the budget", o.spent);
  return o;
}

}  // namespace

static_assert(sizeof(Pacer) == 128);

Pacer::Pacer(const PacerOptions& o)
    : plan_(checked(o).plan),
      budget_(o.budget),
      spent_(o.spent),
      bids_(uint64_t(o.at * double(o.expected_auctions))),
      expected_(o.expected_auctions),
      method_(o.method),
      pace_by_(o.pace_by),
      warm_(o.multiplier >= 0) {
  if (method_ != PacingMethod::dual) {
    slots_ = {.lambda = 0.5, .spent = 0, .seed = o.seed, .slot = int32_t(o.at * kSlots)};
    return;
  }
  const double theta = warm_ ? det::log1p(o.multiplier) : kColdTheta;
  dual_ = {.theta = theta,
           .theta0 = theta,
           .least_return = o.least_return,
           // A return of at least 1 is sure when no bid is above its value; more is sure at value / least_return.
           .phi = o.least_return > 1 ? det::log(o.least_return) : 0,
           .trust = 1,
           .average = 0,
           .planned = o.plan ? o.plan->spent_by(o.at) : 0,
           .even = o.at,
           .squares = 0,
           // Large steps keep to the plan, small ones keep the bids even. A day of many auctions has little noise to
           // follow.
           .gain = std::clamp(6.2 * det::pow(double(expected_), 1.0 / 6), 10.0, 60.0)};
}

double Pacer::gain() const noexcept {
  return warm_ || dual_.even > 0.1 ? dual_.gain : dual_.gain * (1 + kColdBoost * det::exp(-dual_.even / kColdShare));
}

double Pacer::multiplier() const noexcept {
  if (method_ == PacingMethod::dual) return det::exp(dual_.theta) - 1;
  return method_ == PacingMethod::pi ? 1 / slots_.lambda - 1 : 0;
}
double Pacer::lambda() const noexcept {
  return method_ == PacingMethod::dual ? det::exp(-dual_.theta) : method_ == PacingMethod::none ? 1 : slots_.lambda;
}
double Pacer::trust() const noexcept { return method_ == PacingMethod::dual ? dual_.trust : 1; }

// The share of what is left of the budget that has become due since the last bid.
double Pacer::share_due(double at) noexcept {
  const auto passed = [](double& before, double now) {  // of what was left of the day
    const double share = before < 1 ? std::max(0.0, now - before) / (1 - before) : 0;
    before = std::max(before, now);
    return share;
  };
  const double even =
      passed(dual_.even, pace_by_ == PaceBy::time ? at : std::min(1.0, double(bids_) / double(expected_)));
  return plan_ ? dual_.trust * passed(dual_.planned, plan_->spent_by(at)) + (1 - dual_.trust) * even : even;
}

// The day is unlike the one that the plan is from when following the plan moves mu.
void Pacer::doubt_plan() noexcept {
  if (!plan_ || !warm_ || spent_ == 0) return;
  // The variance of theta under this control: gain times the variance that one day's purchases bring to the spend, over
  // twice how strongly spend answers to theta (about 2).
  const double noise = std::sqrt(dual_.gain * dual_.squares * double(budget_) / double(spent_) / 4);
  const double off = std::fabs(dual_.average) - kDoubt - kDoubtNoise * noise;
  if (off > 0) dual_.trust = std::min(dual_.trust, std::max(0.0, 1 - off / kDrop));
}

void Pacer::step_dual(double at) noexcept {
  const double left = std::max(0.0, 1 - double(spent_) / double(budget_));
  const double before = dual_.even;
  dual_.theta = std::max(0.0, dual_.theta - gain() * left * share_due(at));
  dual_.average += (dual_.theta - dual_.theta0 - dual_.average) * std::min(1.0, (dual_.even - before) / kAverage);
  doubt_plan();
}

// At the end of a slot: what is to be spent in the next one, over what was spent in this one.
void Pacer::step_slots(double at) noexcept {
  const int32_t slot = int32_t(std::clamp(at, 0.0, 0.999999) * kSlots);
  if (slot <= slots_.slot) return;
  const double by = double(slot + 1) / kSlots;
  const double want = std::max(0.0, (plan_ ? plan_->spent_by(by) : by) * double(budget_) - double(spent_));
  const double got = std::max(1.0, double(slots_.spent) / double(slot - slots_.slot));
  slots_.lambda = std::clamp(slots_.lambda * std::sqrt(std::clamp(want / got, 0.7, 1.4)), kLeastLambda, 1.0);
  slots_.slot = slot;
  slots_.spent = 0;
}

Micros Pacer::bid(double at, Micros value, Micros left) noexcept {
  if (value <= 0 || left <= 0 || budget_ <= 0) return 0;
  at = at > 0 ? std::min(at, 1.0) : 0;  // also of NaN
  ++bids_;
  double bid = double(value);
  switch (method_) {
    case PacingMethod::none: break;
    case PacingMethod::dual:
      step_dual(at);
      bid *= det::exp(-std::max(dual_.theta, dual_.phi));
      break;
    case PacingMethod::pi:
      step_slots(at);
      bid *= slots_.lambda;
      break;
    case PacingMethod::throttle:
      step_slots(at);
      if (double(philox(slots_.seed, bids_).word[0]) >= slots_.lambda * 4294967296.0) return 0;
      break;
  }
  return bid >= double(left) ? left : Micros(bid);
}

void Pacer::won(Micros price, Micros value) noexcept {
  if (budget_ <= 0) return;
  spent_ = std::min(spent_ + price, kMostSpent);
  if (method_ != PacingMethod::dual) {
    slots_.spent = std::min(slots_.spent + price, kMostSpent);
    return;
  }
  const double share = double(price) / double(budget_);
  dual_.squares += share * share;
  dual_.theta = std::min(kMostTheta, dual_.theta + gain() * share);
  // What the return is above its target may be spent on dearer purchases.
  if (dual_.least_return > 1)
    dual_.phi =
        std::max(0.0, dual_.phi - dual_.gain * (double(value) / (dual_.least_return * double(budget_)) - share));
}

}  // namespace puna::ads
