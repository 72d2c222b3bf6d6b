// puna ads ope: what another policy would have earned, from the log of the one that ran; or why the log cannot say.
#include <cstdio>
#include <filesystem>

#include "ads.h"
#include "ads/ope_log.h"
#include "base/json.h"
#include "base/nearest.h"
#include "base/shown.h"
#include "common.h"
#include "interrupt.h"
#include "progress.h"
#include "puna/base/error.h"

namespace puna::cli {
namespace {

struct OpeFlags {
  std::string log, policy = "uniform";
  ads::LogColumns columns;
  bool force = false, json = false;
};

OrderedJson json_of(const ads::LogReport& r, bool conclusive) {
  OrderedJson estimates;
  for (const ads::Estimate& e : r.estimates)
    estimates[e.name] = {{"value", e.value}, {"standard_error", e.standard_error}};
  return {{"rows", r.rows},
          {"contexts", r.contexts},
          {"actions", r.actions},
          {"rewarded", r.rewarded},
          {"on_policy_value_of_log", r.log_value},
          {"on_policy_standard_error", r.log_standard_error},
          {"estimates", conclusive ? estimates : OrderedJson()},
          {"ess", r.ess},
          {"max_w", r.largest_weight},
          {"mean_w", r.mean_weight},
          {"largest_share", r.largest_share},
          {"calibration",
           {{"worst_action", r.worst_action_name}, {"ratio", r.worst_ratio}, {"standard_errors", r.worst_errors}}},
          {"refusals", r.refusals},
          {"warnings", r.warnings}};
}

void print_table(const ads::LogReport& r, bool conclusive) {
  print_format("%jd rows, %jd contexts, %jd actions; the policy that ran: %.6g (+- %.2g)\n", intmax_t(r.rows),
               intmax_t(r.contexts), intmax_t(r.actions), r.log_value, r.log_standard_error);
  if (conclusive) {
    print_format("%-20s %14s %14s\n", "", "estimate", "standard error");
    for (const ads::Estimate& e : r.estimates)
      print_format("%-20s %14.8g %14.4g\n", e.name.c_str(), e.value, e.standard_error);
  }
  print_format("effective sample size %.6g (%.3g %%), mean weight %.4g, largest %.4g (%.3g %% of all)\n", r.ess,
               100 * r.ess / double(r.rows), r.mean_weight, r.largest_weight, 100 * r.largest_share);
}

void run_ope(const OpeFlags& f) {
  TextInput log(f.log);
  std::unique_ptr<TextInput> policy;
  if (f.policy != "uniform" && f.policy != "-" && !std::filesystem::exists(f.policy))
    fail(Status::invalid_argument, "--policy is '%s', neither uniform nor a file that is there%s",
         shown(f.policy).c_str(), did_you_mean(f.policy, std::initializer_list<const char*>{"uniform"}).c_str());
  if (f.policy != "uniform") policy = std::make_unique<TextInput>(f.policy);
  ProgressBar bar("rows");
  size_t before = 0, passes = 0;
  const ads::LogReport report = stoppable([&](const Watch& watch) {
    return ads::evaluate_log(log.file(), f.columns, policy ? &policy->file() : nullptr, {}, watch, [&](size_t bytes) {
      passes += bytes < before;
      before = bytes;
      log.drop(bytes);
      bar.update(bytes + passes * log.file().text.size(), 2 * log.file().text.size());
    });
  });
  bar.wipe();
  const bool conclusive = report.refusals.empty() || f.force;
  fprintf(stderr, "%s: %s\n", f.log.c_str(), report.columns.c_str());
  if (f.json)
    print_format("%s\n", json_text(json_of(report, conclusive)).c_str());
  else
    print_table(report, conclusive);
  for (const std::string& w : report.warnings) warn(w);
  if (report.refusals.empty()) return;
  std::string reasons;
  for (const std::string& r : report.refusals) reasons += (reasons.empty() ? "" : "; ") + r;
  if (f.force)
    warn(reasons);
  else
    fail(Status::unsupported, "%s cannot say what this policy would earn: %s (--force prints the estimates)",
         f.log.c_str(), reasons.c_str());
}

}  // namespace

void add_ads_ope(const Verb& ads) {
  const auto f = std::make_shared<OpeFlags>();
  const Verb verb(ads, "ope",
                  "Off-policy evaluation: what another policy would have earned, by DM, IPS, SNIPS, DR and relatives");
  verb.option("LOG", f->log, "a table of choices: action, reward, propensity and, where choices depend on it, context")
      .required();
  verb.option("--policy", f->policy, "uniform (default), or a table with the columns action, probability and context");
  verb.option("--action", f->columns.action, "its column (default: action, item_id or variant)");
  verb.option("--reward", f->columns.reward, "its column (default: reward, click or clicked)");
  verb.option("--propensity", f->columns.propensity, "its column (default: propensity, propensity_score, pscore or p)");
  verb.option("--context", f->columns.context,
              "its columns, between commas (default: position, segment or context, if there is one)");
  verb.flag("--force", f->force, "print estimates that the log cannot carry, and why not");
  verb.flag("--json", f->json, "one line of JSON");
  verb.run([f] { run_ope(*f); });
}

}  // namespace puna::cli
