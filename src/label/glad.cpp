// glad.cpp -- P(worker w is right on item i) = sigmoid(alpha_w beta_i), beta_i = exp(b_i); a wrong answer is any other
// label. Whitehill et al., "Whose vote should count more", NIPS 2009, with their priors alpha, b ~ N(1, 1). The M step
// is coordinate-wise: damped Newton in each alpha (concave) and each b, a few sweeps.
#include <algorithm>
#include <cmath>

#include "base/det_math.h"
#include "label/confusion_model.h"

namespace puna::label {
namespace {

constexpr int kSweeps = 5;
constexpr double kLongestStep = 1, kLargest = 6;  // of alpha's and b's steps; |b|

double sigmoid(double x) { return x >= 0 ? 1 / (1 + det::exp(-x)) : det::exp(x) / (1 + det::exp(x)); }
// ln sigmoid(x)
double log_sigmoid(double x) { return x >= 0 ? -det::log1p(det::exp(-x)) : x - det::log1p(det::exp(x)); }

class Glad {
 public:
  Glad(const Answers& a, Inference& r, const Watch& watch) : a_(a), r_(r), watch_(watch), K_(a.labels.size()) {
    alpha_.assign(a.workers.size(), 1);
    b_.assign(a.items.size(), 1);
    beta_.assign(a.items.size(), det::exp(1));
    slope_.resize(std::max(a.workers.size(), a.items.size()));
    curve_.resize(slope_.size());
    r.posterior = vote_shares(a);
  }

  void run(const InferOptions& o) {
    r_.converged = false;
    for (r_.iterations = 0; r_.iterations < o.iterations && !r_.converged;) {
      maximize();
      r_.converged = expect() < o.tolerance;
      ++r_.iterations;
    }
    r_.ability = alpha_;
    for (const double beta : beta_) r_.difficulty.push_back(1 / beta);
  }

 private:
  double& posterior(int32_t item, size_t t) { return r_.posterior[size_t(item) * K_ + t]; }

  void maximize() {
    for (int sweep = 0; sweep < kSweeps; ++sweep) {
      newton(
          alpha_, [](const Answer& x) { return size_t(x.worker); },
          [&](const Answer& x) { return beta_[size_t(x.item)]; });
      newton(
          b_, [](const Answer& x) { return size_t(x.item); },
          [&](const Answer& x) { return alpha_[size_t(x.worker)] * beta_[size_t(x.item)]; });
      for (size_t i = 0; i < b_.size(); ++i) {
        b_[i] = std::clamp(b_[i], -kLargest, kLargest);
        beta_[i] = det::exp(b_[i]);
      }
    }
  }

  // One step for all of `values`; `of` says which an answer belongs to, `by` what it is multiplied with.
  template <class Of, class By>
  void newton(std::vector<double>& values, Of of, By by) {
    std::fill(slope_.begin(), slope_.end(), 0.0);
    std::fill(curve_.begin(), curve_.end(), 0.0);
    for (const Answer& x : a_.answers) {
      const double right = sigmoid(alpha_[size_t(x.worker)] * beta_[size_t(x.item)]), factor = by(x);
      slope_[of(x)] += (posterior(x.item, size_t(x.label)) - right) * factor;
      curve_[of(x)] += right * (1 - right) * factor * factor;
      watch_.tick();
    }
    for (size_t i = 0; i < values.size(); ++i)
      values[i] += std::clamp((slope_[i] - (values[i] - 1)) / (curve_[i] + 1), -kLongestStep, kLongestStep);
  }

  double expect() {
    double change = 0;
    r_.log_likelihood = 0;
    std::vector<double> s(K_);
    for (size_t n = 0; n < a_.answers.size();) {
      const int32_t item = a_.answers[n].item;
      std::fill(s.begin(), s.end(), -det::log(double(K_)));
      for (; n < a_.answers.size() && a_.answers[n].item == item; ++n) {
        const Answer& x = a_.answers[n];
        const double logit = alpha_[size_t(x.worker)] * beta_[size_t(item)];
        const double right = log_sigmoid(logit), wrong = log_sigmoid(-logit) - det::log(double(K_ - 1));
        for (size_t t = 0; t < K_; ++t) s[t] += t == size_t(x.label) ? right : wrong;
        watch_.tick();
      }
      if (const int32_t gold = a_.gold[size_t(item)]; gold != kUnknown) {
        r_.log_likelihood += s[size_t(gold)];
        continue;
      }
      const double most = *std::max_element(s.begin(), s.end());
      double sum = 0;
      for (double& v : s) sum += v = det::exp(v - most);
      r_.log_likelihood += most + det::log(sum);
      for (size_t t = 0; t < K_; ++t) {
        change = std::max(change, std::fabs(s[t] / sum - posterior(item, t)));
        posterior(item, t) = s[t] / sum;
      }
    }
    return change;
  }

  const Answers& a_;
  Inference& r_;
  const Watch& watch_;
  const size_t K_;
  std::vector<double> alpha_, b_, beta_, slope_, curve_;
};

}  // namespace

void infer_glad(const Answers& answers, const InferOptions& options, Inference& result, const Watch& watch) {
  Glad(answers, result, watch).run(options);
}

}  // namespace puna::label
