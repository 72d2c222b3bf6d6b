// statistics.h -- how sure a score and a difference of scores are. Scores are one number an item; items that belong
// together (questions about one text, rephrasings of one question) share a cluster and count as one draw. Definitions
// as in "Adding Error Bars to Evals", arXiv:2411.00640. All results are the same on every machine.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "puna/base/watch.h"

namespace puna::eval {

struct Interval {
  double low = 0, high = 0;
};
// What of an interval lies in a range: both ends, each moved to the range's nearest number.
Interval within(const Interval& interval, const Interval& range) noexcept;

// Scores lie between this and its negative: sums of as many as there can be are finite.
inline constexpr double kLargestScore = 1e200;

// A mean with its standard error. Interval and p by Student's t with clusters - 1 degrees of freedom.
struct MeanEstimate {
  double mean = 0, error = 0;
  int64_t items = 0, clusters = 0;
  Interval interval;
  double p = 1;  // two-sided, of "the mean is 0"; where the error is 0: 1 if the mean is 0, else 0
};

// SE^2 = G/(G-1) / n^2 * sum over clusters (sum of the cluster's (s - mean))^2; with one item a cluster that is
// sd / sqrt(n). clusters: a number an item, any numbers; empty: every item its own. Error{invalid_argument} with fewer
// than two clusters: one draw says nothing of the spread.
MeanEstimate clustered_mean(std::span<const double> scores, std::span<const int64_t> clusters, double level = 0.95);

// Wilson's score interval of a share: never outside 0 to 1, right for few items too.
Interval wilson_interval(int64_t successes, int64_t items, double level = 0.95);

// McNemar's exact test of two sets of 0/1 scores, by the items of which exactly one was right:
// min(1, 2 P(Bin(b + c, 1/2) <= min(b, c))).
double mcnemar_exact(int64_t only_a, int64_t only_b);

// Percentile interval of the mean under resampling of whole clusters. Same seed, same interval.
struct BootstrapOptions {
  int64_t draws = 10'000;
  uint64_t seed = 1234;
  double level = 0.95;
};
Interval cluster_bootstrap(std::span<const double> scores, std::span<const int64_t> clusters,
                           const BootstrapOptions& options = {}, const Watch& watch = Watch());

// Holm's adjusted p-values, in the order given: what each is worth beside the others.
std::vector<double> holm(std::span<const double> p);

// The difference that a paired comparison of this standard error finds with probability `power`, at a two-sided level.
double detectable_effect(double error, double level = 0.95, double power = 0.8);
// How many items find a difference of `effect`, when `items` find one of `detectable`.
double items_needed(int64_t items, double detectable, double effect);
// Before a run: the standard error of a paired difference, from the items' deviations and their correlation (.3 to .7
// for two language models).
double predicted_paired_error(double deviation_a, double deviation_b, double correlation, int64_t items);

// Expected calibration error: |mean confidence - share right| over bins of equally many items, by confidence.
double calibration_error(std::span<const double> confidence, std::span<const double> right, int64_t bins = 10);

// Student's t: P(|T| >= |t|), and the t with P(|T| <= t) = level. Degrees of freedom: above 0, any number.
double t_two_sided(double t, double degrees);
double t_quantile(double level, double degrees);
// The z with P(|Z| <= z) = level of a standard normal.
double normal_quantile(double level);
// P(Bin(n, 1/2) <= k).
double binomial_half_tail(int64_t k, int64_t n);

}  // namespace puna::eval
