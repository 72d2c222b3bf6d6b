// ads_pacing.cpp -- puna_spend_plan_*, puna_pacer_*, and days to measure pacing on.
#if PUNA_ADS
#include "ads_handles.h"
#include "puna/ads/simulate.h"

using namespace puna;
using namespace puna::capi;
using namespace puna::ads;

namespace {

constexpr uint64_t kMostAuctions = 100'000'000;
constexpr size_t kMostShares = 100'000;

std::vector<AuctionRecord> day_from_c(const puna_ads_day* theirs) {
  PUNA_REQUIRE(theirs != nullptr, "day is NULL");
  const puna_ads_day d = read_options(theirs, "puna_ads_day");
  require_reserved(d.reserved, "puna_ads_day");
  PUNA_REQUIRE(d.count >= 1 && d.count <= kMostAuctions, "puna_ads_day.count is %ju, expected 1 to %ju", d.count,
               kMostAuctions);
  const auto at = array_view(d.at, d.count, "at");
  const auto values = array_view(d.values, d.count, "values"), prices = array_view(d.prices, d.count, "prices");
  std::vector<AuctionRecord> day;
  day.reserve(at.size());
  for (size_t i = 0; i < at.size(); ++i) {
    PUNA_REQUIRE(at[i] >= 0 && at[i] < 1, "at[%zu] is %g, expected a number from 0 to below 1", i, at[i]);
    PUNA_REQUIRE(i == 0 || at[i] >= at[i - 1], "at[%zu] is %g, before the auction that comes before it", i, at[i]);
    PUNA_REQUIRE(values[i] >= 0 && values[i] <= kMostMicros, "values[%zu] is %jd, expected 0 to %jd", i, values[i],
                 kMostMicros);
    PUNA_REQUIRE(prices[i] >= 0 && prices[i] <= kMostMicros, "prices[%zu] is %jd, expected 0 to %jd", i, prices[i],
                 kMostMicros);
    day.push_back({.at = at[i], .value = values[i], .price = prices[i]});
  }
  return day;
}

PacerOptions options_from_c(const puna_pacer_options& o) {
  static_assert(PUNA_PACING_NONE == int(PacingMethod::none) && PUNA_PACE_BY_AUCTIONS == int(PaceBy::auctions));
  PUNA_REQUIRE(o.method >= PUNA_PACING_DUAL && o.method <= PUNA_PACING_NONE,
               "method is %d, expected PUNA_PACING_DUAL, _PI, _THROTTLE or _NONE", o.method);
  PUNA_REQUIRE(o.pace_by == PUNA_PACE_BY_TIME || o.pace_by == PUNA_PACE_BY_AUCTIONS,
               "pace_by is %d, expected PUNA_PACE_BY_TIME or _AUCTIONS", o.pace_by);
  return {
      .method = PacingMethod(o.method),
      .budget = amount_in(o.budget, "budget"),
      .expected_auctions = in_range(o.expected_auctions, 1, INT64_MAX, "expected_auctions"),
      .pace_by = PaceBy(o.pace_by),
      .plan = o.plan ? o.plan->impl.get() : nullptr,
      .multiplier = flag(o.has_multiplier, "has_multiplier") ? number_in_range(o.multiplier, 0, 1e6, "multiplier") : -1,
      .least_return = o.least_return,
      .seed = o.seed,
      .at = o.at,
      .spent = o.spent};
}

}  // namespace

puna_status puna_spend_plan_create(const double* shares, size_t count, puna_spend_plan** plan) {
  return guard([&] {
    PUNA_REQUIRE(shares != nullptr, "shares is NULL");
    PUNA_REQUIRE(plan != nullptr, "plan is NULL");
    (void)in_range(int64_t(count), 1, kMostShares, "count");
    *plan = new puna_spend_plan{std::make_shared<const SpendPlan>(std::span(shares, count))};
  });
}

puna_status puna_spend_plan_learn(const puna_ads_day* day, int64_t budget, puna_hindsight* hindsight,
                                  puna_spend_plan** plan) {
  return guard([&] {
    const std::vector<AuctionRecord> records = day_from_c(day);
    const Hindsight best = best_in_hindsight(records, amount_in(budget, "budget"));
    auto made = plan ? std::make_unique<puna_spend_plan>(std::make_shared<const SpendPlan>(plan_from(best))) : nullptr;
    if (hindsight) {
      puna_hindsight h{};
      h.value = best.value;
      h.spent = best.spent;
      h.won = best.won;
      h.multiplier = best.multiplier;
      write_info(h, hindsight, "puna_hindsight");
    }
    if (plan) *plan = made.release();
  });
}

puna_status puna_spend_plan_spent_by(const puna_spend_plan* plan, double at, double* share) {
  return guard([&] {
    const auto& p = ads_handle(plan, "plan");
    double& out = ads_output(share, "share");
    out = p->spent_by(number_in_range(at, 0, 1, "at"));
  });
}

void puna_spend_plan_free(puna_spend_plan* plan) { delete plan; }

puna_status puna_pacer_create(const puna_pacer_options* options, puna_pacer** pacer) {
  return guard([&] {
    PUNA_REQUIRE(options != nullptr, "options is NULL: a pacer has a budget");
    PUNA_REQUIRE(pacer != nullptr, "pacer is NULL");
    const puna_pacer_options o = read_options(options, "puna_pacer_options");
    *pacer = new puna_pacer{o.plan ? o.plan->impl : nullptr, Pacer(options_from_c(o))};
  });
}

puna_status puna_pacer_bid(puna_pacer* pacer, double at, int64_t value, int64_t left, int64_t* bid) {
  return guard([&] {
    Pacer& p = ads_handle(pacer, "pacer");
    int64_t& out = ads_output(bid, "bid");
    out = p.bid(number_in_range(at, 0, 1, "at"), amount_in(value, "value"), amount_in(left, "left"));
  });
}

puna_status puna_pacer_won(puna_pacer* pacer, int64_t price, int64_t value) {
  return guard([&] { ads_handle(pacer, "pacer").won(amount_in(price, "price"), amount_in(value, "value")); });
}

puna_status puna_pacer_get_info(const puna_pacer* pacer, puna_pacer_info* info) {
  return guard([&] {
    const Pacer& p = ads_handle(pacer, "pacer");
    puna_pacer_info i{};
    i.multiplier = p.multiplier();
    i.lambda = p.lambda();
    i.trust = p.trust();
    write_info(i, info, "puna_pacer_info");
  });
}

void puna_pacer_free(puna_pacer* pacer) { delete pacer; }

puna_status puna_simulate_day(int32_t process, uint64_t seed, size_t count, double* at, int64_t* values,
                              int64_t* prices) {
  static_assert(PUNA_DAY_TRAFFIC == int(PacingProcess::traffic));
  return guard([&] {
    PUNA_REQUIRE(process >= PUNA_DAY_PLAIN && process <= PUNA_DAY_TRAFFIC, "process is %d, expected PUNA_DAY_...",
                 process);
    PUNA_REQUIRE(count >= 1 && count <= kMostAuctions, "count is %zu, expected 1 to %ju", count, kMostAuctions);
    PUNA_REQUIRE(at && values && prices, "%s is NULL", !at ? "at" : !values ? "values" : "prices");
    const auto day = simulated_day(PacingProcess(process), seed, int64_t(count));
    for (size_t i = 0; i < count; ++i) {
      at[i] = day[i].at;
      values[i] = day[i].value;
      prices[i] = day[i].price;
    }
  });
}
#endif
