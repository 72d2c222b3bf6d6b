/* puna_ads.h -- advertisements: texts written from a brief and checked, what to bid so that a budget lasts, money that
 * cannot be overspent, which variant to show to whom, and what a log can tell of another policy. The rules of puna.h
 * hold here too.
 *
 *   // an auction: bid, reserve before you answer, settle when the price is known
 *   puna_pacer_bid(pacer, at, value, left, &bid);
 *   puna_ledger_reserve(ledger, campaign, bid, now, 60000000, &reservation);
 *   ...                                                                      // send the bid; it was won at `price`
 *   puna_ledger_settle(ledger, reservation, price, &outcome);
 *   puna_pacer_won(pacer, price, value);
 *
 *   // an impression: choose, log the propensity, learn from what came of it
 *   puna_chooser_choose(chooser, segment, seed, number, &variant, &propensity);
 *   puna_reward_book_shown(book, number, segment, variant, now);
 *   puna_reward_book_clicked(book, number, now, &counts);
 *   puna_reward_book_collect(book, now, &outcomes, &outcome_count);
 *   puna_chooser_update(chooser, outcomes, outcome_count);
 *
 * Money is int64_t, millionths of the currency's unit: 0 to 9e12. Clocks and seeds are yours; nothing here reads a
 * clock, draws from the system or has a thread. The same calls give the same bits on every machine. Handles need no
 * context; their memory is the C++ runtime's. They go on working after fork(). Unless a comment says otherwise a handle
 * is used by one thread at a time. PUNA_UNSUPPORTED in builds without advertisements.
 *
 * What is not here: buying media, pictures, finding audiences. docs/ads.md has the methods and their sources. */
#ifndef PUNA_ADS_H
#define PUNA_ADS_H

#include "puna.h"
#include "puna_train.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Ledger: who may spend what -----------------------------------------------------------------------------------
 * At no moment, on no thread, are spend and open reservations of a campaign above its budget, or those of an account's
 * campaigns above the account's cap. What a bid may cost at most is its reservation.
 *
 * It lives in memory. To survive a crash, write each reservation to storage of your own before you answer the bid, and
 * each settlement; after a restart give both back by puna_ledger_restore. (C++ programs have the same on SQLite,
 * include/puna/ads/durable_ledger.h: this library has no run-time dependency, and yours may be another database.) */

/* Any number of threads may reserve, settle, expire and read at once. Accounts and campaigns are added, and restored,
 * while no other thread uses it. */
typedef struct puna_ledger puna_ledger;

#define PUNA_SETTLED_BOOKED 0
#define PUNA_SETTLED_BOOKED_LATE 1  /* after the reservation had expired, and there was still room */
#define PUNA_SETTLED_REFUSED_LATE 2 /* ... and there was none: counted in refused_late, never in spent */
#define PUNA_SETTLED_UNKNOWN 3      /* no such reservation, or it was settled before */

typedef struct puna_balance {
  uint32_t struct_size;
  int32_t reserved; /* 0 */
  int64_t limit;    /* the budget or the cap */
  int64_t spent;    /* settled */
  int64_t open;     /* reserved and not settled */
  int64_t refused_late;
  int64_t left; /* that could still be reserved; of a campaign, also by its account's cap */
} puna_balance;

PUNA_API puna_status puna_ledger_create(puna_ledger** ledger);
/* Numbers are 0, 1, 2, ... each; at most 2^31 - 1. */
PUNA_API puna_status puna_ledger_add_account(puna_ledger* ledger, int64_t cap, int32_t* account);
PUNA_API puna_status puna_ledger_add_campaign(puna_ledger* ledger, int32_t account, int64_t budget, int32_t* campaign);
/* *reservation is above 0 and never used twice, or 0: the campaign or its account has not that much left. `now` is your
 * clock in microseconds and may jump: backwards it stands still, forwards a call moves the ledger's own time by at most
 * a minute. puna_ledger_expire frees what is open after `time_to_live` microseconds of it. */
PUNA_API puna_status puna_ledger_reserve(puna_ledger* ledger, int32_t campaign, int64_t amount, int64_t now,
                                         int64_t time_to_live, int64_t* reservation);
/* `spent` of it was spent, at most what was reserved; the rest is free again. *outcome: PUNA_SETTLED_... */
PUNA_API puna_status puna_ledger_settle(puna_ledger* ledger, int64_t reservation, int64_t spent, int32_t* outcome);
/* Frees what is over its time: how many. They are remembered for late settlements until puna_ledger_forget_late. */
PUNA_API puna_status puna_ledger_expire(puna_ledger* ledger, int64_t now, int64_t* freed);
PUNA_API puna_status puna_ledger_forget_late(puna_ledger* ledger);
/* After a restart. `reservation` 0: the campaign had spent `amount`. Else that reservation of `amount` was open: it
 * counts as spent until it is settled (with 0 when it bought nothing) and does not expire. PUNA_INVALID_ARGUMENT when
 * that is more than budget and cap allow, or the reservation is there already. */
PUNA_API puna_status puna_ledger_restore(puna_ledger* ledger, int32_t campaign, int64_t reservation, int64_t amount);
PUNA_API puna_status puna_ledger_get_campaign(const puna_ledger* ledger, int32_t campaign, puna_balance* balance);
PUNA_API puna_status puna_ledger_get_account(const puna_ledger* ledger, int32_t account, puna_balance* balance);
PUNA_API void puna_ledger_free(puna_ledger* ledger);

/* ---- Plan: which share of a day's budget is to be spent by when -------------------------------------------------- */

/* Immutable, for any thread; many campaigns may share one. */
typedef struct puna_spend_plan puna_spend_plan;

/* Auctions of one day as they are known afterwards, in the order of their time. */
typedef struct puna_ads_day {
  uint32_t struct_size;
  int32_t reserved;      /* 0 */
  uint64_t count;        /* at most 100,000,000 */
  const double* at;      /* [count]: the share of the day that was over, from 0 to below 1 */
  const int64_t* values; /* [count]: what winning was worth, 0 to 9e12 */
  const int64_t* prices; /* [count]: the highest other bid */
} puna_ads_day;

/* The best that a constant multiplier could have done, known from the day's end. */
typedef struct puna_hindsight {
  uint32_t struct_size;
  int32_t reserved; /* 0 */
  double value;     /* in micros */
  int64_t spent;
  int64_t won;
  double multiplier; /* mu: it bid value / (1 + mu) */
} puna_hindsight;

/* Shares of equal parts of the day, one behind the other; at most 100,000. They need not add up to 1. */
PUNA_API puna_status puna_spend_plan_create(const double* shares, size_t count, puna_spend_plan** plan);
/* As the best constant multiplier would have spent the budget on that day, yesterday: hand its multiplier to
 * puna_pacer_options as well. hindsight may be NULL, as may plan: then only the other is made. */
PUNA_API puna_status puna_spend_plan_learn(const puna_ads_day* day, int64_t budget, puna_hindsight* hindsight,
                                           puna_spend_plan** plan);
/* The share of the budget that is to be spent when the share `at` of the day is over. */
PUNA_API puna_status puna_spend_plan_spent_by(const puna_spend_plan* plan, double at, double* share);
PUNA_API void puna_spend_plan_free(puna_spend_plan* plan);

/* ---- Pacer: what to bid so that the budget lasts for its day ----------------------------------------------------- */

/* A campaign and a day. */
typedef struct puna_pacer puna_pacer;

#define PUNA_PACING_DUAL 0 /* dual mirror descent: bid = value / (1 + mu) */
#define PUNA_PACING_PI 1
#define PUNA_PACING_THROTTLE 2 /* bids the value, and takes part in some auctions */
#define PUNA_PACING_NONE 3     /* bids the value while there is money */

#define PUNA_PACE_BY_TIME 0
#define PUNA_PACE_BY_AUCTIONS 1

typedef struct puna_pacer_options {
  uint32_t struct_size;
  int32_t method;            /* PUNA_PACING_... */
  int64_t budget;            /* of the day */
  int64_t expected_auctions; /* a day, roughly; at least 1 */
  int32_t pace_by;           /* PUNA_PACE_BY_...: without a plan, evenly in time or over the expected auctions */
  int32_t has_multiplier;    /* 1 = `multiplier` is yesterday's, to begin with */
  double multiplier;         /* 0 to 1e6 */
  double least_return;       /* what the day's value over its spend must reach at least, to 1e6; 0 = no target */
  uint64_t seed;             /* of throttling */
  double at;                 /* after a restart: the share of the day that is over, and what is spent already */
  int64_t spent;
  const puna_spend_plan* plan; /* NULL = none; the pacer keeps it alive */
} puna_pacer_options;

typedef struct puna_pacer_info {
  uint32_t struct_size;
  int32_t reserved;  /* 0 */
  double multiplier; /* mu: for tomorrow's options */
  double lambda;     /* of PI and throttling */
  double trust;      /* in the plan: 1 = as given, 0 = today was too unlike it, and it was dropped */
} puna_pacer_info;

PUNA_API puna_status puna_pacer_create(const puna_pacer_options* options, puna_pacer** pacer);
/* What to bid in an auction that is worth `value`, when `left` is neither spent nor reserved: from 0 (take no part) to
 * `left`. `at`, 0 to 1, is the share of the day that is over; a clock that goes backwards stands still. */
PUNA_API puna_status puna_pacer_bid(puna_pacer* pacer, double at, int64_t value, int64_t left, int64_t* bid);
/* What winning cost and was worth, as soon as it is known. Nothing needs to be said of lost auctions. */
PUNA_API puna_status puna_pacer_won(puna_pacer* pacer, int64_t price, int64_t value);
PUNA_API puna_status puna_pacer_get_info(const puna_pacer* pacer, puna_pacer_info* info);
PUNA_API void puna_pacer_free(puna_pacer* pacer);

/* ---- Auctions ---------------------------------------------------------------------------------------------------- */

/* What the highest other bid is likely to be in each hour, learnt from one's own bids: a log-normal, with the
 * likelihood of censored data. For bids in first-price auctions. */
typedef struct puna_clearing_prices puna_clearing_prices;

#define PUNA_PRICE_SEEN 0 /* it was this */
#define PUNA_PRICE_WON 1  /* at most this: a bid of ours that won */
#define PUNA_PRICE_LOST 2 /* above this: one that lost */

/* hours: 1 to 1000; typical: the median before anything is known, above 0, in any unit; spread: the standard deviation
 * of the logarithm, 0.05 to 5; 0 = 1. */
PUNA_API puna_status puna_clearing_prices_create(int32_t hours, double typical, double spread,
                                                 puna_clearing_prices** prices);
PUNA_API puna_status puna_clearing_prices_observe(puna_clearing_prices* prices, int32_t hour, int32_t kind,
                                                  double price);
/* The bid with the largest (value - bid) * P(win), and that probability; probability may be NULL. */
PUNA_API puna_status puna_clearing_prices_bid(const puna_clearing_prices* prices, int32_t hour, double value,
                                              double* bid, double* probability);
PUNA_API void puna_clearing_prices_free(puna_clearing_prices* prices);

#define PUNA_AUCTION_SECOND_PRICE 0
#define PUNA_AUCTION_FIRST_PRICE 1
/* One item to the highest of bids[count]; ties go to the lowest number. *winner is -1 when nobody bids the reserve. */
PUNA_API puna_status puna_auction_sell(int32_t rule, const double* bids, size_t count, double reserve, int32_t* winner,
                                       double* price);

#define PUNA_SLOTS_GSP 0
#define PUNA_SLOTS_VCG 1
/* Slots of a page, slot j clicked with probability click_factors[j], falling; bidder i is ranked by bids[i] *
 * qualities[i]. winners, per_click (what the winner pays for a click) and expected (for being shown): [slot_count]
 * each; -1 and 0 for a slot that nobody has. */
PUNA_API puna_status puna_auction_sell_slots(int32_t rule, const double* bids, const double* qualities, size_t count,
                                             const double* click_factors, size_t slot_count, int32_t* winners,
                                             double* per_click, double* expected);

/* ---- Chooser: which variant to show to whom ---------------------------------------------------------------------- */

typedef struct puna_chooser puna_chooser;

#define PUNA_CHOICE_HIERARCHICAL 0 /* segments and variants learn from each other; explores less than Thompson does */
#define PUNA_CHOICE_THOMPSON 1     /* Beta, each cell for itself */
#define PUNA_CHOICE_LIN_TS 2
#define PUNA_CHOICE_LIN_UCB 3
#define PUNA_CHOICE_UNIFORM 4

typedef struct puna_chooser_options {
  uint32_t struct_size;
  int32_t method;   /* PUNA_CHOICE_... */
  int32_t segments; /* 0 = 1; times variants at most 10,000,000 */
  int32_t variants; /* 1 to 1000 */
  /* Least probability of a variant that is not retired, to 1 / variants; 0 = 0.0002, or 1 / variants where that is
   * less; -1 = none. Without one a log cannot carry conclusions about other policies. */
  double floor;
  double discount; /* by which older sums are multiplied at each update, where rates change; 0 = 1, else 0.01 to 1 */
  double temper;   /* hierarchical: how much of the posterior's deviation is explored; 0 = 0.4; 1 = Thompson */
  double early_temper;   /* ... before there are clicks; 0 = 0.8 */
  double early_clicks;   /* ... from which it falls to temper, by e every so many; 0 = 1500 */
  double variant_spread; /* hierarchical: deviation of log odds between variants, to begin with; 0 = 0.3 */
  double cell_spread;    /* ... and of a segment's from its variant's; 0 = 0.3 */
  double base_rate;      /* around which rates are; 0 = 0.01 */
  double prior_shown;    /* Thompson: impressions that the first guess counts for; 0 = 100 */
  double deviations;     /* LinUCB: alpha; 0 = 0.1 */
  double noise;          /* LinTS: v; 0 = 0.05 */
  double ridge;          /* LinUCB, LinTS; 0 = 1 */
  const double* rates;   /* [segments][variants], predicted by a ranker, between 0 and 1; NULL = none */
} puna_chooser_options;

typedef struct puna_chooser_info {
  uint32_t struct_size;
  int32_t segments;
  int32_t variants;
  int32_t retired; /* of them */
} puna_chooser_info;

/* What happened in a cell since the last update. (No struct_size: it comes in arrays, and stays as it is.) */
typedef struct puna_shown_and_clicked {
  int32_t segment;
  int32_t variant;
  double shown;
  double clicks;
} puna_shown_and_clicked;

PUNA_API puna_status puna_chooser_create(const puna_chooser_options* options, puna_chooser** chooser);
/* One variant, and the probability with which it was drawn: log it. The draw is a function of seed and number: give
 * each impression another number. */
PUNA_API puna_status puna_chooser_choose(puna_chooser* chooser, int32_t segment, uint64_t seed, uint64_t number,
                                         int32_t* variant, double* propensity);
/* Of every variant in this segment, probabilities[variants]; 0 for those that are retired. */
PUNA_API puna_status puna_chooser_get_propensities(puna_chooser* chooser, int32_t segment, double* probabilities,
                                                   size_t capacity);
/* What is believed of every rate in this segment: the mean, without exploration. rates[variants]. */
PUNA_API puna_status puna_chooser_get_rates(puna_chooser* chooser, int32_t segment, double* rates, size_t capacity);
/* All of it or none. The order does not matter, nor how outcomes are summed up. */
PUNA_API puna_status puna_chooser_update(puna_chooser* chooser, const puna_shown_and_clicked* outcomes, size_t count);
/* The sums by which it goes, shown[segments * variants] and clicks alike: all of its state. A new chooser of the same
 * options, given them in one update, goes on as this one would. */
PUNA_API puna_status puna_chooser_get_sums(const puna_chooser* chooser, double* shown, double* clicks, size_t capacity);
/* A new variant; rates[count]: of a chooser that was given rates, one a segment, else count is 0. */
PUNA_API puna_status puna_chooser_add_variant(puna_chooser* chooser, const double* rates, size_t count,
                                              int32_t* variant);
/* Not shown from now on; what is known of it stays. PUNA_INVALID_ARGUMENT for the last one that is left. */
PUNA_API puna_status puna_chooser_retire(puna_chooser* chooser, int32_t variant);
PUNA_API puna_status puna_chooser_get_info(const puna_chooser* chooser, puna_chooser_info* info);
PUNA_API void puna_chooser_free(puna_chooser* chooser);

/* ---- Reward book: rewards that come late, twice, or in another order --------------------------------------------- */

/* An impression waits for its click until its window is over, and then counts as shown, clicked or not. */
typedef struct puna_reward_book puna_reward_book;

typedef struct puna_reward_counts {
  uint32_t struct_size;
  int32_t reserved; /* 0 */
  int64_t shown;    /* counted so far */
  int64_t clicked;
  int64_t waiting;  /* in their window */
  int64_t repeated; /* the same event again: left out */
  int64_t late;     /* clicks after their window, or of impressions that are not known */
} puna_reward_counts;

/* The window, and all times, are in any unit. */
PUNA_API puna_status puna_reward_book_create(int64_t window, puna_reward_book** book);
/* `key` is yours, one an impression: the number it was chosen with, or a hash of an id. */
PUNA_API puna_status puna_reward_book_shown(puna_reward_book* book, uint64_t key, int32_t segment, int32_t variant,
                                            int64_t time);
/* The impression may be reported later than its click. *counts (may be NULL): 1 = it is the first, and in time. */
PUNA_API puna_status puna_reward_book_clicked(puna_reward_book* book, uint64_t key, int64_t time, int32_t* counts);
/* Outcomes of all impressions whose window is over, by segment and variant: *count of them, which live until the book
 * collects again or is freed. They are given out once. */
PUNA_API puna_status puna_reward_book_collect(puna_reward_book* book, int64_t now,
                                              const puna_shown_and_clicked** outcomes, size_t* count);
PUNA_API puna_status puna_reward_book_get_counts(const puna_reward_book* book, puna_reward_counts* counts);
PUNA_API void puna_reward_book_free(puna_reward_book* book);

/* ---- Off-policy evaluation: what another policy would have earned, from the log of the one that ran ---------------
 *
 *   puna_off_policy_count(ope, rows, count);      // all rows, in any number of calls
 *   puna_off_policy_begin(ope, NULL, 0);          // the policy; NULL: uniform over the actions that the log has
 *   puna_off_policy_estimate(ope, rows, count);   // the same rows again
 *   puna_off_policy_report_on(ope, &report);      // look at report.refusal_count first
 *
 * No row is kept. */
typedef struct puna_off_policy puna_off_policy;

typedef struct puna_off_policy_options {
  uint32_t struct_size;
  int32_t reserved; /* 0 */
  double shrink;    /* rows that the log's mean counts for in each mean of the reward model; 0 = 50 */
  /* at most 100 each, above 0, up to 1e12; NULL = ours: 20; 1, 5, 20; 10 */
  const double* clips; /* of the weights of IPS and SNIPS */
  uint64_t clip_count;
  const double* switches; /* tau of switch-DR */
  uint64_t switch_count;
  const double* shrinkages; /* lambda of DRos */
  uint64_t shrinkage_count;
} puna_off_policy_options;

/* Rows of a log, a column an array. */
typedef struct puna_logged_choices {
  uint32_t struct_size;
  int32_t reserved; /* 0 */
  uint64_t count;
  const int32_t* contexts;    /* [count], 0 to 2^24 - 1; NULL = all 0 */
  const int32_t* actions;     /* [count], 0 to 2^24 - 1 */
  const double* propensities; /* [count]: with which the action was taken */
  const double* rewards;      /* [count] */
} puna_logged_choices;

typedef struct puna_estimate {
  const char* name; /* "dm", "ips", "clipped_ips_20", "snips", "dr", "switch_dr_tau1", ... */
  double value;
  double standard_error;
} puna_estimate;

/* Lists and texts live until the next call with the handle. */
typedef struct puna_off_policy_report {
  uint32_t struct_size;
  int32_t reserved; /* 0 */
  int64_t rows;
  int64_t contexts;
  int64_t actions;  /* that the log has */
  int64_t rewarded; /* rows with a reward that is not 0 */
  double log_value; /* of the policy that ran */
  double log_standard_error;
  double ess; /* effective sample size */
  double mean_weight;
  double largest_weight;
  double largest_share; /* of the sum of weights */
  /* Sum of 1 / p over the rows of an action should be the number of rows: the worst action, by its standard errors */
  int64_t worst_action; /* -1 = none */
  double worst_ratio;
  double worst_errors;
  const puna_estimate* estimates;
  uint64_t estimate_count;
  /* why these rows cannot carry a conclusion, and what to log instead: then the estimates mean nothing */
  const char* const* refusals;
  uint64_t refusal_count;
  const char* const* warnings;
  uint64_t warning_count;
} puna_off_policy_report;

PUNA_API puna_status puna_off_policy_create(const puna_off_policy_options* options, puna_off_policy** ope);
/* All of the rows or, when one is wrong, none. */
PUNA_API puna_status puna_off_policy_count(puna_off_policy* ope, const puna_logged_choices* rows);
/* policy[contexts][actions]: the largest numbers that were counted plus 1 each; each row adds up to 1. policy_count
 * says how many. PUNA_WRONG_STATE: it has begun already. */
PUNA_API puna_status puna_off_policy_begin(puna_off_policy* ope, const double* policy, size_t policy_count);
PUNA_API puna_status puna_off_policy_estimate(puna_off_policy* ope, const puna_logged_choices* rows);
/* PUNA_INVALID_ARGUMENT unless as many rows were estimated as counted. */
PUNA_API puna_status puna_off_policy_report_on(puna_off_policy* ope, puna_off_policy_report* report);
PUNA_API void puna_off_policy_free(puna_off_policy* ope);

/* ---- Lint: what a platform, or a reader, will object to in a text -------------------------------------------------
 * Advice, not legal clearance. */

/* Rules, placements and a brief. Immutable, for any thread. */
typedef struct puna_lint puna_lint;

/* Texts in JSON, as `puna ads plan` and `puna ads lint` take them; NULL = ours, and no brief. */
typedef struct puna_lint_options {
  uint32_t struct_size;
  int32_t reserved;  /* 0 */
  const char* brief; /* its facts, banned terms, competitors and names; NULL: claims are not checked */
  uint64_t brief_bytes;
  const char* rules;
  uint64_t rules_bytes;
  const char* placements;
  uint64_t placements_bytes;
  const char* language; /* of the texts: en, pt-BR, ...; NULL = the brief's, or en */
} puna_lint_options;

PUNA_API puna_status puna_lint_create(const puna_lint_options* options, puna_lint** lint);
/* placement, "google.search", may be NULL: then the rules of all platforms hold; so may field, "headline": then there
 * is no limit. *errors (may be NULL): 1 = the platform refuses the text, or it says what it may not. `json`: {"text",
 * "graphemes", "columns", "utf16", "errors", "findings": [{"rule", "severity", "begin", "end", "text", "reason"}]},
 * with "length" in the placement's characters and the field's "limit"; begin and end are bytes. */
PUNA_API puna_status puna_lint_check(const puna_lint* lint, const char* placement, const char* field, const char* text,
                                     size_t text_bytes, int32_t* errors, puna_buffer* json);
PUNA_API void puna_lint_free(puna_lint* lint);

/* ---- Plans: texts from a brief ----------------------------------------------------------------------------------- */

typedef struct puna_ads_plan_options {
  uint32_t struct_size;
  int32_t exact;               /* as in puna_session_options */
  float temperature;           /* to 10; 0 = 0.9, -1 = always the likeliest token */
  float top_p;                 /* 0.001 to 1; 0 = 0.95 */
  int32_t parallel;            /* texts written at once, 1 to 256; 0 = 16; the same texts */
  int32_t reserved;            /* 0 */
  const puna_adapter* adapter; /* the brand's voice; NULL = the model alone */
  const char* rules;           /* JSON, as in puna_lint_options, with the next three */
  uint64_t rules_bytes;
  const char* placements;
  uint64_t placements_bytes;
  const char* model_name; /* for the plan's record, with the next two; NULL = "" */
  const char* adapter_name;
  const char* made_at;
  /* Asked on the calling thread, at most once a millisecond: texts written, of all that are wanted (0 until they are
   * known). Nonzero cancels; optional. */
  int32_t (*progress)(void* user, uint64_t done, uint64_t total);
  void* progress_user;
} puna_ads_plan_options;

/* `brief`: JSON, docs/ads.md has its fields. `json`: the plan as `puna ads plan --out` writes it, a function of brief,
 * model, adapter and options alone. PUNA_INVALID_ARGUMENT names the field of a brief that cannot be met. When it fails,
 * or is cancelled, `json` stays as it was. */
PUNA_API puna_status puna_ads_plan_write(const puna_model* model, const char* brief, size_t brief_bytes,
                                         const puna_ads_plan_options* options, puna_buffer* json);

/* ---- Simulated days and worlds, to measure a policy of one's own on ----------------------------------------------
 * The processes of `puna ads simulate`, which plays the methods above on them. */

#define PUNA_DAY_PLAIN 0
#define PUNA_DAY_DRIFTING 1     /* prices double over the day */
#define PUNA_DAY_SPIKING 2      /* three times that from 12 to 14 */
#define PUNA_DAY_HEAVY_TAILED 3 /* of values and prices */
#define PUNA_DAY_TRAFFIC 4      /* more auctions in some hours */
/* at[count], values[count], prices[count]: as in puna_ads_day. */
PUNA_API puna_status puna_simulate_day(int32_t process, uint64_t seed, size_t count, double* at, int64_t* values,
                                       int64_t* prices);
/* Click rates p[segments * variants], and what a ranker would predict of them (rates, alike; may be NULL).
 * interaction: the deviation of log odds by which segments differ. */
PUNA_API puna_status puna_simulate_world(uint64_t seed, int32_t segments, int32_t variants, double interaction,
                                         double* p, double* rates);
/* Impressions of such a world: shown variant k, segments[i] clicks when u[i] is below p[segment][k]. */
PUNA_API puna_status puna_simulate_stream(uint64_t seed, int32_t segments, size_t count, int32_t* of_segment,
                                          double* u);

#ifdef __cplusplus
}
#endif

#endif /* PUNA_ADS_H */
