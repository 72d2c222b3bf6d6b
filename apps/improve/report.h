// report.h -- what a round of labels gained, for people: what was labelled, what was learned, and a claim only where
// the interval allows one.
#pragma once
#include <string>
#include <vector>

#include "puna/eval/compare.h"

namespace puna::improve {

// A way to choose and how many labels, at one seed: a model of its own.
struct Round {
  std::string name, arm;  // "margin-200-seed1", "margin:200"
  std::string folder;
  uint64_t seed = 0;
  int64_t labels = 0, undecided = 0, people = 0;  // labels that were learned from
  int64_t steps = 0, tokens = 0;
  double first_loss = 0, last_loss = 0, seconds = 0;  // of training
};

struct Facts {
  std::string model, pool, held_out, regression, method;
  int64_t pool_items = 0, duplicates = 0, near_tests = 0, in_tests = 0;
  double base_seconds = 0, tolerance = 0.02;  // tolerance: a loss that counts as none
};

// Of the runs of `rounds`, each against the base: the comparison's differences are by task, then by round. `arms`
// compares what is left of two ways to choose when the seeds are averaged: each against the last; may be empty.
std::string report_text(const Facts& facts, const std::vector<Round>& rounds, const eval::Comparison& against_base,
                        const eval::Comparison& arms);

// What may be said of a regression set: lost, nothing lost beyond the tolerance, or not known.
std::string regression_sentence(const eval::Difference& difference, double tolerance);
// Whether fewer labels, chosen otherwise, did as well: a is the arm with more labels.
std::string arm_sentence(const eval::Difference& difference);

}  // namespace puna::improve
