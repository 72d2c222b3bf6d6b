// ads_missing.cpp -- a build without advertisements refuses each call of puna_ads.h and has no handles.
#if !PUNA_ADS
#include "guard.h"
#include "puna_ads.h"

using namespace puna::capi;

puna_status puna_ledger_create(puna_ledger**) { return missing("advertisements"); }
puna_status puna_ledger_add_account(puna_ledger*, int64_t, int32_t*) { return missing("advertisements"); }
puna_status puna_ledger_add_campaign(puna_ledger*, int32_t, int64_t, int32_t*) { return missing("advertisements"); }
puna_status puna_ledger_reserve(puna_ledger*, int32_t, int64_t, int64_t, int64_t, int64_t*) {
  return missing("advertisements");
}
puna_status puna_ledger_settle(puna_ledger*, int64_t, int64_t, int32_t*) { return missing("advertisements"); }
puna_status puna_ledger_expire(puna_ledger*, int64_t, int64_t*) { return missing("advertisements"); }
puna_status puna_ledger_forget_late(puna_ledger*) { return missing("advertisements"); }
puna_status puna_ledger_restore(puna_ledger*, int32_t, int64_t, int64_t) { return missing("advertisements"); }
puna_status puna_ledger_get_campaign(const puna_ledger*, int32_t, puna_balance*) { return missing("advertisements"); }
puna_status puna_ledger_get_account(const puna_ledger*, int32_t, puna_balance*) { return missing("advertisements"); }
void puna_ledger_free(puna_ledger*) {}
puna_status puna_spend_plan_create(const double*, size_t, puna_spend_plan**) { return missing("advertisements"); }
puna_status puna_spend_plan_learn(const puna_ads_day*, int64_t, puna_hindsight*, puna_spend_plan**) {
  return missing("advertisements");
}
puna_status puna_spend_plan_spent_by(const puna_spend_plan*, double, double*) { return missing("advertisements"); }
void puna_spend_plan_free(puna_spend_plan*) {}
puna_status puna_pacer_create(const puna_pacer_options*, puna_pacer**) { return missing("advertisements"); }
puna_status puna_pacer_bid(puna_pacer*, double, int64_t, int64_t, int64_t*) { return missing("advertisements"); }
puna_status puna_pacer_won(puna_pacer*, int64_t, int64_t) { return missing("advertisements"); }
puna_status puna_pacer_get_info(const puna_pacer*, puna_pacer_info*) { return missing("advertisements"); }
void puna_pacer_free(puna_pacer*) {}
puna_status puna_clearing_prices_create(int32_t, double, double, puna_clearing_prices**) {
  return missing("advertisements");
}
puna_status puna_clearing_prices_observe(puna_clearing_prices*, int32_t, int32_t, double) {
  return missing("advertisements");
}
puna_status puna_clearing_prices_bid(const puna_clearing_prices*, int32_t, double, double*, double*) {
  return missing("advertisements");
}
void puna_clearing_prices_free(puna_clearing_prices*) {}
puna_status puna_auction_sell(int32_t, const double*, size_t, double, int32_t*, double*) {
  return missing("advertisements");
}
puna_status puna_auction_sell_slots(int32_t, const double*, const double*, size_t, const double*, size_t, int32_t*,
                                    double*, double*) {
  return missing("advertisements");
}
puna_status puna_chooser_create(const puna_chooser_options*, puna_chooser**) { return missing("advertisements"); }
puna_status puna_chooser_choose(puna_chooser*, int32_t, uint64_t, uint64_t, int32_t*, double*) {
  return missing("advertisements");
}
puna_status puna_chooser_get_propensities(puna_chooser*, int32_t, double*, size_t) { return missing("advertisements"); }
puna_status puna_chooser_get_rates(puna_chooser*, int32_t, double*, size_t) { return missing("advertisements"); }
puna_status puna_chooser_update(puna_chooser*, const puna_shown_and_clicked*, size_t) {
  return missing("advertisements");
}
puna_status puna_chooser_get_sums(const puna_chooser*, double*, double*, size_t) { return missing("advertisements"); }
puna_status puna_chooser_add_variant(puna_chooser*, const double*, size_t, int32_t*) {
  return missing("advertisements");
}
puna_status puna_chooser_retire(puna_chooser*, int32_t) { return missing("advertisements"); }
puna_status puna_chooser_get_info(const puna_chooser*, puna_chooser_info*) { return missing("advertisements"); }
void puna_chooser_free(puna_chooser*) {}
puna_status puna_reward_book_create(int64_t, puna_reward_book**) { return missing("advertisements"); }
puna_status puna_reward_book_shown(puna_reward_book*, uint64_t, int32_t, int32_t, int64_t) {
  return missing("advertisements");
}
puna_status puna_reward_book_clicked(puna_reward_book*, uint64_t, int64_t, int32_t*) {
  return missing("advertisements");
}
puna_status puna_reward_book_collect(puna_reward_book*, int64_t, const puna_shown_and_clicked**, size_t*) {
  return missing("advertisements");
}
puna_status puna_reward_book_get_counts(const puna_reward_book*, puna_reward_counts*) {
  return missing("advertisements");
}
void puna_reward_book_free(puna_reward_book*) {}
puna_status puna_off_policy_create(const puna_off_policy_options*, puna_off_policy**) {
  return missing("advertisements");
}
puna_status puna_off_policy_count(puna_off_policy*, const puna_logged_choices*) { return missing("advertisements"); }
puna_status puna_off_policy_begin(puna_off_policy*, const double*, size_t) { return missing("advertisements"); }
puna_status puna_off_policy_estimate(puna_off_policy*, const puna_logged_choices*) { return missing("advertisements"); }
puna_status puna_off_policy_report_on(puna_off_policy*, puna_off_policy_report*) { return missing("advertisements"); }
void puna_off_policy_free(puna_off_policy*) {}
puna_status puna_lint_create(const puna_lint_options*, puna_lint**) { return missing("advertisements"); }
puna_status puna_lint_check(const puna_lint*, const char*, const char*, const char*, size_t, int32_t*, puna_buffer*) {
  return missing("advertisements");
}
void puna_lint_free(puna_lint*) {}
puna_status puna_ads_plan_write(const puna_model*, const char*, size_t, const puna_ads_plan_options*, puna_buffer*) {
  return missing("advertisements");
}
puna_status puna_simulate_day(int32_t, uint64_t, size_t, double*, int64_t*, int64_t*) {
  return missing("advertisements");
}
puna_status puna_simulate_world(uint64_t, int32_t, int32_t, double, double*, double*) {
  return missing("advertisements");
}
puna_status puna_simulate_stream(uint64_t, int32_t, size_t, int32_t*, double*) { return missing("advertisements"); }
#endif
