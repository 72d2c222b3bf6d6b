// ads_ope.cpp -- puna_off_policy_*: what another policy would have earned, from a log's rows.
#if PUNA_ADS
#include "ads_handles.h"

using namespace puna;
using namespace puna::capi;
using namespace puna::ads;

namespace {

void read_list(std::vector<double>& ours, const double* theirs, uint64_t count, const char* name) {
  PUNA_REQUIRE(theirs != nullptr || count == 0, "%s is NULL", name);
  if (!theirs) return;
  (void)in_range(int64_t(std::min<uint64_t>(count, INT64_MAX)), 0, 100, name);
  ours.assign(theirs, theirs + count);
}

OpeOptions options_from_c(const puna_off_policy_options& o) {
  require_reserved(o.reserved, "puna_off_policy_options");
  OpeOptions c;
  if (number_in_range(o.shrink, 0, 1e12, "shrink") != 0) c.shrink = o.shrink;
  read_list(c.clips, o.clips, o.clip_count, "clips");
  read_list(c.switches, o.switches, o.switch_count, "switches");
  read_list(c.shrinkages, o.shrinkages, o.shrinkage_count, "shrinkages");
  return c;
}

// Every row, twice: first whatever can fail, then it is used, so that a call that fails has used none.
template <class Check, class Use>
void each_row(const puna_logged_choices* theirs, const Check& check, const Use& use) {
  PUNA_REQUIRE(theirs != nullptr, "rows is NULL");
  const puna_logged_choices r = read_options(theirs, "puna_logged_choices");
  require_reserved(r.reserved, "puna_logged_choices");
  const auto actions = array_view(r.actions, r.count, "actions");
  const auto propensities = array_view(r.propensities, r.count, "propensities"),
             rewards = array_view(r.rewards, r.count, "rewards");
  const auto row = [&](size_t i) {
    return LoggedChoice{.context = r.contexts ? r.contexts[i] : 0,
                        .action = actions[i],
                        .propensity = propensities[i],
                        .reward = rewards[i]};
  };
  for (size_t i = 0; i < actions.size(); ++i) {
    try {
      check(row(i));
    } catch (const Error& e) {
      fail(e.status(), "row %zu: %s", i, e.what());
    }
  }
  for (size_t i = 0; i < actions.size(); ++i) use(row(i));
}

std::vector<const char*> pointers(const std::vector<std::string>& texts) {
  std::vector<const char*> all;
  for (const std::string& t : texts) all.push_back(t.c_str());
  return all;
}

}  // namespace

puna_status puna_off_policy_create(const puna_off_policy_options* options, puna_off_policy** ope) {
  return guard([&] {
    PUNA_REQUIRE(ope != nullptr, "ope is NULL");
    const OpeOptions o = options_from_c(read_options(options, "puna_off_policy_options"));
    *ope = new puna_off_policy{OffPolicy(o), {}, {}, {}, {}};
  });
}

puna_status puna_off_policy_count(puna_off_policy* ope, const puna_logged_choices* rows) {
  return guard([&] {
    OffPolicy& o = ads_handle(ope, "ope");
    each_row(
        rows, [&](const LoggedChoice& r) { o.make_room(r); }, [&](const LoggedChoice& r) { o.count(r); });
  });
}

puna_status puna_off_policy_begin(puna_off_policy* ope, const double* policy, size_t policy_count) {
  return guard([&] {
    OffPolicy& o = ads_handle(ope, "ope");
    const auto p = array_view(policy, policy_count, "policy");
    const std::vector<double> table(p.begin(), p.end());
    o.begin_estimates(policy ? &table : nullptr);
  });
}

puna_status puna_off_policy_estimate(puna_off_policy* ope, const puna_logged_choices* rows) {
  return guard([&] {
    OffPolicy& o = ads_handle(ope, "ope");
    each_row(
        rows, [&](const LoggedChoice& r) { o.check_counted(r); }, [&](const LoggedChoice& r) { o.estimate(r); });
  });
}

puna_status puna_off_policy_report_on(puna_off_policy* ope, puna_off_policy_report* report) {
  return guard([&] {
    OpeReport r = ads_handle(ope, "ope").report();
    PUNA_REQUIRE(report != nullptr, "report is NULL");
    std::vector<const char*> refusals = pointers(r.refusals), warnings = pointers(r.warnings);
    std::vector<puna_estimate> estimates;
    for (const Estimate& e : r.estimates) estimates.push_back({e.name.c_str(), e.value, e.standard_error});
    puna_off_policy_report c{};
    c.rows = r.rows;
    c.contexts = r.contexts;
    c.actions = r.actions;
    c.rewarded = r.rewarded;
    c.log_value = r.log_value;
    c.log_standard_error = r.log_standard_error;
    c.ess = r.ess;
    c.mean_weight = r.mean_weight;
    c.largest_weight = r.largest_weight;
    c.largest_share = r.largest_share;
    c.worst_action = r.worst_action;
    c.worst_ratio = r.worst_ratio;
    c.worst_errors = r.worst_errors;
    c.estimates = estimates.data();
    c.estimate_count = estimates.size();
    c.refusals = refusals.data();
    c.refusal_count = refusals.size();
    c.warnings = warnings.data();
    c.warning_count = warnings.size();
    write_info(c, report, "puna_off_policy_report");
    ope->report = std::move(r);  // the texts stay where they are
    ope->estimates = std::move(estimates);
    ope->refusals = std::move(refusals);
    ope->warnings = std::move(warnings);
  });
}

void puna_off_policy_free(puna_off_policy* ope) { delete ope; }
#endif
