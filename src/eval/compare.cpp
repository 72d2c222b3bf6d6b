#include "puna/eval/compare.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>

#include "base/shown.h"
#include "eval/clusters.h"
#include "eval/sentence.h"
#include "puna/base/error.h"

namespace puna::eval {
namespace {

// The scores of two runs, item by item, and the items' clusters.
struct Pairs {
  std::vector<double> a, b, difference;
  std::vector<int64_t> clusters;  // empty: every item its own
  int64_t missing_a = 0, missing_b = 0, both = 0;
  int64_t unshared = 0;  // items that one of the two has no answer to
};

// What two runs were asked, hash by hash.
class SameQuestions {
 public:
  SameQuestions(const TaskRun& a, const TaskRun& b) : a_(a), b_(b) {}

  void see(const ScoredItem& a, const ScoredItem& b) {
    see("data", a.data_hash, b.data_hash, a.item);
    see("prompts (shots, description, chat template)", a.prompt_hash, b.prompt_hash, a.item);
    see("targets", a.target_hash, b.target_hash, a.item);
  }
  void require(int64_t items) const {
    for (const auto& [what, seen] : seen_)
      if (seen.differ > 0)
        fail(Status::invalid_argument,
             "%s and %s cannot be compared on '%s': their %s differ, by the hashes of %jd of %jd items (the first is "
             "'%s')",
             a_.file.c_str(), b_.file.c_str(), shown(a_.task).c_str(), what.data(), seen.differ, items,
             shown(seen.first).c_str());
  }
  // What could not be looked at.
  void note(std::vector<std::string>& notes) const {
    for (const auto& [what, seen] : seen_)
      if (seen.unknown > 0)
        notes.push_back(a_.task + ": the " + std::string(what) + " of " + std::to_string(seen.unknown) +
                        " items have no hash in both files, so whether they agree is not known");
  }

 private:
  struct Seen {
    int64_t differ = 0, unknown = 0;
    std::string first;
  };
  void see(const char* what, const std::string& a, const std::string& b, const std::string& item) {
    Seen& seen = seen_[what];
    if (a.empty() || b.empty()) ++seen.unknown;
    if (a.empty() || b.empty() || a == b) return;
    if (seen.differ++ == 0) seen.first = item;
  }
  const TaskRun &a_, &b_;
  std::map<std::string_view, Seen> seen_;
};

void require_same_kind(const TaskRun& a, const TaskRun& b) {
  const auto differ = [&](const char* what, const std::string& x, const std::string& y) {
    fail(Status::invalid_argument, "%s and %s cannot be compared on '%s': their %s differ, '%s' and '%s'",
         a.file.c_str(), b.file.c_str(), shown(a.task).c_str(), what, shown(x).c_str(), shown(y).c_str());
  };
  if (a.metric != b.metric) differ("metrics", a.metric, b.metric);
  if (a.filter != b.filter) differ("filters", a.filter, b.filter);
}

Pairs pairs_of(const TaskRun& a, const TaskRun& b, std::vector<std::string>& notes, const Watch& watch) {
  require_same_kind(a, b);
  std::unordered_map<std::string_view, const ScoredItem*> of_b;
  for (const ScoredItem& item : b.items) of_b.emplace(item.item, &item);
  Pairs pairs;
  SameQuestions same(a, b);
  std::unordered_map<std::string, int64_t> numbers;
  bool clustered = false;
  const auto add = [&](const ScoredItem* in_a, const ScoredItem* in_b) {
    watch.tick();
    const bool has_a = in_a && !in_a->missing, has_b = in_b && !in_b->missing;
    pairs.a.push_back(has_a ? in_a->score : 0);
    pairs.b.push_back(has_b ? in_b->score : 0);
    pairs.difference.push_back(pairs.b.back() - pairs.a.back());
    pairs.missing_a += !has_a;
    pairs.missing_b += !has_b;
    pairs.unshared += !has_a || !has_b;
    const ScoredItem& either = in_a ? *in_a : *in_b;
    clustered |= !either.cluster.empty();
    const std::string name = either.cluster.empty() ? "\n" + either.item : either.cluster;
    pairs.clusters.push_back(numbers.emplace(name, int64_t(numbers.size())).first->second);
    if (!in_a || !in_b) return;
    same.see(*in_a, *in_b);
    ++pairs.both;
    if (in_a->cluster != in_b->cluster)
      fail(Status::invalid_argument, "item '%s' of '%s' is of the cluster '%s' in %s, and of '%s' in %s",
           shown(in_a->item).c_str(), shown(a.task).c_str(), shown(in_a->cluster).c_str(), a.file.c_str(),
           shown(in_b->cluster).c_str(), b.file.c_str());
  };
  for (const ScoredItem& item : a.items) {
    const auto found = of_b.find(item.item);
    add(&item, found == of_b.end() ? nullptr : found->second);
    if (found != of_b.end()) of_b.erase(found);
  }
  for (const ScoredItem& item : b.items)
    if (of_b.count(item.item)) add(nullptr, &item);
  if (pairs.both == 0)
    fail(Status::invalid_argument, "%s and %s cannot be compared on '%s': they have no item together", a.file.c_str(),
         b.file.c_str(), shown(a.task).c_str());
  same.require(pairs.both);
  same.note(notes);
  if (!clustered) pairs.clusters.clear();
  return pairs;
}

bool all_zero_or_one(const std::vector<double>& scores) {
  return std::all_of(scores.begin(), scores.end(), [](double s) { return s == 0 || s == 1; });
}

int64_t ones(const std::vector<double>& scores) { return std::count(scores.begin(), scores.end(), 1.0); }

double correlation_of(const std::vector<double>& a, const std::vector<double>& b, double mean_a, double mean_b) {
  std::vector<double> off_a, off_b;
  for (size_t i = 0; i < a.size(); ++i) {
    off_a.push_back(a[i] - mean_a);
    off_b.push_back(b[i] - mean_b);
  }
  const int power_a = scale_of(off_a), power_b = scale_of(off_b);
  double aa = 0, bb = 0, ab = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double x = std::ldexp(off_a[i], -power_a), y = std::ldexp(off_b[i], -power_b);
    aa += x * x;
    bb += y * y;
    ab += x * y;
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

Difference difference_of(const TaskRun& a, const TaskRun& b, const Pairs& pairs, const CompareOptions& options,
                         const Watch& watch) {
  Difference d;
  d.task = a.task;
  d.metric = a.metric;
  d.filter = a.filter;
  d.missing_a = pairs.missing_a;
  d.missing_b = pairs.missing_b;
  d.both = int64_t(pairs.a.size()) - pairs.unshared;
  d.mean_a = clustered_mean(pairs.a, pairs.clusters, options.level);
  d.mean_b = clustered_mean(pairs.b, pairs.clusters, options.level);
  d.mean = clustered_mean(pairs.difference, pairs.clusters, options.level);
  if (const std::optional<Interval> range = range_of_metric(a.metric)) {
    // As far as the scores keep to it: a file may give shares in percent.
    const auto keep = [&](double s) { return s >= range->low && s <= range->high; };
    if (std::all_of(pairs.a.begin(), pairs.a.end(), keep) && std::all_of(pairs.b.begin(), pairs.b.end(), keep)) {
      const double wide = range->high - range->low;
      for (MeanEstimate* e : {&d.mean_a, &d.mean_b}) e->interval = within(e->interval, *range);
      d.mean.interval = within(d.mean.interval, {-wide, wide});
    }
  }
  BootstrapOptions bootstrap = options.bootstrap;
  bootstrap.level = options.level;
  d.bootstrap = cluster_bootstrap(pairs.difference, pairs.clusters, bootstrap, watch);
  d.correlation = correlation_of(pairs.a, pairs.b, d.mean_a.mean, d.mean_b.mean);
  d.detectable = detectable_effect(d.mean.error, options.level);
  d.items_needed = items_needed(d.mean.items, d.detectable, d.mean.mean);
  if (all_zero_or_one(pairs.a) && all_zero_or_one(pairs.b)) {
    Discordant& n = d.discordant.emplace();
    n.only_b = std::count(pairs.difference.begin(), pairs.difference.end(), 1.0);
    n.only_a = std::count(pairs.difference.begin(), pairs.difference.end(), -1.0);
    n.p = mcnemar_exact(n.only_a, n.only_b);
    if (pairs.clusters.empty()) {
      d.share_a = wilson_interval(ones(pairs.a), d.mean.items, options.level);
      d.share_b = wilson_interval(ones(pairs.b), d.mean.items, options.level);
    }
  }
  return d;
}

const TaskRun* task_of(const Run& run, const std::string& task) {
  for (const TaskRun& t : run.tasks)
    if (t.task == task) return &t;
  return nullptr;
}

// Files of one task each are compared whatever they are called.
bool one_each(const std::vector<Run>& runs) {
  return std::all_of(runs.begin(), runs.end(), [](const Run& r) { return r.tasks.size() == 1; });
}

}  // namespace

std::optional<Interval> range_of_metric(const std::string& metric) {
  for (const char* share : {"acc", "acc_norm", "acc_bytes", "exact_match", "f1"})
    if (metric == share) return Interval{0, 1};
  if (metric == "brier_score") return Interval{0, 2};  // a sum over the choices
  if (metric == "bits_per_byte") return Interval{0, INFINITY};
  if (metric == "perplexity" || metric == "word_perplexity" || metric == "byte_perplexity")
    return Interval{1, INFINITY};
  return std::nullopt;
}

bool lower_is_better(const std::string& metric) {
  for (const char* name : {"perplexity", "bits_per_byte", "brier", "loss", "ece", "error", "edit_distance"})
    if (metric.find(name) != metric.npos) return true;
  return false;
}

Comparison compare_runs(const std::vector<Run>& runs, const CompareOptions& options, const Watch& watch) {
  PUNA_REQUIRE(runs.size() >= 2, "%zu runs, expected at least two to compare", runs.size());
  Comparison all;
  for (const Run& r : runs) all.notes.insert(all.notes.end(), r.notes.begin(), r.notes.end());
  const bool by_place = one_each(runs);
  for (const TaskRun& a : runs[0].tasks) {
    for (size_t r = 1; r < runs.size(); ++r) {
      const TaskRun* const b = by_place ? &runs[r].tasks[0] : task_of(runs[r], a.task);
      if (!b) {
        all.notes.push_back(runs[r].name + " has no task '" + shown(a.task) + "': not compared");
        continue;
      }
      const Pairs pairs = pairs_of(a, *b, all.notes, watch);
      const bool loss = options.lower_is_better || lower_is_better(a.metric);
      if (loss && pairs.missing_a + pairs.missing_b > 0)
        fail(Status::invalid_argument,
             "'%s' of '%s' is a loss, and %jd answers are missing: there is no number for a wrong one",
             shown(a.metric).c_str(), shown(a.task).c_str(), pairs.missing_a + pairs.missing_b);
      Difference d = difference_of(a, *b, pairs, options, watch);
      d.a = runs[0].name;
      d.b = runs[r].name;
      all.differences.push_back(std::move(d));
    }
  }
  if (all.differences.empty())
    fail(Status::invalid_argument, "%s and the others have no task together", runs[0].name.c_str());
  for (size_t r = 1; r < runs.size() && !by_place; ++r)
    for (const TaskRun& t : runs[r].tasks)
      if (!task_of(runs[0], t.task))
        all.notes.push_back(runs[0].name + " has no task '" + shown(t.task) + "': not compared");
  std::vector<double> p;
  for (const Difference& d : all.differences) p.push_back(d.mean.p);
  const std::vector<double> adjusted = holm(p);
  for (size_t i = 0; i < adjusted.size(); ++i) {
    Difference& d = all.differences[i];
    d.p_holm = adjusted[i];
    const bool loss = options.lower_is_better || lower_is_better(d.metric);
    if (d.p_holm < 1 - options.level) d.verdict = (d.mean.mean > 0) != loss ? Verdict::better : Verdict::worse;
    d.sentence = sentence_of(d, options);
  }
  return all;
}

}  // namespace puna::eval
