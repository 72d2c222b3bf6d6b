#include "puna/eval/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "eval/clusters.h"
#include "puna/base/error.h"
#include "puna/base/philox.h"

namespace puna::eval {

Interval within(const Interval& i, const Interval& range) noexcept {
  return {std::clamp(i.low, range.low, range.high), std::clamp(i.high, range.low, range.high)};
}

// Scores, or differences of two.
Clusters::Clusters(std::span<const double> scores, std::span<const int64_t> clusters) {
  PUNA_REQUIRE(clusters.empty() || clusters.size() == scores.size(), "%zu scores, but %zu clusters", scores.size(),
               clusters.size());
  for (const double s : scores)
    PUNA_REQUIRE(std::fabs(s) <= 2 * kLargestScore, "a score is %g, expected a number from %g to %g", s, -kLargestScore,
                 kLargestScore);
  if (clusters.empty()) {
    sums.assign(scores.begin(), scores.end());
    sizes.assign(scores.size(), 1);
    return;
  }
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return clusters[a] < clusters[b]; });
  for (size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || clusters[order[i]] != clusters[order[i - 1]]) {
      sums.push_back(0);
      sizes.push_back(0);
    }
    sums.back() += scores[order[i]];
    ++sizes.back();
  }
}

int scale_of(std::span<const double> values) noexcept {
  double most = 0;
  for (const double v : values) most = std::max(most, std::fabs(v));
  return most > 0 ? std::ilogb(most) : 0;
}

MeanEstimate clustered_mean(std::span<const double> scores, std::span<const int64_t> clusters, double level) {
  const Clusters all(scores, clusters);
  const auto n = double(scores.size()), groups = double(all.sums.size());
  PUNA_REQUIRE(all.sums.size() >= 2, "%zu items in %zu clusters: an error needs at least two", scores.size(),
               all.sums.size());
  MeanEstimate e;
  e.items = int64_t(scores.size());
  e.clusters = int64_t(all.sums.size());
  e.mean = std::accumulate(all.sums.begin(), all.sums.end(), 0.0) / n;
  std::vector<double> off;
  for (size_t c = 0; c < all.sums.size(); ++c) off.push_back(all.sums[c] - double(all.sizes[c]) * e.mean);
  const int power = scale_of(off);
  double squares = 0;
  for (const double o : off) squares += std::ldexp(o, -power) * std::ldexp(o, -power);
  e.error = std::ldexp(std::sqrt(groups / (groups - 1) * squares), power) / n;
  const double reach = t_quantile(level, groups - 1) * e.error;
  e.interval = {e.mean - reach, e.mean + reach};
  e.p = e.error > 0 ? t_two_sided(e.mean / e.error, groups - 1) : e.mean == 0 ? 1 : 0;
  return e;
}

Interval wilson_interval(int64_t successes, int64_t items, double level) {
  PUNA_REQUIRE(items > 0 && successes >= 0 && successes <= items, "%jd of %jd is no share", successes, items);
  const double n = double(items), p = double(successes) / n, z = normal_quantile(level);
  const double middle = (p + z * z / (2 * n)) / (1 + z * z / n);
  const double reach = z / (1 + z * z / n) * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  return {std::max(0.0, middle - reach), std::min(1.0, middle + reach)};
}

double mcnemar_exact(int64_t only_a, int64_t only_b) {
  PUNA_REQUIRE(only_a >= 0 && only_b >= 0, "%jd and %jd items, expected 0 or more", only_a, only_b);
  return std::min(1.0, 2 * binomial_half_tail(std::min(only_a, only_b), only_a + only_b));
}

std::vector<double> holm(std::span<const double> p) {
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] < p[b]; });
  std::vector<double> adjusted(p.size());
  double most = 0;
  for (size_t k = 0; k < order.size(); ++k) {
    most = std::max(most, std::min(1.0, double(p.size() - k) * p[order[k]]));
    adjusted[order[k]] = most;
  }
  return adjusted;
}

double detectable_effect(double error, double level, double power) {
  PUNA_REQUIRE(power > 0.5 && power < 1, "a power of %g, expected more than 0.5 and less than 1", power);
  return (normal_quantile(level) + normal_quantile(2 * power - 1)) * error;
}

double items_needed(int64_t items, double detectable, double effect) {
  if (effect == 0) return detectable == 0 ? double(items) : INFINITY;
  return std::ceil(double(items) * (detectable / effect) * (detectable / effect));
}

double predicted_paired_error(double deviation_a, double deviation_b, double correlation, int64_t items) {
  PUNA_REQUIRE(items > 0, "%jd items, expected at least 1", items);
  const double variance =
      deviation_a * deviation_a + deviation_b * deviation_b - 2 * correlation * deviation_a * deviation_b;
  return std::sqrt(std::max(0.0, variance) / double(items));
}

namespace {

// As numpy.quantile: linear between the two nearest.
double quantile(const std::vector<double>& sorted, double q) {
  const double at = q * double(sorted.size() - 1);
  const auto below = size_t(at);
  const double part = at - double(below);
  return below + 1 < sorted.size() ? sorted[below] + part * (sorted[below + 1] - sorted[below]) : sorted[below];
}

}  // namespace

Interval cluster_bootstrap(std::span<const double> scores, std::span<const int64_t> clusters,
                           const BootstrapOptions& options, const Watch& watch) {
  PUNA_REQUIRE(options.draws >= 1, "%jd draws, expected at least 1", options.draws);
  const Clusters all(scores, clusters);
  const uint64_t groups = all.sums.size();
  PUNA_REQUIRE(groups >= 2, "%zu items in %ju clusters: resampling needs at least two", scores.size(), groups);
  PUNA_REQUIRE(groups <= UINT32_MAX, "%ju clusters are more than are drawn from", groups);
  std::vector<double> means(static_cast<size_t>(options.draws));
  for (int64_t draw = 0; draw < options.draws; ++draw) {
    double sum = 0;
    int64_t items = 0;
    for (uint64_t i = 0; i < groups;) {
      const Philox random = philox(options.seed, i / 4, uint64_t(draw));
      for (int w = 0; w < 4 && i < groups; ++w, ++i) {
        const auto c = size_t(uint64_t(random.word[w]) * groups >> 32);
        sum += all.sums[c];
        items += all.sizes[c];
      }
      if (i % 256 == 0) watch.tick(2);
    }
    means[size_t(draw)] = sum / double(items);
  }
  std::sort(means.begin(), means.end());
  return {quantile(means, (1 - options.level) / 2), quantile(means, (1 + options.level) / 2)};
}

double calibration_error(std::span<const double> confidence, std::span<const double> right, int64_t bins) {
  PUNA_REQUIRE(confidence.size() == right.size() && !right.empty(), "%zu confidences, but %zu results",
               confidence.size(), right.size());
  PUNA_REQUIRE(bins >= 1, "%jd bins, expected at least 1", bins);
  std::vector<size_t> order(right.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return confidence[a] < confidence[b]; });
  const size_t n = order.size(), count = std::min(size_t(bins), n);
  double error = 0;
  for (size_t b = 0; b < count; ++b) {  // the sizes of two bins differ by one at most; n * b / count would overflow
    const size_t from = n / count * b + std::min(b, n % count), to = from + n / count + (b < n % count ? 1 : 0);
    double sure = 0, were = 0;
    for (size_t i = from; i < to; ++i) {
      sure += confidence[order[i]];
      were += right[order[i]];
    }
    error += std::fabs(sure - were);
  }
  return error / double(n);
}

}  // namespace puna::eval
