// choice.h -- which variant of an ad to show to whom. What is known of variant k in segment s are two sums, how often
// it was shown and clicked; a method makes of them the probability of showing each variant, and one is drawn with
// exactly these probabilities. So the logged propensity is exact, and costs nothing at the time of the choice.
//   uniform       all alike
//   thompson      rates Beta(clicks + 1, shown - clicks + 99), each cell for itself; a variant is shown as often as it
//                 is the best one. W. R. Thompson, Biometrika 1933
//   hierarchical  logit rate = offset + mu + alpha_k + beta_sk with normal priors, by Newton's method to the mode;
//                 shown as often as it is the best one of N(mode, temper^2 H^-1). Segments learn from each other, and
//                 how much they differ is learnt, too (empirical Bayes)
//   lin_ts        the same model with an identity link: S. Agrawal, N. Goyal, ICML 2013
//   lin_ucb       the largest mean + alpha deviations: L. Li et al., WWW 2010
// A floor mixes with all of them: p = (1 - K floor) p + floor. The default method is hierarchical, tempered.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace puna::ads {

enum class ChoiceMethod : uint8_t { hierarchical, thompson, lin_ts, lin_ucb, uniform };

struct ChooserOptions {
  ChoiceMethod method = ChoiceMethod::hierarchical;
  int32_t segments = 1, variants = 2;
  double floor = 0.0002;  // least probability of a variant that is not retired; 0 to 1 / variants
  double discount = 1;    // by which older sums are multiplied at each update: below 1 where rates change
  // hierarchical: how much of the posterior's deviation is explored; 1 = Thompson. It falls from early_temper to temper
  // as clicks come in: the difference by a factor e every early_clicks.
  double temper = 0.4, early_temper = 0.8, early_clicks = 1500;
  double variant_spread = 0.3, cell_spread = 0.3;  // hierarchical: of alpha, of beta; to begin with
  double base_rate = 0.01;                         // hierarchical: around which mu is, with a deviation of 2
  double prior_shown = 100;                        // thompson: what the first guess, base_rate or `rates`, counts for
  double deviations = 0.1;                         // lin_ucb: alpha
  double noise = 0.05;                             // lin_ts: v
  double ridge = 1;                                // lin_ts, lin_ucb
  std::vector<double> rates;  // [segments][variants] predicted by a ranker, each in (0, 1); empty: none.
                              // Used by hierarchical (as offsets) and thompson
};

struct Choice {
  int32_t variant = -1;
  double propensity = 0;
};

// Sums of what happened in a cell since the last update.
struct Outcome {
  int32_t segment = 0, variant = 0;
  double shown = 0, clicks = 0;
};

// One thread at a time.
class Chooser {
 public:
  explicit Chooser(const ChooserOptions& options);  // Error{invalid_argument} naming the option
  ~Chooser();
  Chooser(Chooser&&) noexcept;
  Chooser& operator=(Chooser&&) noexcept;

  // The draw is philox(seed, number): the same two give the same variant. Error{invalid_argument}: no such segment.
  Choice choose(int32_t segment, uint64_t seed, uint64_t number);
  // Of every variant in this segment; retired ones have 0. Valid until the next call.
  std::span<const double> propensities(int32_t segment);
  // The mean of what is believed of every rate, without exploration. Valid until the next call.
  std::span<const double> rates(int32_t segment);

  // All of it or, on Error{invalid_argument}, none. The order of outcomes does not matter, nor how they are summed up.
  void update(std::span<const Outcome> outcomes);

  // A new variant, of which nothing is known but, for choosers that were given rates, a rate a segment. Its number.
  int32_t add_variant(std::span<const double> rates = {});
  // Not shown from now on; what is known of it stays. Error{invalid_argument} for the last one that is left.
  void retire(int32_t variant);
  int32_t segments() const noexcept;
  int32_t variants() const noexcept;
  // All of its state but what is retired, [segments][variants]: a new chooser of the same options that is given these
  // sums in one update goes on as this one.
  std::span<const double> shown() const noexcept;
  std::span<const double> clicks() const noexcept;
  bool retired(int32_t variant) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace puna::ads
