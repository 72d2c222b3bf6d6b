// ope.h -- off-policy evaluation: what another policy would have earned, from the log of the one that ran. In two
// passes over the log, with memory for contexts and actions and none for rows: count() every row, begin_estimates(),
// estimate() every row, report().
//   w = pi(a|x) / p, q(x, a) = (rewards + shrink m) / (shown + shrink) with m the log's mean,
//   V(x) = sum_a pi(a|x) q(x, a)
//   dm         mean V                                     the reward model alone: biased where it is wrong
//   ips        mean w r                                   unbiased, and as noisy as its largest weight
//   clipped    mean min(w, c) r
//   snips      sum w r / sum w                            A. Swaminathan, T. Joachims, NeurIPS 2015
//   dr         mean (V + w (r - q))                       M. Dudik, J. Langford, L. Li, ICML 2011
//   sndr       mean V + sum w (r - q) / sum w
//   switch-dr  w (r - q) only where w <= tau, V alone elsewhere      Y.-X. Wang, A. Agarwal, M. Dudik, ICML 2017
//   dros       lambda w / (w^2 + lambda) in place of w    Y. Su et al., ICML 2020
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace puna::ads {

struct LoggedChoice {
  int32_t context = 0, action = 0;  // numbers from 0 on, below 2^24
  double propensity = 0;            // with which the action was taken
  double reward = 0;
};

struct OpeOptions {
  double shrink = 50;                         // rows that the log's mean counts for in each q
  std::vector<double> clips = {20};           // c
  std::vector<double> switches = {1, 5, 20};  // tau
  std::vector<double> shrinkages = {10};      // lambda
};

struct Estimate {
  std::string name;  // "ips", "clipped_ips_20", "switch_dr_tau1"
  double value = 0, standard_error = 0;
};

struct OpeReport {
  int64_t rows = 0, contexts = 0, actions = 0, rewarded = 0;  // rewarded: rows with a reward that is not 0
  double log_value = 0, log_standard_error = 0;               // of the policy that ran
  std::vector<Estimate> estimates;
  double ess = 0, largest_weight = 0, mean_weight = 0, largest_share = 0;  // of the sum of weights
  // Sum of 1 / p over the rows of an action should be the number of rows: the worst action, by its standard errors.
  int64_t worst_action = -1;
  double worst_ratio = 1, worst_errors = 0;
  std::vector<std::string> refusals;  // why these rows cannot carry a conclusion, and what to log instead
  std::vector<std::string> warnings;
};

// What the new policy does: probability [contexts][actions], each row of sum 1. NULL in begin_estimates: uniform over
// the actions that the log has.
class OffPolicy {
 public:
  explicit OffPolicy(const OpeOptions& options);  // Error{invalid_argument} naming the option
  ~OffPolicy();
  OffPolicy(const OffPolicy&) = delete;
  OffPolicy& operator=(const OffPolicy&) = delete;

  // Error{invalid_argument}: numbers that are not finite, or out of range.
  static void check(const LoggedChoice& row);
  // What counting a row may need memory for: after it count() of that row cannot fail.
  void make_room(const LoggedChoice& row);
  void count(const LoggedChoice& row);
  int32_t contexts() const noexcept;
  int32_t actions() const noexcept;
  // Error{invalid_argument}: no rows, a table of another size, probabilities that are none; {wrong_state}: a
  // second time.
  void begin_estimates(const std::vector<double>* policy);
  // Error{invalid_argument}: no such context and action were counted; {wrong_state}: before begin_estimates.
  void check_counted(const LoggedChoice& row) const;
  void estimate(const LoggedChoice& row);
  OpeReport report() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace puna::ads
