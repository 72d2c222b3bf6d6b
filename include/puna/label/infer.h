// infer.h -- the true labels of items from answers that disagree, and how good each worker is.
//   majority      the label most answers have
//   dawid_skene   a confusion matrix a worker (Dawid and Skene, 1979)
//   one_coin      one accuracy a worker, mistakes spread evenly
//   mace          a worker knows the label or guesses from a distribution of its own (Hovy et al., 2013)
//   glad          a worker has an ability, an item a difficulty (Whitehill et al., 2009)
// Gold items are certain and teach who is good. Ties go to the smallest label by name. The same bits on every machine.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "puna/base/watch.h"
#include "puna/label/answers.h"

namespace puna::label {

enum class Method { majority, dawid_skene, one_coin, mace, glad };
inline constexpr const char* kMethodNames[] = {"majority", "ds", "onecoin", "mace", "glad"};
Method method_of(std::string_view name);  // Error{invalid_argument} naming the nearest

struct InferOptions {
  Method method = Method::dawid_skene;
  int64_t iterations = 100;  // at most
  double tolerance = 1e-6;   // ends when no posterior changed by as much
  double smoothing = 0.01;   // added to every cell of a confusion matrix
  int64_t restarts = 10;     // of mace, whose start is random: the one with the best likelihood counts
  uint64_t seed = 1234;      // of mace
};

struct Inference {
  int64_t classes = 0;
  std::vector<double> posterior;   // [items, classes]; of an item without answers and gold, zeros
  std::vector<int32_t> label;      // of every item: the most probable; kUnknown without answers and gold
  std::vector<double> accuracy;    // of every worker: how often it is right, by the posteriors
  std::vector<double> confusion;   // [workers, classes (true), classes (answered)]; empty for glad
  std::vector<double> ability;     // glad: of every worker
  std::vector<double> difficulty;  // glad: of every item, 1 / beta
  int64_t iterations = 0;          // that were needed; 0 for majority
  bool converged = true;
  double log_likelihood = 0;  // of the answers, at the last step; 0 for majority

  double confidence(int64_t item) const;  // the largest posterior
  double entropy(int64_t item) const;     // in nats
  double margin(int64_t item) const;      // between the two largest
};

// Error{invalid_argument} without answers or with fewer than two labels.
Inference infer(const Answers& answers, const InferOptions& options = {}, const Watch& watch = Watch());

// The items that people should decide: those with answers and without gold, the least certain first.
std::vector<int64_t> least_certain(const Answers& answers, const Inference& inference);

// Of the items with a truth: the share that is right. An item whose largest posteriors are equal counts by the share of
// those that is right, which is what breaking ties by chance gives on average; the second takes the labels as they are.
// NaN where there is no truth.
double accuracy_of(const Answers& answers, const Inference& inference);
double accuracy_of_labels(const Answers& answers, const std::vector<int32_t>& labels);

}  // namespace puna::label
