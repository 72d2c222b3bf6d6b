// compare.h -- whether B is better than A: paired differences item by item, with clustered errors, an exact test, a
// bootstrap, Holm's correction over everything compared, and what the items could have found.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "puna/eval/run.h"
#include "puna/eval/statistics.h"

namespace puna::eval {

enum class Verdict { better, worse, cannot_tell };

struct CompareOptions {
  double level = 0.95;
  BootstrapOptions bootstrap;
  bool lower_is_better = false;  // also true by itself for losses: perplexities, bits per byte, Brier scores
};

// McNemar's test, where every score is 0 or 1.
struct Discordant {
  int64_t only_a = 0, only_b = 0;  // items that one of them got right
  double p = 1;
};

struct Difference {
  std::string task, metric, filter, a, b;  // a, b: names of the runs
  MeanEstimate mean_a, mean_b, mean;       // mean: of b - a, item by item
  Interval bootstrap;
  std::optional<Discordant> discordant;
  std::optional<Interval> share_a, share_b;  // Wilson's, where scores are 0 or 1 and every item is its own cluster
  double p_holm = 1;                         // mean.p beside all other differences
  double detectable = 0;                     // what these items find four times out of five
  double items_needed = 0;                   // to find a difference as large as this one; infinite when it is 0
  double correlation = 0;                    // of the two runs' scores; 0 where one of them has no spread
  int64_t missing_a = 0, missing_b = 0;      // answers that are not there
  int64_t both = 0;                          // items that both answered
  Verdict verdict = Verdict::cannot_tell;
  std::string sentence;
};

struct Comparison {
  std::vector<Difference> differences;  // by task, then by run
  std::vector<std::string> notes;
};

// Every run against the first. An item that one of two runs lacks counts as wrong there. Error{invalid_argument} where
// runs answered other questions: data, prompts (shots, templates), targets, metrics or filters differ; it says which,
// and names an item.
Comparison compare_runs(const std::vector<Run>& runs, const CompareOptions& options = {}, const Watch& watch = Watch());

// For people, and for programs.
std::string text_of(const Comparison& comparison, const CompareOptions& options);
std::string json_of(const Comparison& comparison, const CompareOptions& options);

bool lower_is_better(const std::string& metric);
// What a metric's mean can be; nothing for one that is not known. An interval ends where its metric does.
std::optional<Interval> range_of_metric(const std::string& metric);

}  // namespace puna::eval
