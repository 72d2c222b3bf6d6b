// Pacing: money is never overspent, plans are kept, and what it buys comes near the best in hindsight; on processes of
// seeds that nothing was tuned on.
#include <algorithm>
#include <cmath>

#include "puna/ads/pacing.h"
#include "puna/ads/simulate.h"
#include "support/catch.h"
#include "support/status.h"

using namespace puna;
using namespace puna::ads;
using namespace puna::test;

namespace {

constexpr PacingProcess kAll[] = {PacingProcess::plain, PacingProcess::drifting, PacingProcess::spiking,
                                  PacingProcess::heavy_tailed, PacingProcess::traffic};

struct Floors {
  double cold, planned, warm;
};

const PacingRun& run_of(const std::vector<PacingRun>& runs, const std::string& name) {
  for (const PacingRun& r : runs)
    if (r.name == name) return r;
  FAIL("no run is called " << name);
  return runs[0];
}

std::vector<PacingRun> day_of(PacingProcess today, PacingProcess before, uint64_t seed, int64_t auctions) {
  const auto day = simulated_day(today, seed, auctions), yesterday = simulated_day(before, seed + 5000, auctions);
  return simulate_pacing(day, budget_of(day, 0.3), yesterday, budget_of(yesterday, 0.3), seed);
}

// Means over seeds of the three runs that matter.
Floors means(PacingProcess today, PacingProcess before, int64_t auctions, int seeds) {
  Floors sum{};
  for (int s = 0; s < seeds; ++s) {
    const auto runs = day_of(today, before, 40 + uint64_t(s), auctions);
    for (const PacingRun& r : runs) {
      CAPTURE(r.name, s, auctions, int(today));
      CHECK(r.overspend == 0);
      CHECK(r.used <= 1);
      if (r.name != "throttle") CHECK(r.used >= 0.98);
      CHECK(r.spent.size() == size_t(kSlots));
      CHECK(std::is_sorted(r.spent.begin(), r.spent.end()));
      CHECK(r.value_over_oracle <= 1);
    }
    sum.cold += run_of(runs, "dual descent").value_over_oracle / seeds;
    sum.planned += run_of(runs, "shaped plan").value_over_oracle / seeds;
    sum.warm += run_of(runs, "shaped plan, yesterday's multiplier").value_over_oracle / seeds;
    if (auctions >= 50'000 && today == before) {
      CHECK(run_of(runs, "dual descent").deviation <= 0.035);
      CHECK(run_of(runs, "shaped plan, yesterday's multiplier").deviation <= 0.03);
    }
  }
  return sum;
}

}  // namespace

TEST_CASE("pacing buys nearly what hindsight would, on every process", "[ads]") {
  for (const PacingProcess p : kAll) {
    CAPTURE(int(p));
    const Floors got = means(p, p, 50'000, 2);
    CHECK(got.cold >= (p == PacingProcess::spiking ? 0.955 : 0.97));  // an even plan costs that much in a spike
    CHECK(got.planned >= 0.99);
    CHECK(got.warm >= 0.997);
  }
}

TEST_CASE("a small advertiser's three thousand auctions are paced as well", "[ads]") {
  for (const PacingProcess p : kAll) {
    CAPTURE(int(p));
    const Floors got = means(p, p, 3000, 6);
    CHECK(got.cold >= 0.94);
    CHECK(got.planned >= 0.97);
    CHECK(got.warm >= 0.98);
  }
}

TEST_CASE("a plan of a day unlike today is dropped before it costs much", "[ads]") {
  double loss = 0;
  int pairs = 0;
  for (const PacingProcess p : {PacingProcess::plain, PacingProcess::drifting, PacingProcess::traffic})
    for (const PacingProcess before : {PacingProcess::drifting, PacingProcess::spiking, PacingProcess::traffic}) {
      if (p == before) continue;
      CAPTURE(int(p), int(before));
      const Floors got = means(p, before, 20'000, 2);
      CHECK(got.warm >= got.cold - 0.03);
      loss += got.cold - got.warm;
      ++pairs;
    }
  CHECK(loss / pairs <= 0.01);
}

TEST_CASE("the plan is what hindsight spent, and days look as they were described", "[ads]") {
  const auto day = simulated_day(PacingProcess::plain, 3, 20'000);
  const Micros budget = budget_of(day, 0.3);
  const Hindsight best = best_in_hindsight(day, budget);
  CHECK(best.spent <= budget);
  // Bidding value / (1 + mu) all day spends the budget to within one purchase: the multiplier is the knapsack's.
  double spent = 0, value = 0, dearest = 0;
  for (const AuctionRecord& a : day) {
    CHECK(a.at >= 0);
    CHECK(a.at < 1);
    if (double(a.value) > double(a.price) * (1 + best.multiplier)) {
      spent += double(a.price);
      value += double(a.value);
      dearest = std::max(dearest, double(a.price));
    }
  }
  CHECK(std::fabs(spent - double(budget)) <= 2 * dearest);
  CHECK(std::fabs(value - best.value) <= 2e-3 * best.value);
  // No other constant multiplier that keeps the budget is better.
  for (const double mu : {0.0, best.multiplier * 0.9, best.multiplier * 1.1, best.multiplier + 1}) {
    double cost = 0, worth = 0;
    for (const AuctionRecord& a : day)
      if (double(a.value) > double(a.price) * (1 + mu) && cost + double(a.price) <= double(budget)) {
        cost += double(a.price);
        worth += double(a.value);
      }
    CHECK(worth <= best.value);
  }
  const SpendPlan plan = plan_from(best);
  CHECK(plan.spent_by(-1) == 0);
  CHECK(plan.spent_by(0) == 0);
  CHECK(plan.spent_by(1) == 1);
  CHECK(plan.spent_by(7) == 1);
  double before = 0;
  for (int i = 1; i <= 100; ++i) {
    CHECK(plan.spent_by(i / 100.0) >= before);
    before = plan.spent_by(i / 100.0);
  }
  CHECK(SpendPlan().spent_by(0.25) == 0.25);
}

TEST_CASE("a return that was asked for is reached, and less is bought for it", "[ads]") {
  const auto day = simulated_day(PacingProcess::plain, 9, 50'000);
  double before = INFINITY;
  for (const double wanted : {0.0, 2.5, 4.0, 6.0}) {
    PacerOptions o;
    o.budget = budget_of(day, 0.5);
    o.expected_auctions = int64_t(day.size());
    o.least_return = wanted;
    Pacer pacer(o);
    Micros left = o.budget;
    double value = 0, spent = 0;
    for (const AuctionRecord& a : day) {
      const Micros bid = pacer.bid(a.at, a.value, left);
      REQUIRE(bid <= left);
      if (bid <= a.price) continue;
      left -= a.price;
      value += double(a.value);
      spent += double(a.price);
      pacer.won(a.price, a.value);
    }
    CAPTURE(wanted, value / spent, spent / double(o.budget));
    CHECK(value >= wanted * spent * 0.999);
    if (wanted >= 4) CHECK(value <= wanted * spent * 1.1);  // and not much more than was asked for
    CHECK(value <= before * 1.001);
    before = value;
  }
}

TEST_CASE("pacing does not care about the unit of money, nor about a clock that jumps", "[ads]") {
  const auto day = simulated_day(PacingProcess::plain, 5, 20'000);
  const auto spend = [&](Micros unit, bool jumps) {
    PacerOptions o;
    o.budget = budget_of(day, 0.3) * unit;
    o.expected_auctions = int64_t(day.size());
    Pacer pacer(o);
    Micros left = o.budget;
    double value = 0;
    for (size_t t = 0; t < day.size(); ++t) {
      double at = day[t].at;
      if (jumps && t % 100 == 99) at = t % 200 == 99 ? -1e300 : at - 0.3;  // a wrong clock for one auction
      if (jumps && t % 1000 == 500) at = NAN;
      const Micros bid = pacer.bid(at, day[t].value * unit, left), price = day[t].price * unit;
      REQUIRE(bid >= 0);
      REQUIRE(bid <= left);
      if (bid <= price) continue;
      left -= price;
      value += double(day[t].value);
      pacer.won(price, day[t].value * unit);
    }
    return value;
  };
  const double value = spend(1, false);
  CHECK(std::fabs(spend(1000, false) - value) <= 1e-3 * value);
  CHECK(std::fabs(spend(1, true) - value) <= 0.01 * value);
}

TEST_CASE("what a pacer is given is checked by name", "[ads]") {
  const auto status = [](auto change) {
    PacerOptions o;
    o.budget = kOneUnit;
    o.expected_auctions = 10;
    change(o);
    return status_of([&] { Pacer pacer(o); });
  };
  CHECK(status([](PacerOptions&) {}) == Status::ok);
  CHECK(status([](PacerOptions& o) { o.budget = -1; }) == Status::invalid_argument);
  CHECK(status([](PacerOptions& o) { o.budget = INT64_MAX; }) == Status::invalid_argument);
  CHECK(status([](PacerOptions& o) { o.expected_auctions = 0; }) == Status::invalid_argument);
  CHECK(status([](PacerOptions& o) { o.multiplier = NAN; }) == Status::invalid_argument);
  CHECK(status([](PacerOptions& o) { o.least_return = -1; }) == Status::invalid_argument);
  CHECK(status_of([] { SpendPlan plan(std::vector<double>{0.0, 0.0}); }) == Status::invalid_argument);
  CHECK(status_of([] { SpendPlan plan(std::vector<double>{1.0, -1.0}); }) == Status::invalid_argument);
  CHECK(status_of([] { SpendPlan plan(std::vector<double>{1.0, NAN}); }) == Status::invalid_argument);
  CHECK(status_of([] { SpendPlan plan(std::span<const double>{}); }) == Status::invalid_argument);
  static_assert(sizeof(Pacer) <= 200, "a campaign is at most 200 bytes");
  PacerOptions o;
  o.budget = 0;
  o.expected_auctions = 10;
  Pacer nothing(o);
  CHECK(nothing.bid(0.5, kOneUnit, kOneUnit) == 0);
}
