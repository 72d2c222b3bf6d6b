#include <algorithm>
#include <cmath>
#include <optional>

#include "base/det_math.h"
#include "base/normals.h"
#include "puna/ads/ledger.h"
#include "puna/ads/simulate.h"
#include "puna/base/error.h"

namespace puna::ads {
namespace {

constexpr double kTurn = 6.283185307179586;

// When the share `done` of a day's auctions has come: the inverse of 1 + .8 sin(...) integrated, by bisection.
double traffic_time(double done) {
  const auto share = [](double at) {
    const double shift = kTurn * 10 / 24;
    return at + 0.8 / kTurn * (det::cos(shift) - det::cos(kTurn * at - shift));
  };
  double low = 0, high = 1;
  for (int i = 0; i < 40; ++i) {
    const double middle = 0.5 * (low + high);
    (share(middle) < done ? low : high) = middle;
  }
  return low;
}

double level_at(PacingProcess process, double at) {
  const double plain = 1 + 0.5 * det::sin(kTurn * (at - 0.25));
  if (process == PacingProcess::drifting) return 1 + at;
  if (process == PacingProcess::spiking && at >= 0.5 && at < 14.0 / 24) return 3 * plain;
  return plain;
}

// What is measured while a day goes on.
class Meter {
 public:
  Meter(PacingRun& run, Micros budget) : run_(run), budget_(double(budget)) {}
  // Slots that are over at `at`; due(end) is the plan's share at a slot's end.
  template <class Due>
  void pass(double at, Micros spent, const Due& due) {
    for (; slot_ < kSlots && at * kSlots >= slot_ + 1; ++slot_) {
      const double share = double(spent) / budget_, planned = due(double(slot_ + 1) / kSlots);
      const double off = std::fabs(share - planned);
      run_.spent.push_back(share);
      run_.planned.push_back(planned);
      run_.deviation = std::max(run_.deviation, off);
      run_.mean_deviation += off / kSlots;
    }
  }

 private:
  PacingRun& run_;
  double budget_;
  int slot_ = 0;
};

struct PacingCase {
  const char* name;
  PacingMethod method;
  PaceBy pace_by = PaceBy::time;
  bool plan = false, multiplier = false;
};
constexpr PacingCase kPacingCases[] = {
    {"none", PacingMethod::none},
    {"throttle", PacingMethod::throttle},
    {"pi", PacingMethod::pi},
    {"dual descent", PacingMethod::dual, PaceBy::auctions},
    {"dual descent by time", PacingMethod::dual},
    {"shaped plan", PacingMethod::dual, PaceBy::auctions, true},
    {"shaped plan, yesterday's multiplier", PacingMethod::dual, PaceBy::auctions, true, true},
};

PacingRun run_pacing(const PacingCase& c, std::span<const AuctionRecord> day, const PacerOptions& options,
                     double oracle, const Watch& watch) {
  PacingRun run;
  run.name = c.name;
  Pacer pacer(options);
  Ledger ledger;
  const CampaignId campaign = ledger.add_campaign(ledger.add_account(options.budget), options.budget);
  Meter meter(run, options.budget);
  int64_t seen = 0;
  Micros spent = 0;
  const auto due = [&](double end) {
    if (options.plan) return options.plan->spent_by(end);
    return options.pace_by == PaceBy::time ? end : double(seen) / double(day.size());
  };
  for (const AuctionRecord& a : day) {
    watch.tick();
    meter.pass(a.at, spent, due);
    ++seen;
    const Micros bid = pacer.bid(a.at, a.value, ledger.left(campaign));
    if (bid <= 0) continue;
    const auto clock = int64_t(a.at * 86'400e6);
    const ReservationId reservation = ledger.reserve(campaign, bid, clock, 1'000'000);
    if (reservation == 0) continue;
    const bool won = bid > a.price;
    ledger.settle(reservation, won ? a.price : 0);
    if (!won) continue;
    pacer.won(a.price, a.value);
    spent += a.price;
    run.value += double(a.value);
    ++run.won;
    if (options.budget - spent < options.budget / 1000 && run.money_gone_hour == 24) run.money_gone_hour = 24 * a.at;
  }
  meter.pass(1, spent, due);
  const Balance balance = ledger.campaign(campaign);
  PUNA_INVARIANT(balance.spent == spent && balance.reserved == 0);
  run.used = double(spent) / double(options.budget);
  run.overspend = double(std::max<Micros>(0, spent - options.budget)) / double(options.budget);
  run.value_over_oracle = oracle > 0 ? run.value / oracle : 1;
  run.value /= double(kOneUnit);
  return run;
}

}  // namespace

std::vector<AuctionRecord> simulated_day(PacingProcess process, uint64_t seed, int64_t auctions, const Watch& watch) {
  PUNA_REQUIRE(auctions >= 1 && auctions <= 100'000'000, "auctions is %jd, expected 1 to 100000000", auctions);
  std::vector<AuctionRecord> day;
  day.reserve(size_t(auctions));
  Normals normals(seed, uint64_t(process) + 1);
  const double deviation = process == PacingProcess::heavy_tailed ? 1.2 : 0.6;
  for (int64_t t = 0; t < auctions; ++t) {
    watch.tick();
    const double done = double(t) / double(auctions),
                 at = process == PacingProcess::traffic ? traffic_time(done) : done;
    const double value = det::exp(deviation * double(normals.next()));
    const double price = det::exp(deviation * double(normals.next()) - 0.1) * level_at(process, at);
    day.push_back({.at = at, .value = Micros(value * double(kOneUnit)), .price = Micros(price * double(kOneUnit))});
  }
  return day;
}

Micros budget_of(std::span<const AuctionRecord> day, double share) {
  double all = 0;
  for (const AuctionRecord& a : day)
    if (a.value > a.price) all += double(a.price);
  return Micros(std::min(share * all, double(kMostMicros)));
}

std::vector<PacingRun> simulate_pacing(std::span<const AuctionRecord> day, Micros budget,
                                       std::span<const AuctionRecord> yesterday, Micros yesterdays_budget,
                                       uint64_t seed, const Watch& watch) {
  PUNA_REQUIRE(!day.empty() && budget > 0, "%zu auctions and a budget of %jd: nothing to pace", day.size(), budget);
  const double oracle = best_in_hindsight(day, budget, watch).value;
  std::optional<SpendPlan> plan;
  double multiplier = -1;
  if (!yesterday.empty()) {
    const Hindsight before = best_in_hindsight(yesterday, yesterdays_budget, watch);
    plan = plan_from(before);
    multiplier = before.multiplier;
  }
  std::vector<PacingRun> runs;
  for (const PacingCase& c : kPacingCases) {
    if (c.plan && !plan) continue;
    const PacerOptions options{.method = c.method,
                               .budget = budget,
                               .expected_auctions = int64_t(day.size()),
                               .pace_by = c.pace_by,
                               .plan = c.plan ? &*plan : nullptr,
                               .multiplier = c.multiplier ? multiplier : -1,
                               .seed = seed};
    runs.push_back(run_pacing(c, day, options, oracle, watch));
  }
  return runs;
}

}  // namespace puna::ads
