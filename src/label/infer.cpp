#include "puna/label/infer.h"

#include <algorithm>
#include <cmath>

#include "base/det_math.h"
#include "base/shown.h"
#include "label/confusion_model.h"
#include "label/named.h"
#include "puna/base/error.h"

namespace puna::label {

Method method_of(std::string_view name) { return named<Method>(kMethodNames, "method", name); }

double Inference::confidence(int64_t item) const {
  const double* const p = &posterior[size_t(item * classes)];
  return *std::max_element(p, p + classes);
}
double Inference::entropy(int64_t item) const {
  double sum = 0;
  for (int64_t t = 0; t < classes; ++t)
    if (const double p = posterior[size_t(item * classes + t)]; p > 0) sum -= p * det::log(p);
  return sum;
}
double Inference::margin(int64_t item) const {
  double first = 0, second = 0;
  for (int64_t t = 0; t < classes; ++t) {
    const double p = posterior[size_t(item * classes + t)];
    second = std::max(second, std::min(first, p));
    first = std::max(first, p);
  }
  return first - second;
}

namespace {

void set_labels(const Answers& a, Inference& r) {
  const auto K = size_t(r.classes);
  r.label.assign(a.items.size(), kUnknown);
  for (size_t i = 0; i < a.items.size(); ++i) {
    const double* const p = &r.posterior[i * K];
    const double* const most = std::max_element(p, p + K);  // the first of equal ones
    if (*most > 0) r.label[i] = int32_t(most - p);
  }
}

void set_accuracies(const Answers& a, Inference& r) {
  std::vector<double> answers(a.workers.size());
  r.accuracy.assign(a.workers.size(), 0);
  for (const Answer& x : a.answers) {
    r.accuracy[size_t(x.worker)] += r.posterior[size_t(x.item) * size_t(r.classes) + size_t(x.label)];
    answers[size_t(x.worker)] += 1;
  }
  for (size_t w = 0; w < answers.size(); ++w) r.accuracy[w] /= std::max(1.0, answers[w]);
}

// The shares of each worker's answers by the majority's labels.
void count_confusion(const Answers& a, Inference& r) {
  const auto K = size_t(r.classes);
  r.confusion.assign(a.workers.size() * K * K, 0);
  for (const Answer& x : a.answers)
    r.confusion[(size_t(x.worker) * K + size_t(r.label[size_t(x.item)])) * K + size_t(x.label)] += 1;
  for (size_t row = 0; row < r.confusion.size(); row += K) {
    double sum = 0;
    for (size_t l = 0; l < K; ++l) sum += r.confusion[row + l];
    for (size_t l = 0; l < K && sum > 0; ++l) r.confusion[row + l] /= sum;
  }
}

}  // namespace

Inference infer(const Answers& a, const InferOptions& o, const Watch& watch) {
  PUNA_REQUIRE(!a.answers.empty(), "there is no answer to infer from");
  PUNA_REQUIRE(a.labels.size() >= 2, "all answers are '%s': there is nothing to infer with one label",
               shown(a.labels[0]).c_str());
  PUNA_REQUIRE(o.iterations >= 1 && o.restarts >= 1, "%jd iterations and %jd restarts, expected at least 1",
               o.iterations, o.restarts);
  PUNA_REQUIRE(o.smoothing >= 0 && std::isfinite(o.smoothing), "a smoothing of %g, expected 0 or more", o.smoothing);
  Inference r;
  r.classes = int64_t(a.labels.size());
  if (o.method == Method::majority)
    r.posterior = vote_shares(a);
  else if (o.method == Method::glad)
    infer_glad(a, o, r, watch);
  else
    infer_by_confusion(a, o, r, watch);
  set_labels(a, r);
  set_accuracies(a, r);
  if (o.method == Method::majority) count_confusion(a, r);
  return r;
}

std::vector<int64_t> least_certain(const Answers& a, const Inference& r) {
  std::vector<int64_t> queue;
  for (size_t i = 0; i < r.label.size(); ++i)
    if (r.label[i] != kUnknown && a.gold[i] == kUnknown) queue.push_back(int64_t(i));
  std::stable_sort(queue.begin(), queue.end(), [&](int64_t x, int64_t y) { return r.confidence(x) < r.confidence(y); });
  return queue;
}

double accuracy_of(const Answers& a, const Inference& r) {
  double right = 0;
  for (size_t i = 0; i < r.label.size(); ++i) {
    if (a.truth[i] == kUnknown || r.label[i] == kUnknown) continue;
    const double* const p = &r.posterior[i * size_t(r.classes)];
    const double most = p[r.label[i]];
    if (p[a.truth[i]] == most) right += 1 / double(std::count(p, p + r.classes, most));
  }
  return right / double(a.count_truth());
}

double accuracy_of_labels(const Answers& a, const std::vector<int32_t>& labels) {
  double right = 0;
  for (size_t i = 0; i < labels.size(); ++i)
    if (a.truth[i] != kUnknown) right += a.truth[i] == labels[i];
  return right / double(a.count_truth());
}

}  // namespace puna::label
