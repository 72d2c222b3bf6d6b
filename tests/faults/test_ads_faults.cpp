// Memory that runs out anywhere in an advertiser's day: the call says so, nothing is lost, and called again the day
// ends as every other does.
#include <puna_ads.h>

#include <functional>
#include <string>

#include "capi/fixture.h"
#include "faults/failing_heap.h"

using namespace puna::test;

namespace {

constexpr char kBrief[] = R"({"name": "Ann's", "objective": "sales", "language": "en", "facts": ["We bake bread"],
  "budget": {"daily": 10, "currency": "EUR", "start": "2026-12-30", "end": "2027-01-01"},
  "placements": ["google.search"]})";

struct Handles {
  puna_ledger* ledger = nullptr;
  puna_spend_plan* plan = nullptr;
  puna_pacer* pacer = nullptr;
  puna_clearing_prices* prices = nullptr;
  puna_chooser* chooser = nullptr;
  puna_reward_book* book = nullptr;
  puna_off_policy* ope = nullptr;
  puna_lint* lint = nullptr;
  puna_buffer* found = nullptr;
  ~Handles() {
    puna_spend_plan_free(plan);  // the pacer keeps it
    puna_ledger_free(ledger);
    puna_pacer_free(pacer);
    puna_clearing_prices_free(prices);
    puna_chooser_free(chooser);
    puna_reward_book_free(book);
    puna_off_policy_free(ope);
    puna_lint_free(lint);
    puna_buffer_free(found);
  }
};

// Numbers that the day ended with. Every call that ran out of memory is made once more; `ran_out` counts them.
struct Told {
  double numbers[64] = {};
  int count = 0, ran_out = 0;
  puna_status status = PUNA_OK;
  void add(double x) { numbers[count++] = x; }
  bool operator==(const Told& o) const {
    return count == o.count && status == o.status && std::equal(numbers, numbers + count, o.numbers);
  }
};

template <class Call>
void again(Told& told, const Call& call) {
  if (told.status != PUNA_OK) return;
  puna_status s = call();
  if (s == PUNA_OUT_OF_MEMORY) {
    ++told.ran_out;
    s = call();
  }
  told.status = s;
}

Told day() {
  Told told;
  Handles h;
  const auto call = [&](const auto& body) { again(told, body); };
  int32_t account = 0, campaign = 0;
  int64_t reservation = 0, bid = 0;
  call([&] { return puna_ledger_create(&h.ledger); });
  call([&] { return puna_ledger_add_account(h.ledger, 5000, &account); });
  for (int i = 0; i < 300; ++i)  // more than a chunk
    call([&] { return puna_ledger_add_campaign(h.ledger, account, 1000, &campaign); });
  for (int i = 0; i < 20; ++i) {  // of one part, whose table grows
    call([&] { return puna_ledger_reserve(h.ledger, 64, 7, i, 9, &reservation); });
    told.add(double(reservation));
  }
  call([&] { return puna_ledger_restore(h.ledger, 3, 643, 5); });
  auto balance = sized<puna_balance>();
  call([&] { return puna_ledger_get_account(h.ledger, account, &balance); });
  told.add(double(balance.open));

  double at[40], p[6], rates[6];
  int64_t values[40], prices[40];
  call([&] { return puna_simulate_day(PUNA_DAY_TRAFFIC, 3, 40, at, values, prices); });
  auto auctions = sized<puna_ads_day>();
  auctions.count = 40;
  auctions.at = at;
  auctions.values = values;
  auctions.prices = prices;
  auto best = sized<puna_hindsight>();
  call([&] { return puna_spend_plan_learn(&auctions, 5'000'000, &best, &h.plan); });
  auto pacing = sized<puna_pacer_options>();
  pacing.budget = 5'000'000;
  pacing.expected_auctions = 40;
  pacing.plan = h.plan;
  call([&] { return puna_pacer_create(&pacing, &h.pacer); });
  call([&] { return puna_pacer_bid(h.pacer, 0.3, 100, 1000, &bid); });
  told.add(best.value);
  told.add(double(bid));
  call([&] { return puna_clearing_prices_create(24, 1, 1, &h.prices); });
  double shaded = 0;
  call([&] { return puna_clearing_prices_bid(h.prices, 3, 2, &shaded, nullptr); });
  told.add(shaded);

  call([&] { return puna_simulate_world(1, 2, 3, 0.3, p, rates); });
  auto choosing = sized<puna_chooser_options>();
  choosing.segments = 2;
  choosing.variants = 3;
  choosing.rates = rates;
  call([&] { return puna_chooser_create(&choosing, &h.chooser); });
  call([&] { return puna_reward_book_create(10, &h.book); });
  for (uint64_t i = 0; i < 8; ++i) {
    int32_t variant = 0;
    double propensity = 0;
    call([&] { return puna_chooser_choose(h.chooser, int32_t(i % 2), 1, i, &variant, &propensity); });
    call([&] { return puna_reward_book_shown(h.book, i, int32_t(i % 2), variant, int64_t(i)); });
    if (i % 3 == 0) call([&] { return puna_reward_book_clicked(h.book, i, int64_t(i) + 2, nullptr); });
    told.add(propensity);
  }
  call([&] { return puna_reward_book_clicked(h.book, 99, 1, nullptr); });
  const puna_shown_and_clicked* outcomes = nullptr;
  size_t count = 0;
  call([&] { return puna_reward_book_collect(h.book, 100, &outcomes, &count); });
  call([&] { return puna_chooser_update(h.chooser, outcomes, count); });
  const double more[] = {0.01, 0.02};
  int32_t added = 0;
  call([&] { return puna_chooser_add_variant(h.chooser, more, 2, &added); });
  call([&] { return puna_chooser_get_propensities(h.chooser, 1, p, 4); });
  for (int k = 0; k < 4; ++k) told.add(p[k]);

  const int32_t actions[] = {0, 1, 1, 0};
  const double propensities[] = {0.5, 0.5, 0.5, 0.5}, rewards[] = {0, 1, 1, 0};
  auto rows = sized<puna_logged_choices>();
  rows.count = 4;
  rows.actions = actions;
  rows.propensities = propensities;
  rows.rewards = rewards;
  call([&] { return puna_off_policy_create(nullptr, &h.ope); });
  call([&] { return puna_off_policy_count(h.ope, &rows); });
  call([&] { return puna_off_policy_begin(h.ope, nullptr, 0); });
  call([&] { return puna_off_policy_estimate(h.ope, &rows); });
  auto report = sized<puna_off_policy_report>();
  call([&] { return puna_off_policy_report_on(h.ope, &report); });
  told.add(report.ess);
  for (uint64_t i = 0; i < report.estimate_count; ++i) told.add(report.estimates[i].value);

  auto linting = sized<puna_lint_options>();
  linting.brief = kBrief;
  linting.brief_bytes = sizeof kBrief - 1;
  int32_t errors = 0;
  call([&] { return puna_buffer_create(&h.found); });
  call([&] { return puna_lint_create(&linting, &h.lint); });
  call([&] { return puna_lint_check(h.lint, "google.search", "headline", "SALE since 1987!", 16, &errors, h.found); });
  told.add(errors);
  told.add(double(puna_buffer_size(h.found)));
  return told;
}

}  // namespace

TEST_CASE("memory may run out anywhere in an advertiser's day: the call made again gives the same day", "[faults]") {
  const Told want = day();
  REQUIRE(want.status == PUNA_OK);
  REQUIRE(want.ran_out == 0);
  const int64_t before = live_blocks();
  int64_t n = 0;
  for (bool failed = true; failed; ++n) {
    bool optional = false;
    arm_heap(n);
    const Told told = day();
    failed = disarm_heap(&optional);
    if (failed && told.ran_out == 0 && !optional) FAIL("allocation " << n << " failed and nobody said so");
    if (!(told == want)) FAIL("allocation " << n << " changed the day: " << puna_last_error());
    if (live_blocks() != before)
      FAIL("allocation " << n << ": " << live_blocks() - before << " blocks were not given back");
  }
  CHECK(n > 100);
}

TEST_CASE("sampled allocations of a plan of texts fail once: out of memory, or the same plan", "[faults]") {
  struct Written {
    puna_status status = PUNA_OK;
    std::string text;
  };
  constexpr const char* kModel = PUNA_SOURCE_DIR "/examples/bundled/puna-austen.gguf";
  ModelHandle model = open_model(kModel);
  const auto write = [&](int64_t n, bool& failed) {
    Written w;
    puna_buffer* json = nullptr;
    ok(puna_buffer_create(&json));
    bool optional = false;
    arm_heap(n);
    w.status = puna_ads_plan_write(model.get(), kBrief, sizeof kBrief - 1, nullptr, json);
    failed = disarm_heap(&optional);
    w.text.assign(static_cast<const char*>(puna_buffer_data(json)), puna_buffer_size(json));
    puna_buffer_free(json);
    return w;
  };
  bool failed = false;
  const Written want = write(INT64_MAX, failed);
  REQUIRE(want.status == PUNA_OK);
  REQUIRE_FALSE(failed);
  // What is made once is there now; what a model keeps of grammars goes with it.
  model.reset();
  const int64_t before = live_blocks();
  model = open_model(kModel);
  int64_t n = 0, runs = 0;
  for (failed = true; failed; n += 1 + n / 5, ++runs) {
    const Written w = write(n, failed);
    CAPTURE(n, puna_last_error());
    if (w.status == PUNA_OK)
      CHECK(w.text == want.text);  // what failed was not needed
    else
      CHECK((w.status == PUNA_OUT_OF_MEMORY && w.text.empty()));
  }
  CHECK(runs > 20);
  CHECK(write(INT64_MAX, failed).text == want.text);
  model.reset();
  CHECK(live_blocks() == before);
}
