// two_level.h -- eta_sk = mu + alpha_k + beta_sk with independent normal priors: the mode of its posterior, and how
// uncertain eta is, in closed form. Each beta touches one cell, each alpha the cells of one variant; eliminated one
// after the other they leave one equation for mu, so a step of Newton's method is a few sums over the cells.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace puna::ads {

struct TwoLevelPriors {
  double mu_mean = 0;
  double mu = 1, alpha = 1, beta = 1;  // precisions: 1 / variance
};

class TwoLevel {
 public:
  TwoLevel(int32_t segments, int32_t variants);
  void add_variant();

  // Of clicks out of shown: logit rate = offset + eta. Starts from the mode that is there. offset: empty = 0.
  void fit_logit(const TwoLevelPriors& priors, std::span<const double> shown, std::span<const double> clicks,
                 std::span<const double> offset);
  // Of sums of rewards of unit variance with mean eta.
  void fit_linear(const TwoLevelPriors& priors, std::span<const double> shown, std::span<const double> rewards);

  // Forgets the mode: then what is fitted depends on the data alone.
  void reset();
  // Of what was fitted: the expected sums of alpha^2 and beta^2, for estimates of their variances.
  double alpha_squares() const noexcept;
  double beta_squares() const noexcept;

  double eta(int32_t s, int32_t k) const noexcept;
  // Deviations from eta(s, k) are shared z0 + own z_k, z0 the same for all k, z_k for each its own.
  double shared_deviation(int32_t s, int32_t k) const noexcept;
  double own_deviation(int32_t s, int32_t k) const noexcept;

 private:
  // One step of Newton's method: weights and residuals of each cell; the largest change of an eta.
  double step(const TwoLevelPriors& priors, double scale);
  double cost(const TwoLevelPriors& priors, std::span<const double> shown, std::span<const double> clicks,
              std::span<const double> offset) const;
  size_t cell(int32_t s, int32_t k) const noexcept { return size_t(s) * size_t(variants_) + size_t(k); }

  int32_t segments_, variants_;
  double mu_ = 0, mu_variance_ = 1, beta_precision_ = 1;
  std::vector<double> alpha_, beta_;               // [variants], [segments][variants]
  std::vector<double> weight_, residual_;          // [segments][variants]
  std::vector<double> alpha_precision_, loading_;  // [variants]: of alpha given mu, and 1 - its response to mu
};

}  // namespace puna::ads
