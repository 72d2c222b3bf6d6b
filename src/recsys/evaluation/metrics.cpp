#include "puna/recsys/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/det_math.h"
#include "base/fp_env.h"
#include "puna/base/error.h"

namespace puna::recsys {
namespace {

constexpr size_t kBins = 10;
constexpr double kNearest = 0x1p-24;  // f32 has no probability closer to 1

double cross_entropy_of(double p, double y) { return -y * det::log(p) - (1 - y) * det::log1p(-p); }
double kept_inside(double p) { return std::clamp(p, kNearest, 1 - kNearest); }

// Of all pairs of a positive and a negative, how many are in order; `order`: by ascending probability.
double auc_of(std::span<const float> p, std::span<const float> y, std::span<const size_t> order) {
  double below = 0, good = 0, positives = 0;  // negatives of smaller probability
  for (size_t i = 0; i < order.size();) {
    double up = 0, down = 0;  // of one probability
    const float at = p[order[i]];
    for (; i < order.size() && p[order[i]] == at; ++i) {
      up += double(y[order[i]]);
      down += 1 - double(y[order[i]]);
    }
    good += up * (below + 0.5 * down);
    below += down;
    positives += up;
  }
  return positives > 0 && below > 0 ? good / (positives * below) : std::numeric_limits<double>::quiet_NaN();
}

std::vector<CalibrationBin> bins_of(std::span<const float> p, std::span<const float> y, std::span<const size_t> order) {
  std::vector<CalibrationBin> bins;
  for (size_t b = 0; b < kBins; ++b) {
    const size_t first = order.size() * b / kBins, last = order.size() * (b + 1) / kBins;
    if (first == last) continue;
    CalibrationBin bin{int64_t(last - first), 0, 0};
    for (size_t i = first; i < last; ++i) {
      bin.predicted += double(p[order[i]]) / double(last - first);
      bin.observed += double(y[order[i]]) / double(last - first);
    }
    bins.push_back(bin);
  }
  return bins;
}

}  // namespace

ProbabilityReport evaluate_probabilities(std::span<const float> p, std::span<const float> y) {
  PUNA_REQUIRE(p.size() == y.size() && !p.empty(),
               "%zu probabilities and %zu outcomes, expected as many and at least one", p.size(), y.size());
  for (size_t i = 0; i < p.size(); ++i)
    PUNA_REQUIRE(p[i] >= 0 && p[i] <= 1 && y[i] >= 0 && y[i] <= 1,
                 "example %zu: probability %g, outcome %g, expected 0 to 1", i, double(p[i]), double(y[i]));
  const FpEnv fp_env;
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] < p[b]; });
  ProbabilityReport r;
  r.examples = int64_t(p.size());
  const double n = double(p.size());
  double predicted = 0, observed = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    const double error = double(p[i]) - double(y[i]);
    predicted += double(p[i]);
    observed += double(y[i]);
    r.log_loss += cross_entropy_of(kept_inside(double(p[i])), double(y[i])) / n;
    r.rmse += error * error / n;
  }
  r.rmse = std::sqrt(r.rmse);
  r.base_rate = observed / n;
  r.predicted_over_observed = predicted / observed;
  const bool both = r.base_rate > 0 && r.base_rate < 1;
  r.ne = both ? r.log_loss / cross_entropy_of(r.base_rate, r.base_rate) : std::numeric_limits<double>::quiet_NaN();
  r.auc = auc_of(p, y, order);
  r.bins = bins_of(p, y, order);
  for (const CalibrationBin& b : r.bins) r.ece += double(b.examples) / n * std::fabs(b.predicted - b.observed);
  return r;
}

}  // namespace puna::recsys
