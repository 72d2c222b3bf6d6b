// Advertisements from C: money that cannot be overspent, a day paced on its auctions, choices by the logged
// probabilities, rewards that come late, a log evaluated; what is wrong is refused by name and changes nothing.
#include <puna_ads.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <thread>

#include "capi/fixture.h"

using namespace puna::test;

namespace {

using Ledger = std::unique_ptr<puna_ledger, Free<puna_ledger_free>>;
using Plan = std::unique_ptr<puna_spend_plan, Free<puna_spend_plan_free>>;
using Pacer = std::unique_ptr<puna_pacer, Free<puna_pacer_free>>;
using Prices = std::unique_ptr<puna_clearing_prices, Free<puna_clearing_prices_free>>;
using Chooser = std::unique_ptr<puna_chooser, Free<puna_chooser_free>>;
using Book = std::unique_ptr<puna_reward_book, Free<puna_reward_book_free>>;
using Lint = std::unique_ptr<puna_lint, Free<puna_lint_free>>;
using Buffer = std::unique_ptr<puna_buffer, Free<puna_buffer_free>>;
using Ope = std::unique_ptr<puna_off_policy, Free<puna_off_policy_free>>;

// What create(arguments..., &handle) makes.
template <class Handle, class Create, class... A>
Handle made(Create create, A... arguments) {
  typename Handle::pointer raw = nullptr;
  ok(create(arguments..., &raw));
  return Handle(raw);
}

puna_balance campaign_of(const Ledger& l, int32_t campaign) {
  auto b = sized<puna_balance>();
  ok(puna_ledger_get_campaign(l.get(), campaign, &b));
  return b;
}
int64_t reserved(const Ledger& l, int32_t campaign, int64_t amount, int64_t now = 0, int64_t ttl = 1000) {
  int64_t r = -1;
  ok(puna_ledger_reserve(l.get(), campaign, amount, now, ttl, &r));
  return r;
}
int32_t settled(const Ledger& l, int64_t reservation, int64_t spent) {
  int32_t outcome = -1;
  ok(puna_ledger_settle(l.get(), reservation, spent, &outcome));
  return outcome;
}
// An account of `cap` with campaigns of these budgets.
Ledger ledger_of(int64_t cap, std::vector<int64_t> budgets) {
  Ledger l = made<Ledger>(puna_ledger_create);
  int32_t account = -1, campaign = -1;
  ok(puna_ledger_add_account(l.get(), cap, &account));
  for (const int64_t b : budgets) ok(puna_ledger_add_campaign(l.get(), account, b, &campaign));
  CHECK(campaign == int32_t(budgets.size()) - 1);
  return l;
}

struct DayOf {
  std::vector<double> at;
  std::vector<int64_t> values, prices;
  DayOf(int32_t process, uint64_t seed, size_t count) : at(count), values(count), prices(count) {
    ok(puna_simulate_day(process, seed, count, at.data(), values.data(), prices.data()));
  }
  puna_ads_day c() const {
    auto d = sized<puna_ads_day>();
    d.count = at.size();
    d.at = at.data();
    d.values = values.data();
    d.prices = prices.data();
    return d;
  }
};

std::vector<double> propensities_of(const Chooser& c, int32_t segment, size_t variants) {
  std::vector<double> p(variants);
  ok(puna_chooser_get_propensities(c.get(), segment, p.data(), p.size()));
  return p;
}

}  // namespace

TEST_CASE("a ledger from C reserves, settles, expires, books late where there is room, and never overspends",
          "[capi]") {
  const Ledger l = ledger_of(150, {100, 100});
  const int64_t first = reserved(l, 0, 60), second = reserved(l, 1, 60);
  CHECK(first > 0);
  CHECK(second > 0);
  CHECK(reserved(l, 0, 41) == 0);  // 40 are left of the budget
  CHECK(reserved(l, 1, 40) == 0);  // 30 of the cap
  CHECK(campaign_of(l, 1).left == 30);
  refused(puna_ledger_settle(l.get(), first, 61, nullptr), PUNA_INVALID_ARGUMENT, "outcome is NULL");
  int32_t outcome = 77;
  refused(puna_ledger_settle(l.get(), first, 61, &outcome), PUNA_INVALID_ARGUMENT,
          "61 was spent of a reservation of 60");
  CHECK(outcome == 77);
  CHECK(settled(l, first, 20) == PUNA_SETTLED_BOOKED);
  CHECK(settled(l, first, 20) == PUNA_SETTLED_UNKNOWN);
  int64_t freed = 0;
  ok(puna_ledger_expire(l.get(), 2000, &freed));
  CHECK(freed == 1);
  const int64_t third = reserved(l, 1, 100, 2000);
  CHECK(third > second);
  CHECK(settled(l, second, 60) == PUNA_SETTLED_REFUSED_LATE);
  CHECK(campaign_of(l, 1).refused_late == 60);
  CHECK(settled(l, third, 30) == PUNA_SETTLED_BOOKED);
  auto account = sized<puna_balance>();
  ok(puna_ledger_get_account(l.get(), 0, &account));
  CHECK(account.spent == 50);
  CHECK(account.open == 0);
  CHECK(account.left == 100);
  refused(puna_ledger_reserve(l.get(), 2, 1, 0, 0, &freed), PUNA_INVALID_ARGUMENT, "no campaign 2");
  refused(puna_ledger_reserve(l.get(), 0, -1, 0, 0, &freed), PUNA_INVALID_ARGUMENT, "amount is -1");
}

TEST_CASE("a ledger from C is restored from what its host wrote down", "[capi]") {
  const Ledger before = ledger_of(1000, {500, 500});
  std::vector<int64_t> open;
  for (int i = 0; i < 5; ++i) open.push_back(reserved(before, 1, 50));
  CHECK(settled(before, open[0], 10) == PUNA_SETTLED_BOOKED);

  const Ledger after = ledger_of(1000, {500, 500});
  ok(puna_ledger_restore(after.get(), 1, 0, campaign_of(before, 1).spent));
  for (size_t i = 1; i < open.size(); ++i) ok(puna_ledger_restore(after.get(), 1, open[i], 50));
  refused(puna_ledger_restore(after.get(), 1, open[1], 50), PUNA_INVALID_ARGUMENT, "is there already");
  refused(puna_ledger_restore(after.get(), 1, open[4] + 64, 491), PUNA_INVALID_ARGUMENT, "has not 491 left");
  CHECK(campaign_of(after, 1).left == campaign_of(before, 1).left);
  CHECK(campaign_of(after, 1).open == 200);
  int64_t freed = -1;
  for (int64_t t = 1; t < 100; ++t) ok(puna_ledger_expire(after.get(), t * 60'000'000, &freed));
  CHECK(freed == 0);  // they count as spent until somebody knows better
  const int64_t newer = reserved(after, 1, 1);
  CHECK(newer > open.back());
  CHECK(settled(after, open[1], 50) == PUNA_SETTLED_BOOKED);
  CHECK(settled(after, open[2], 0) == PUNA_SETTLED_BOOKED);
  CHECK(campaign_of(after, 1).spent == 60);
}

TEST_CASE("eight threads of a C host never bring a ledger above budget or cap", "[capi][threads]") {
  const Ledger l = ledger_of(3000, {1000, 2000, 500});
  std::vector<std::thread> threads;
  std::atomic<int64_t> spent{0}, over{0};
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        int64_t r = 0;
        int32_t outcome = 0;
        const int32_t campaign = (t + i) % 3;
        if (puna_ledger_reserve(l.get(), campaign, 1 + i % 7, i, 1'000'000, &r) != PUNA_OK || r == 0) continue;
        auto b = sized<puna_balance>();
        puna_ledger_get_campaign(l.get(), campaign, &b);
        over += b.spent + b.open > b.limit;
        if (puna_ledger_settle(l.get(), r, i % 2, &outcome) == PUNA_OK) spent += i % 2;
      }
    });
  for (std::thread& t : threads) t.join();
  CHECK(over == 0);
  auto account = sized<puna_balance>();
  ok(puna_ledger_get_account(l.get(), 0, &account));
  CHECK(account.spent == spent);
  CHECK(account.spent <= account.limit);
  CHECK(account.open == 0);
}

TEST_CASE("a day paced from C spends its budget and most of what hindsight would have bought", "[capi]") {
  constexpr size_t kAuctions = 20'000;
  const DayOf yesterday(PUNA_DAY_PLAIN, 1007, kAuctions), today(PUNA_DAY_PLAIN, 7, kAuctions);
  const puna_ads_day before = yesterday.c(), now = today.c();
  int64_t all = 0;
  for (size_t i = 0; i < kAuctions; ++i)
    if (today.values[i] > today.prices[i]) all += today.prices[i];
  const int64_t budget = all * 3 / 10;
  auto best = sized<puna_hindsight>(), learnt = sized<puna_hindsight>();
  ok(puna_spend_plan_learn(&now, budget, &best, nullptr));
  puna_spend_plan* raw = nullptr;
  ok(puna_spend_plan_learn(&before, budget, &learnt, &raw));
  Plan plan(raw);
  double share = -1;
  ok(puna_spend_plan_spent_by(plan.get(), 0.5, &share));
  CHECK(share > 0.2);
  CHECK(share < 0.8);

  auto o = sized<puna_pacer_options>();
  o.budget = budget;
  o.expected_auctions = kAuctions;
  o.pace_by = PUNA_PACE_BY_AUCTIONS;
  o.has_multiplier = 1;
  o.multiplier = learnt.multiplier;
  o.plan = plan.get();
  const Pacer pacer = made<Pacer>(puna_pacer_create, &o);
  plan.reset();  // the pacer keeps it
  const Ledger ledger = ledger_of(budget, {budget});
  double value = 0;
  for (size_t i = 0; i < kAuctions; ++i) {
    int64_t bid = -1;
    const int64_t left = campaign_of(ledger, 0).left;
    ok(puna_pacer_bid(pacer.get(), today.at[i], today.values[i], left, &bid));
    REQUIRE((bid >= 0 && bid <= left));
    if (bid <= today.prices[i]) continue;
    const int64_t r = reserved(ledger, 0, bid);
    REQUIRE(r > 0);
    settled(ledger, r, today.prices[i]);
    ok(puna_pacer_won(pacer.get(), today.prices[i], today.values[i]));
    value += double(today.values[i]);
  }
  const puna_balance end = campaign_of(ledger, 0);
  CHECK(end.spent <= budget);
  CHECK(double(end.spent) > 0.98 * double(budget));
  CHECK(value > 0.99 * best.value);
  auto info = sized<puna_pacer_info>();
  ok(puna_pacer_get_info(pacer.get(), &info));
  CHECK(info.trust > 0.5);
  CHECK(std::fabs(std::log((1 + info.multiplier) / (1 + best.multiplier))) < 0.15);
  CHECK(info.lambda == Approx(1 / (1 + info.multiplier)));
}

TEST_CASE("one slot sells alike by GSP, VCG and second price; a learnt price shades a first-price bid", "[capi]") {
  const double bids[] = {3, 8, 5}, ones[] = {1, 1, 1}, factor[] = {0.4};
  int32_t winner = -1;
  double price = 0;
  ok(puna_auction_sell(PUNA_AUCTION_SECOND_PRICE, bids, 3, 0, &winner, &price));
  CHECK(winner == 1);
  CHECK(price == 5);
  for (const int32_t rule : {PUNA_SLOTS_GSP, PUNA_SLOTS_VCG}) {
    int32_t who[1];
    double per_click[1], expected[1];
    ok(puna_auction_sell_slots(rule, bids, ones, 3, factor, 1, who, per_click, expected));
    CHECK(who[0] == 1);
    CHECK(per_click[0] == Approx(5));
    CHECK(expected[0] == Approx(2));
  }
  ok(puna_auction_sell(PUNA_AUCTION_FIRST_PRICE, bids, 3, 9, &winner, &price));
  CHECK(winner == -1);

  const Prices prices = made<Prices>(puna_clearing_prices_create, 24, 1, 0);
  double cold = 0, warm = 0, p = 0;
  ok(puna_clearing_prices_bid(prices.get(), 3, 10, &cold, nullptr));
  for (int i = 0; i < 500; ++i) ok(puna_clearing_prices_observe(prices.get(), 3, PUNA_PRICE_SEEN, 4 + 0.01 * (i % 50)));
  ok(puna_clearing_prices_bid(prices.get(), 3, 10, &warm, &p));
  CHECK(warm > 4);
  CHECK(warm < 6);
  CHECK(warm > cold);
  CHECK(p > 0.8);
  refused(puna_clearing_prices_observe(prices.get(), 24, 0, 1), PUNA_INVALID_ARGUMENT, "hour is 24");
  refused(puna_clearing_prices_observe(prices.get(), 0, 3, 1), PUNA_INVALID_ARGUMENT, "kind is 3");
}

TEST_CASE("choices from C come as often as their propensities say, and a chooser is rebuilt from its sums", "[capi]") {
  constexpr int32_t kSegments = 3, kVariants = 4;
  auto o = sized<puna_chooser_options>();
  o.segments = kSegments;
  o.variants = kVariants;
  const Chooser c = made<Chooser>(puna_chooser_create, &o);
  std::vector<puna_shown_and_clicked> cells;
  for (int32_t s = 0; s < kSegments; ++s)
    for (int32_t k = 0; k < kVariants; ++k) cells.push_back({s, k, 1000, double(5 + (s + k) % kVariants * 3)});
  ok(puna_chooser_update(c.get(), cells.data(), cells.size()));
  for (int32_t s = 0; s < kSegments; ++s) {
    const auto p = propensities_of(c, s, kVariants);
    CHECK(std::accumulate(p.begin(), p.end(), 0.0) == Approx(1));
    constexpr int kDraws = 20'000;
    std::vector<double> seen(kVariants);
    for (int i = 0; i < kDraws; ++i) {
      int32_t variant = -1;
      double logged = 0;
      ok(puna_chooser_choose(c.get(), s, 5, uint64_t(i), &variant, &logged));
      REQUIRE(logged == p[size_t(variant)]);
      seen[size_t(variant)] += 1.0 / kDraws;
    }
    for (size_t k = 0; k < kVariants; ++k)
      CHECK(std::fabs(seen[k] - p[k]) <= 4 * std::sqrt(p[k] * (1 - p[k]) / kDraws));
  }

  std::vector<double> shown(kSegments * kVariants), clicks(shown.size());
  ok(puna_chooser_get_sums(c.get(), shown.data(), clicks.data(), shown.size()));
  refused(puna_chooser_get_sums(c.get(), shown.data(), clicks.data(), 11), PUNA_INVALID_ARGUMENT, "12 are needed");
  const Chooser again = made<Chooser>(puna_chooser_create, &o);
  std::vector<puna_shown_and_clicked> sums;
  for (size_t i = 0; i < shown.size(); ++i)
    sums.push_back({int32_t(i) / kVariants, int32_t(i) % kVariants, shown[i], clicks[i]});
  ok(puna_chooser_update(again.get(), sums.data(), sums.size()));
  for (int32_t s = 0; s < kSegments; ++s)
    CHECK(propensities_of(again, s, kVariants) == propensities_of(c, s, kVariants));

  int32_t added = -1;
  ok(puna_chooser_add_variant(c.get(), nullptr, 0, &added));
  CHECK(added == kVariants);
  ok(puna_chooser_retire(c.get(), 0));
  CHECK(propensities_of(c, 1, kVariants + 1)[0] == 0);
  CHECK(propensities_of(c, 1, kVariants + 1)[kVariants] > 0);
  auto info = sized<puna_chooser_info>();
  ok(puna_chooser_get_info(c.get(), &info));
  CHECK(info.segments == kSegments);
  CHECK(info.variants == kVariants + 1);
  CHECK(info.retired == 1);
  const auto before = propensities_of(c, 2, kVariants + 1);
  cells[3].clicks = 2000;  // of 1000: none of the list is taken
  refused(puna_chooser_update(c.get(), cells.data(), cells.size()), PUNA_INVALID_ARGUMENT, "2000 clicks of 1000");
  CHECK(propensities_of(c, 2, kVariants + 1) == before);
}

TEST_CASE("in a simulated world a chooser from C earns more than chance; rewards come late and twice", "[capi]") {
  constexpr int32_t kSegments = 4, kVariants = 5;
  constexpr size_t kCount = 30'000;
  std::vector<double> rates(kSegments * kVariants), u(kCount);
  std::vector<int32_t> segments(kCount);
  ok(puna_simulate_world(3, kSegments, kVariants, 0.5, rates.data(), nullptr));
  for (double& r : rates) r = std::min(0.5, 6 * r);  // more clicks, a shorter test
  ok(puna_simulate_stream(3, kSegments, kCount, segments.data(), u.data()));
  auto o = sized<puna_chooser_options>();
  o.segments = kSegments;
  o.variants = kVariants;
  o.base_rate = 0.06;
  const Chooser c = made<Chooser>(puna_chooser_create, &o);
  const Book book = made<Book>(puna_reward_book_create, 100);
  double got = 0, mean = 0;
  int64_t clicked = 0;
  for (size_t t = 0; t < kCount; ++t) {
    const size_t row = size_t(segments[t] * kVariants);
    int32_t k = 0, counts = 0;
    double p = 0;
    ok(puna_chooser_choose(c.get(), segments[t], 1, t, &k, &p));
    got += rates[row + size_t(k)];
    mean += std::accumulate(&rates[row], &rates[row] + kVariants, 0.0) / kVariants;
    ok(puna_reward_book_shown(book.get(), t, segments[t], k, int64_t(t)));
    if (u[t] < rates[row + size_t(k)]) {
      ok(puna_reward_book_clicked(book.get(), t, int64_t(t) + 50, &counts));
      clicked += counts;
      ok(puna_reward_book_clicked(book.get(), t, int64_t(t) + 60, &counts));
      CHECK(counts == 0);
    }
    if (t % 1000 != 999 && t + 1 != kCount) continue;
    const puna_shown_and_clicked* outcomes = nullptr;
    size_t count = 0;
    ok(puna_reward_book_collect(book.get(), t + 1 == kCount ? INT64_MAX : int64_t(t), &outcomes, &count));
    ok(puna_chooser_update(c.get(), outcomes, count));
  }
  CHECK(got > 1.15 * mean);
  auto counts = sized<puna_reward_counts>();
  ok(puna_reward_book_get_counts(book.get(), &counts));
  CHECK(counts.shown == int64_t(kCount));
  CHECK(counts.clicked == clicked);
  CHECK(counts.repeated == clicked);
  CHECK(counts.waiting == 0);
}

TEST_CASE("a log from C is evaluated as its formulas say, or refused with reasons", "[capi]") {
  // Two actions, taken with .8 and .2; rewards 1 for the second.
  std::vector<int32_t> actions;
  std::vector<double> propensities, rewards;
  for (int i = 0; i < 1000; ++i) {
    const bool second = i % 5 == 0;
    actions.push_back(second);
    propensities.push_back(second ? 0.2 : 0.8);
    rewards.push_back(second && i % 10 == 0);
  }
  auto rows = sized<puna_logged_choices>();
  rows.count = actions.size();
  rows.actions = actions.data();
  rows.propensities = propensities.data();
  rows.rewards = rewards.data();
  const Ope ope = made<Ope>(puna_off_policy_create, nullptr);
  refused(puna_off_policy_estimate(ope.get(), &rows), PUNA_WRONG_STATE, "begin after");
  propensities[500] = 1.5;
  refused(puna_off_policy_count(ope.get(), &rows), PUNA_INVALID_ARGUMENT, "row 500: the propensity is 1.5");
  propensities[500] = 0.2;
  ok(puna_off_policy_count(ope.get(), &rows));
  const double half[] = {0.5, 0.5}, wrong[] = {0.5, 0.6};
  refused(puna_off_policy_begin(ope.get(), wrong, 2), PUNA_INVALID_ARGUMENT, "add up to 1.1");
  ok(puna_off_policy_begin(ope.get(), half, 2));
  refused(puna_off_policy_begin(ope.get(), half, 2), PUNA_WRONG_STATE, "begun already");
  ok(puna_off_policy_estimate(ope.get(), &rows));
  auto r = sized<puna_off_policy_report>();
  ok(puna_off_policy_report_on(ope.get(), &r));
  CHECK(r.rows == 1000);
  CHECK(r.actions == 2);
  CHECK(r.rewarded == 100);
  CHECK(r.refusal_count == 0);
  CHECK(r.mean_weight == Approx(1));
  bool found = false;
  for (uint64_t i = 0; i < r.estimate_count; ++i)
    if (std::string_view(r.estimates[i].name) == "ips") {
      found = true;
      CHECK(r.estimates[i].value == Approx(100 * (0.5 / 0.2) / 1000).epsilon(1e-12));
    }
  CHECK(found);

  // A policy that does what the log hardly ever did.
  for (double& p : propensities) p = p < 0.5 ? 0.001 : 0.999;
  const Ope other = made<Ope>(puna_off_policy_create, nullptr);
  ok(puna_off_policy_count(other.get(), &rows));
  ok(puna_off_policy_begin(other.get(), nullptr, 0));
  ok(puna_off_policy_estimate(other.get(), &rows));
  ok(puna_off_policy_report_on(other.get(), &r));
  REQUIRE(r.refusal_count > 0);
  CHECK_THAT(r.refusals[0], Catch::Matchers::Contains("mean weight"));
}

TEST_CASE("options of advertisements out of range are named", "[capi]") {
  const auto pacing = [](const char* name, const auto& set) {
    auto o = sized<puna_pacer_options>();
    o.budget = 1000;
    o.expected_auctions = 10;
    set(o);
    puna_pacer* p = nullptr;
    refused(puna_pacer_create(&o, &p), PUNA_INVALID_ARGUMENT, name);
    CHECK(p == nullptr);
  };
  using P = puna_pacer_options;
  pacing("method is 4", [](P& o) { o.method = 4; });
  pacing("pace_by is 2", [](P& o) { o.pace_by = 2; });
  pacing("budget is -1", [](P& o) { o.budget = -1; });
  pacing("budget is 9000000000001", [](P& o) { o.budget = 9'000'000'000'001; });
  pacing("expected_auctions is 0", [](P& o) { o.expected_auctions = 0; });
  pacing("has_multiplier is 2", [](P& o) { o.has_multiplier = 2; });
  pacing("multiplier is nan", [](P& o) {
    o.has_multiplier = 1;
    o.multiplier = NAN;
  });
  pacing("least_return is inf", [](P& o) { o.least_return = INFINITY; });
  pacing("at is 1.5", [](P& o) { o.at = 1.5; });
  pacing("spent is 1001", [](P& o) { o.spent = 1001; });

  const auto choosing = [](const char* name, const auto& set) {
    auto o = sized<puna_chooser_options>();
    o.variants = 4;
    set(o);
    puna_chooser* c = nullptr;
    refused(puna_chooser_create(&o, &c), PUNA_INVALID_ARGUMENT, name);
    CHECK(c == nullptr);
  };
  using C = puna_chooser_options;
  choosing("method is -1", [](C& o) { o.method = -1; });
  choosing("variants is 0", [](C& o) { o.variants = 0; });
  choosing("variants is 1001", [](C& o) { o.variants = 1001; });
  choosing("segments is 2500001", [](C& o) { o.segments = 2'500'001; });
  choosing("floor is 0.26", [](C& o) { o.floor = 0.26; });
  choosing("floor is -0.5", [](C& o) { o.floor = -0.5; });
  choosing("discount is 1.5", [](C& o) { o.discount = 1.5; });
  for (double C::*field : {&C::temper, &C::early_temper, &C::early_clicks, &C::variant_spread, &C::cell_spread,
                           &C::base_rate, &C::prior_shown, &C::deviations, &C::noise, &C::ridge})
    choosing("expected 0 to", [&](C& o) { o.*field = NAN; });
  const double rates[] = {0.1, 0.2, 1, 0.4};
  choosing("rate 2 is 1", [&](C& o) { o.rates = rates; });

  puna_reward_book* book = nullptr;
  refused(puna_reward_book_create(-1, &book), PUNA_INVALID_ARGUMENT, "window is -1");
  puna_spend_plan* plan = nullptr;
  const double shares[] = {1, -1};
  refused(puna_spend_plan_create(shares, 2, &plan), PUNA_INVALID_ARGUMENT, "share 1 of the plan is -1");
  const double at[] = {0.5, 0.2};
  const int64_t money[] = {1, 1}, low[] = {1, -1};
  auto day = sized<puna_ads_day>();
  day.count = 2;
  day.at = at;
  day.values = day.prices = money;
  refused(puna_spend_plan_learn(&day, 1, nullptr, &plan), PUNA_INVALID_ARGUMENT, "at[1] is 0.2, before");
  const double later[] = {0.2, 0.5};
  day.at = later;
  day.prices = low;
  refused(puna_spend_plan_learn(&day, 1, nullptr, &plan), PUNA_INVALID_ARGUMENT, "prices[1] is -1");
  CHECK(plan == nullptr);
  double a = 0;
  int64_t m = 0;
  refused(puna_simulate_day(5, 1, 1, &a, &m, &m), PUNA_INVALID_ARGUMENT, "process is 5");
  refused(puna_simulate_day(0, 1, 0, &a, &m, &m), PUNA_INVALID_ARGUMENT, "count is 0");
  puna_off_policy* ope = nullptr;
  auto evaluation = sized<puna_off_policy_options>();
  evaluation.shrink = -1;
  refused(puna_off_policy_create(&evaluation, &ope), PUNA_INVALID_ARGUMENT, "shrink is -1");
  CHECK(ope == nullptr);
}

namespace {

constexpr char kBrief[] = R"({"name": "Ann's", "objective": "sales", "facts": ["We bake bread every morning",
  "Since 1987 in Ghent"], "budget": {"daily": 10, "currency": "EUR", "start": "2026-12-30", "end": "2027-01-01"},
  "placements": ["meta.reels"], "variants": 2, "banned": ["cheap"]})";
constexpr const char* kAusten = PUNA_SOURCE_DIR "/examples/bundled/puna-austen.gguf";

std::string text_in(const Buffer& b) {
  return {static_cast<const char*>(puna_buffer_data(b.get())), puna_buffer_size(b.get())};
}
std::string linted(const Lint& lint, const char* placement, const char* field, const std::string& text,
                   int32_t* errors = nullptr) {
  const Buffer json = made<Buffer>(puna_buffer_create);
  ok(puna_lint_check(lint.get(), placement, field, text.data(), text.size(), errors, json.get()));
  return text_in(json);
}
bool has(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

}  // namespace

TEST_CASE("C: texts are linted against rules, placements and a brief", "[capi][ads]") {
  const Lint plain = made<Lint>(puna_lint_create, nullptr);
  int32_t errors = -1;
  const std::string loud = linted(plain, "google.search", "headline", "SALE on bread!", &errors);
  CHECK(errors == 1);
  CHECK(has(loud, R"("rule":"google/capitals")"));
  CHECK(has(loud, R"("limit":30)"));
  CHECK(has(linted(plain, "google.search", "headline", "Bread for you", &errors), R"("findings":[])"));
  CHECK(errors == 0);
  CHECK_FALSE(has(linted(plain, nullptr, nullptr, "Bread for you"), "limit"));

  auto o = sized<puna_lint_options>();
  o.brief = kBrief;
  o.brief_bytes = sizeof kBrief - 1;
  const Lint held = made<Lint>(puna_lint_create, &o);
  CHECK(has(linted(held, nullptr, nullptr, "Cheap bread since 1986"), "any/banned-term"));
  CHECK(has(linted(held, nullptr, nullptr, "Cheap bread since 1986"), "number 1986"));
  CHECK_FALSE(has(linted(plain, nullptr, nullptr, "Bread since 1986"), "number 1986"));

  const Buffer json = made<Buffer>(puna_buffer_create);
  refused(puna_lint_check(plain.get(), "google.serch", nullptr, "a", 1, nullptr, json.get()), PUNA_INVALID_ARGUMENT,
          "did you mean 'google.search'");
  refused(puna_lint_check(plain.get(), nullptr, "headline", "a", 1, nullptr, json.get()), PUNA_INVALID_ARGUMENT,
          "a field without a placement");
  refused(puna_lint_check(plain.get(), nullptr, nullptr, "\xff", 1, nullptr, json.get()), PUNA_INVALID_ARGUMENT,
          "no UTF-8");
  CHECK(puna_buffer_size(json.get()) == 0);
  puna_lint* none = nullptr;
  o.language = "xx";
  refused(puna_lint_create(&o, &none), PUNA_INVALID_ARGUMENT, "language: 'xx' is no language");
  o = sized<puna_lint_options>();
  o.brief = "{}";
  o.brief_bytes = 2;
  refused(puna_lint_create(&o, &none), PUNA_INVALID_ARGUMENT, "the brief: ");
  o.brief_bytes = 0;
  refused(puna_lint_create(&o, &none), PUNA_INVALID_ARGUMENT, "brief is empty");
  o = sized<puna_lint_options>();
  o.rules = R"({"date": "d", "rules": [{}]})";
  o.rules_bytes = strlen(o.rules);
  refused(puna_lint_create(&o, &none), PUNA_BAD_FILE, "rules: rules[0].id");
  CHECK(none == nullptr);
}

TEST_CASE("C: a plan is written from a brief, the same one for the same options, and can be stopped", "[capi][ads]") {
  const ModelHandle model = open_model(kAusten);
  const auto write = [&](const puna_ads_plan_options* options) {
    const Buffer json = made<Buffer>(puna_buffer_create);
    ok(puna_ads_plan_write(model.get(), kBrief, sizeof kBrief - 1, options, json.get()));
    return text_in(json);
  };
  struct Progress {
    uint64_t done = 0, total = 0, calls = 0, stop_at = 0;
    bool fell = false;
  } seen;
  auto o = sized<puna_ads_plan_options>();
  o.progress = [](void* user, uint64_t done, uint64_t total) {
    Progress& p = *static_cast<Progress*>(user);
    p.fell |= done < p.done || done > total;
    p.done = done;
    p.total = total;
    return int32_t(++p.calls == p.stop_at);
  };
  o.progress_user = &seen;
  o.parallel = 3;
  const std::string plan = write(nullptr);
  CHECK(has(plan, R"("placement": "meta.reels")"));
  CHECK(write(&o) == plan);  // neither progress nor what runs at once changes a byte
  CHECK(seen.calls > 0);
  CHECK_FALSE(seen.fell);
  o.temperature = -1;
  o.made_at = "2026-12-01";
  const std::string likeliest = write(&o);
  CHECK(likeliest != plan);
  CHECK(has(likeliest, "2026-12-01"));

  const Buffer json = made<Buffer>(puna_buffer_create);
  const auto attempt = [&](puna_status wanted, const char* words) {
    refused(puna_ads_plan_write(model.get(), kBrief, sizeof kBrief - 1, &o, json.get()), wanted, words);
    CHECK(puna_buffer_size(json.get()) == 0);
  };
  for (const uint64_t at : {1, 2, 5}) {
    seen = {};
    seen.stop_at = at;
    attempt(PUNA_CANCELLED, "");
    CHECK(seen.calls == at);
  }
  seen = {};
  o.temperature = NAN;
  attempt(PUNA_INVALID_ARGUMENT, "temperature is nan");
  o.temperature = 0;
  o.top_p = 2;
  attempt(PUNA_INVALID_ARGUMENT, "top_p is 2");
  o.top_p = 0;
  o.parallel = 257;
  attempt(PUNA_INVALID_ARGUMENT, "parallel is 257");
  o.parallel = 0;
  o.reserved = 1;
  attempt(PUNA_UNSUPPORTED, "reserved is 1");
  refused(puna_ads_plan_write(model.get(), "{}", 2, nullptr, json.get()), PUNA_INVALID_ARGUMENT, "brief: ");
}
