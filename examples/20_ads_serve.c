/* 20_ads_serve.c -- an advertiser's day: each auction is bid on so that the budget lasts, the money is reserved before
 * the bid is answered, the text to show is chosen and its propensity logged, clicks come late; at noon the power fails,
 * and the afternoon goes on from the journal. In the evening the log says what showing all texts alike would
 * have earned.
 *   20_ads_serve JOURNAL [SEED]      the journal is written anew
 * Auctions and clicks are made up; everything else is what a server would do. */
#include <inttypes.h>
#include <puna_ads.h>
#include <stdio.h>
#include <stdlib.h>

enum { kAuctions = 20000, kSegments = 4, kTexts = 5 };
static const int64_t kBudget = 2000000000; /* 2,000 */

typedef struct {
  puna_ledger* ledger;
  puna_pacer* pacer;
  int32_t campaign;
} bidder;

/* What came of the impressions, for learning and for the evening. */
typedef struct {
  int32_t contexts[kAuctions], actions[kAuctions];
  double propensities[kAuctions], rewards[kAuctions];
  uint64_t count;
} impressions;

static void check(puna_status status) {
  if (status == PUNA_OK) return;
  fprintf(stderr, "%s\n", puna_last_error());
  exit(1);
}

/* At the share `at` of the day: from nothing, or from what the journal says. */
static bidder begin(double at, const char* journal) {
  bidder b = {0};
  int32_t account = 0;
  static int64_t numbers[kAuctions], amounts[kAuctions];
  int64_t spent = 0, reservation = 0, amount = 0;
  char kind = 0;
  check(puna_ledger_create(&b.ledger));
  check(puna_ledger_add_account(b.ledger, kBudget, &account));
  check(puna_ledger_add_campaign(b.ledger, account, kBudget, &b.campaign));
  FILE* const file = fopen(journal, "r");
  int open = 0;
  while (file && fscanf(file, " %c %" SCNd64 " %" SCNd64, &kind, &reservation, &amount) == 3) {
    if (kind == 'r' && open < kAuctions) {
      numbers[open] = reservation;
      amounts[open++] = amount;
    } else if (kind == 's') {
      spent += amount;
      int i = open - 1;
      while (i >= 0 && numbers[i] != reservation) --i;
      if (i < 0) continue;
      numbers[i] = numbers[--open];
      amounts[i] = amounts[open];
    }
  }
  if (file) fclose(file);
  if (spent > 0) check(puna_ledger_restore(b.ledger, b.campaign, 0, spent));
  for (int i = 0; i < open; ++i) check(puna_ledger_restore(b.ledger, b.campaign, numbers[i], amounts[i]));
  puna_pacer_options options = {.struct_size = sizeof options};
  options.budget = kBudget;
  options.expected_auctions = kAuctions;
  options.at = at;
  options.spent = spent;
  check(puna_pacer_create(&options, &b.pacer));
  if (at > 0) printf("at %.0f:00 the journal has %.2f spent and %d bids open\n", 24 * at, (double)spent / 1e6, open);
  return b;
}

static void end(bidder* b) {
  puna_ledger_free(b->ledger);
  puna_pacer_free(b->pacer);
}

/* One auction: what winning cost, or -1. When the power fails the bid is out and nobody hears what became of it. */
static int64_t bid(bidder* b, FILE* journal, double at, int64_t value, int64_t other, int power_fails) {
  puna_balance balance = {.struct_size = sizeof balance};
  int64_t price = 0, reservation = 0;
  int32_t outcome = 0;
  check(puna_ledger_get_campaign(b->ledger, b->campaign, &balance));
  check(puna_pacer_bid(b->pacer, at, value, balance.left, &price));
  if (price == 0) return -1;
  check(puna_ledger_reserve(b->ledger, b->campaign, price, (int64_t)(at * 86400e6), 60000000, &reservation));
  if (reservation == 0) return -1;
  fprintf(journal, "r %" PRId64 " %" PRId64 "\n", reservation, price);
  fflush(journal); /* a real server also waits for the disk, once for many bids */
  if (power_fails) return -1;
  const int won = price > other;
  fprintf(journal, "s %" PRId64 " %" PRId64 "\n", reservation, won ? other : 0);
  check(puna_ledger_settle(b->ledger, reservation, won ? other : 0, &outcome));
  if (!won) return -1;
  check(puna_pacer_won(b->pacer, other, value));
  return other;
}

static void learn(puna_reward_book* book, puna_chooser* chooser, int64_t now) {
  const puna_shown_and_clicked* outcomes = NULL;
  size_t count = 0;
  check(puna_reward_book_collect(book, now, &outcomes, &count));
  check(puna_chooser_update(chooser, outcomes, count));
}

static void look_back(const impressions* log) {
  puna_off_policy* ope = NULL;
  puna_logged_choices rows = {.struct_size = sizeof rows};
  puna_off_policy_report report = {.struct_size = sizeof report};
  rows.count = log->count;
  rows.contexts = log->contexts;
  rows.actions = log->actions;
  rows.propensities = log->propensities;
  rows.rewards = log->rewards;
  check(puna_off_policy_create(NULL, &ope));
  check(puna_off_policy_count(ope, &rows));
  check(puna_off_policy_begin(ope, NULL, 0));
  check(puna_off_policy_estimate(ope, &rows));
  check(puna_off_policy_report_on(ope, &report));
  printf("clicks an impression: %.4f\n", report.log_value);
  for (uint64_t i = 0; i < report.refusal_count; ++i) printf("uniform: cannot tell: %s\n", report.refusals[i]);
  for (uint64_t i = 0; i < report.estimate_count && report.refusal_count == 0; ++i)
    if (report.estimates[i].name[0] == 's' && report.estimates[i].name[1] == 'n') /* snips, sndr */
      printf("all texts alike, by %-5s: %.4f +- %.4f\n", report.estimates[i].name, report.estimates[i].value,
             report.estimates[i].standard_error);
  puna_off_policy_free(ope);
}

int main(int argc, char** argv) {
  if (argc < 2) return fprintf(stderr, "usage: 20_ads_serve JOURNAL [SEED]\n"), 2;
  const uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
  static double at[kAuctions], u[kAuctions];
  static int64_t values[kAuctions], prices[kAuctions];
  static int32_t segments[kAuctions];
  static impressions log;
  double rates[kSegments * kTexts];
  check(puna_simulate_day(PUNA_DAY_TRAFFIC, seed, kAuctions, at, values, prices));
  check(puna_simulate_world(seed, kSegments, kTexts, 0.5, rates, NULL));
  check(puna_simulate_stream(seed, kSegments, kAuctions, segments, u));

  puna_chooser* chooser = NULL;
  puna_reward_book* book = NULL;
  puna_chooser_options choosing = {.struct_size = sizeof choosing};
  choosing.segments = kSegments;
  choosing.variants = kTexts;
  choosing.floor = 0.02; /* so that the log can tell of other policies */
  check(puna_chooser_create(&choosing, &chooser));
  check(puna_reward_book_create(300, &book)); /* a click counts for so many auctions after its impression */

  FILE* journal = fopen(argv[1], "w");
  if (!journal) return perror(argv[1]), 1;
  bidder b = begin(0, argv[1]);
  int failed = 0;
  for (int i = 0; i < kAuctions; ++i) {
    if (at[i] >= 0.5 && !failed) { /* the bidder is gone; what learns runs on another machine */
      failed = 1;
      bid(&b, journal, at[i], values[i], prices[i], 1);
      end(&b);
      fclose(journal);
      b = begin(at[i], argv[1]);
      journal = fopen(argv[1], "a");
      if (!journal) return perror(argv[1]), 1;
    }
    if (i % 1000 == 999) learn(book, chooser, i);
    if (bid(&b, journal, at[i], values[i], prices[i], 0) < 0) continue;
    int32_t text = 0;
    double propensity = 0;
    check(puna_chooser_choose(chooser, segments[i], seed, (uint64_t)i, &text, &propensity));
    check(puna_reward_book_shown(book, (uint64_t)i, segments[i], text, i));
    const int clicked = u[i] < 4 * rates[segments[i] * kTexts + text];
    if (clicked) check(puna_reward_book_clicked(book, (uint64_t)i, i + 100, NULL));
    log.contexts[log.count] = segments[i];
    log.actions[log.count] = text;
    log.propensities[log.count] = propensity;
    log.rewards[log.count++] = clicked;
  }
  puna_balance balance = {.struct_size = sizeof balance};
  check(puna_ledger_get_campaign(b.ledger, b.campaign, &balance));
  printf("%.2f of %.2f spent on %" PRIu64 " impressions\n", (double)balance.spent / 1e6, (double)kBudget / 1e6,
         log.count);
  look_back(&log);
  end(&b);
  fclose(journal);
  puna_chooser_free(chooser);
  puna_reward_book_free(book);
  return 0;
}
