#include "ads/two_level.h"

#include <algorithm>
#include <cmath>

#include "base/det_math.h"

namespace puna::ads {
namespace {

double sigmoid(double x) noexcept {
  if (x >= 0) return 1 / (1 + det::exp(-x));
  const double e = det::exp(x);
  return e / (1 + e);
}
double log_one_plus_exp(double x) noexcept { return x > 0 ? x + det::log1p(det::exp(-x)) : det::log1p(det::exp(x)); }

}  // namespace

TwoLevel::TwoLevel(int32_t segments, int32_t variants)
    : segments_(segments),
      variants_(variants),
      alpha_(size_t(variants)),
      beta_(size_t(segments) * size_t(variants)),
      weight_(beta_.size()),
      residual_(beta_.size()),
      alpha_precision_(size_t(variants), 1.0),
      loading_(size_t(variants), 1.0) {}

void TwoLevel::add_variant() {
  std::vector<double> beta(size_t(segments_) * size_t(variants_ + 1));
  for (int32_t s = 0; s < segments_; ++s)
    std::copy_n(beta_.begin() + ptrdiff_t(cell(s, 0)), variants_,
                beta.begin() + ptrdiff_t(size_t(s) * size_t(variants_ + 1)));
  beta_ = std::move(beta);
  ++variants_;
  alpha_.push_back(0);
  alpha_precision_.push_back(1);
  loading_.push_back(1);
  weight_.resize(beta_.size());
  residual_.resize(beta_.size());
}

void TwoLevel::reset() {
  mu_ = 0;
  std::fill(alpha_.begin(), alpha_.end(), 0.0);
  std::fill(beta_.begin(), beta_.end(), 0.0);
}

double TwoLevel::alpha_squares() const noexcept {
  double sum = 0;
  for (size_t k = 0; k < alpha_.size(); ++k) {
    const double response = 1 - loading_[k];
    sum += alpha_[k] * alpha_[k] + 1 / alpha_precision_[k] + response * response * mu_variance_;
  }
  return sum;
}
double TwoLevel::beta_squares() const noexcept {
  double sum = 0;
  for (int32_t s = 0; s < segments_; ++s)
    for (int32_t k = 0; k < variants_; ++k) {
      const size_t c = cell(s, k);
      const double response = weight_[c] / (weight_[c] + beta_precision_), loading = loading_[size_t(k)];
      sum += beta_[c] * beta_[c] + 1 / (weight_[c] + beta_precision_) +
             response * response * (1 / alpha_precision_[size_t(k)] + loading * loading * mu_variance_);
    }
  return sum;
}

double TwoLevel::eta(int32_t s, int32_t k) const noexcept { return mu_ + alpha_[size_t(k)] + beta_[cell(s, k)]; }

// How much of a change of mu + alpha_k reaches the cell: its beta takes the rest back, the more data it has.
double TwoLevel::shared_deviation(int32_t s, int32_t k) const noexcept {
  return beta_precision_ / (weight_[cell(s, k)] + beta_precision_) * loading_[size_t(k)] * std::sqrt(mu_variance_);
}
double TwoLevel::own_deviation(int32_t s, int32_t k) const noexcept {
  const double w = weight_[cell(s, k)], through = beta_precision_ / (w + beta_precision_);
  return std::sqrt(through * through / alpha_precision_[size_t(k)] + 1 / (w + beta_precision_));
}

// H delta = gradient, by blocks. Of a cell with weight w and residual r: H_bb = w + beta, H_ab = H_mb = w.
double TwoLevel::step(const TwoLevelPriors& prior, double scale) {
  beta_precision_ = prior.beta;
  double mu_gradient = prior.mu * (prior.mu_mean - mu_), mu_precision = prior.mu;
  std::vector<double> gradient(size_t(variants_), 0.0);
  for (int32_t k = 0; k < variants_; ++k) {
    double precision = 0, g = 0;  // of the cells of k, their betas eliminated
    for (int32_t s = 0; s < segments_; ++s) {
      const size_t c = cell(s, k);
      const double through = prior.beta / (weight_[c] + prior.beta);
      precision += weight_[c] * through;
      // residual - w (residual - beta precision * beta) / (w + beta precision)
      g += residual_[c] - weight_[c] * (residual_[c] - prior.beta * beta_[c]) / (weight_[c] + prior.beta);
    }
    alpha_precision_[size_t(k)] = prior.alpha + precision;
    loading_[size_t(k)] = prior.alpha / alpha_precision_[size_t(k)];
    gradient[size_t(k)] = g - prior.alpha * alpha_[size_t(k)];
    mu_precision += precision * loading_[size_t(k)];
    mu_gradient += g - precision * gradient[size_t(k)] / alpha_precision_[size_t(k)];
  }
  mu_variance_ = 1 / mu_precision;
  const double mu_change = scale * mu_gradient / mu_precision;
  double largest = 0;
  for (int32_t k = 0; k < variants_; ++k) {
    const double precision = alpha_precision_[size_t(k)] - prior.alpha;
    const double alpha_change = (scale * gradient[size_t(k)] - precision * mu_change) / alpha_precision_[size_t(k)];
    for (int32_t s = 0; s < segments_; ++s) {
      const size_t c = cell(s, k);
      const double beta_change =
          (scale * (residual_[c] - prior.beta * beta_[c]) - weight_[c] * (mu_change + alpha_change)) /
          (weight_[c] + prior.beta);
      beta_[c] += beta_change;
      largest = std::max(largest, std::fabs(mu_change + alpha_change + beta_change));
    }
    alpha_[size_t(k)] += alpha_change;
  }
  mu_ += mu_change;
  return largest;
}

double TwoLevel::cost(const TwoLevelPriors& prior, std::span<const double> shown, std::span<const double> clicks,
                      std::span<const double> offset) const {
  double sum = 0.5 * prior.mu * (mu_ - prior.mu_mean) * (mu_ - prior.mu_mean);
  for (const double a : alpha_) sum += 0.5 * prior.alpha * a * a;
  for (int32_t s = 0; s < segments_; ++s)
    for (int32_t k = 0; k < variants_; ++k) {
      const size_t c = cell(s, k);
      const double x = eta(s, k) + (offset.empty() ? 0 : offset[c]);
      sum += 0.5 * prior.beta * beta_[c] * beta_[c] + shown[c] * log_one_plus_exp(x) - clicks[c] * x;
    }
  return sum;
}

void TwoLevel::fit_logit(const TwoLevelPriors& prior, std::span<const double> shown, std::span<const double> clicks,
                         std::span<const double> offset) {
  constexpr int kMostSteps = 50;
  const auto weigh = [&] {
    for (int32_t s = 0; s < segments_; ++s)
      for (int32_t k = 0; k < variants_; ++k) {
        const size_t c = cell(s, k);
        const double p = sigmoid(eta(s, k) + (offset.empty() ? 0 : offset[c]));
        weight_[c] = shown[c] * p * (1 - p);
        residual_[c] = clicks[c] - shown[c] * p;
      }
  };
  double before = cost(prior, shown, clicks, offset);
  for (int i = 0; i < kMostSteps; ++i) {
    weigh();
    const auto mu = mu_;
    const auto alpha = alpha_, beta = beta_;
    double change = 0, scale = 1;
    for (;; scale /= 2) {  // the cost is convex: a shorter step always helps, but for the last digits
      change = step(prior, scale);
      const double after = cost(prior, shown, clicks, offset);
      if (after <= before || scale < 1e-3) {
        before = after;
        break;
      }
      mu_ = mu;
      alpha_ = alpha;
      beta_ = beta;
    }
    if (change < 1e-9) break;
  }
  weigh();
  // The deviations at the mode; the step itself is nothing.
  step(prior, 0);
}

void TwoLevel::fit_linear(const TwoLevelPriors& prior, std::span<const double> shown, std::span<const double> rewards) {
  for (int32_t s = 0; s < segments_; ++s)
    for (int32_t k = 0; k < variants_; ++k) {
      const size_t c = cell(s, k);
      weight_[c] = shown[c];
      residual_[c] = rewards[c] - shown[c] * eta(s, k);
    }
  step(prior, 1);
}

}  // namespace puna::ads
