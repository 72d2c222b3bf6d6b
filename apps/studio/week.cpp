// week.cpp -- seven days of a brief's budget: auctions as `puna ads simulate pacing` makes them, in prices by which a
// third of what is worth its price can be bought, and readers with made-up click rates. It shows how budget and choice
// behave, not what an advertisement will earn.
#include <algorithm>
#include <cmath>
#include <optional>

#include "base/json.h"
#include "puna/ads/choice.h"
#include "puna/ads/pacing.h"
#include "puna/ads/simulate.h"
#include "puna/base/philox.h"
#include "studio.h"

namespace puna::studio {

using namespace ads;

namespace {

constexpr int64_t kAuctionsADay = 4000;
constexpr size_t kMostDays = 7, kHours = 24;
constexpr double kClickFactor = 3;  // more than most have, so that a week shows something

// A day whose every auction below its value would cost 1 / .3 of the budget.
std::vector<AuctionRecord> day_for(Micros budget, uint64_t seed) {
  std::vector<AuctionRecord> day = simulated_day(PacingProcess::traffic, seed, kAuctionsADay);
  const double scale = double(budget) / double(std::max<Micros>(1, budget_of(day, 0.3)));
  for (AuctionRecord& a : day) {
    a.value = std::min(kMostMicros, Micros(double(a.value) * scale));
    a.price = std::min(kMostMicros, Micros(double(a.price) * scale));
  }
  return day;
}

int32_t segment_of(const Brief& brief, double u) {
  for (size_t s = 0; s + 1 < brief.segments.size(); ++s)
    if ((u -= brief.segments[s].share) < 0) return int32_t(s);
  return int32_t(brief.segments.size()) - 1;
}

}  // namespace

std::string simulated_week(const Brief& brief, int32_t variants, uint64_t seed) {
  const auto segments = int32_t(brief.segments.size());
  const World world = simulated_world(seed, segments, variants, 0.35);
  ChooserOptions choosing;
  choosing.segments = segments;
  choosing.variants = variants;
  choosing.floor = std::min(0.02, 1.0 / double(variants));
  Chooser chooser(choosing);
  std::vector<Micros> budgets = brief.budget.by_day();
  if (budgets.size() > kMostDays) budgets.resize(kMostDays);

  OrderedJson days = OrderedJson::array();
  std::vector<AuctionRecord> before;
  Micros budget_before = 0;
  uint64_t number = 0;
  for (size_t d = 0; d < budgets.size(); ++d) {
    const Micros budget = budgets[d];
    const std::vector<AuctionRecord> day = day_for(budget, seed * 31 + d);
    std::optional<SpendPlan> plan;
    PacerOptions pacing;
    pacing.budget = budget;
    pacing.expected_auctions = kAuctionsADay;
    pacing.pace_by = PaceBy::auctions;
    if (!before.empty()) {
      const Hindsight best = best_in_hindsight(before, budget_before);
      plan = plan_from(best);
      pacing.plan = &*plan;
      pacing.multiplier = best.multiplier;
    }
    Pacer pacer(pacing);
    Micros left = budget;
    int64_t impressions = 0, clicks = 0;
    std::vector<Micros> by_hour(kHours, 0);
    std::vector<int64_t> shown(size_t(variants), 0);
    std::vector<Outcome> outcomes;
    for (const AuctionRecord& a : day) {
      if (pacer.bid(a.at, a.value, left) <= a.price) continue;
      left -= a.price;
      pacer.won(a.price, a.value);
      by_hour[std::min(kHours - 1, size_t(a.at * double(kHours)))] += a.price;
      const Philox draw = philox(seed, number, 7);
      const int32_t s = segment_of(brief, (double(draw.word[0]) + 0.5) / 4294967296.0);
      const int32_t k = chooser.choose(s, seed, number++).variant;
      const double rate = std::min(0.5, kClickFactor * world.p[size_t(s) * size_t(variants) + size_t(k)]);
      const bool clicked = (double(draw.word[1]) + 0.5) / 4294967296.0 < rate;
      ++impressions;
      clicks += clicked;
      ++shown[size_t(k)];
      outcomes.push_back({.segment = s, .variant = k, .shown = 1, .clicks = clicked ? 1.0 : 0.0});
    }
    chooser.update(outcomes);
    days.push_back({{"budget", budget},
                    {"spent", budget - left},
                    {"by_hour", by_hour},
                    {"impressions", impressions},
                    {"clicks", clicks},
                    {"shown", shown}});
    before = day;
    budget_before = budget;
  }
  OrderedJson names = OrderedJson::array();
  for (const Segment& s : brief.segments) names.push_back(s.name);
  OrderedJson tomorrow = OrderedJson::array();
  for (int32_t s = 0; s < segments; ++s) {
    const auto p = chooser.propensities(s);
    tomorrow.push_back(std::vector<double>(p.begin(), p.end()));
  }
  return json_text({{"currency", brief.budget.currency}, {"days", days}, {"segments", names}, {"tomorrow", tomorrow}});
}

}  // namespace puna::studio
