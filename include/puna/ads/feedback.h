// feedback.h -- what came of the texts that were shown: a reward for each impression, pairs of texts of which one is
// better (to train a writer on: DPO), and whether one writer's texts earn more than another's. All of it by impressions
// that can be compared: in the same cell (segment and placement), each weighted by 1 / the propensity with which its
// text was drawn, so that a text is not the better for having been shown more, or to whom.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace puna::ads {

// How far an impression led.
enum class Reached : uint8_t { shown, click, lead, sale };

// What that is worth; by the furthest it came to within its window.
struct RewardModel {
  double click = 1, lead = 10, sale = 50;
  double of(Reached reached) const noexcept {
    return reached == Reached::shown ? 0 : reached == Reached::click ? click : reached == Reached::lead ? lead : sale;
  }
};

// An impression whose window is over.
struct JudgedImpression {
  int32_t cell = 0, variant = 0;  // numbers from 0 on
  uint64_t person = 0;            // any number, the same for the same person
  double propensity = 0;          // in (0, 1]
  double reward = 0;
};

// A text in a cell. value = (sum w r + shrink m) / (sum w + shrink) with w = 1 / propensity, scaled to mean 1 in the
// cell, and m the cell's mean reward; its standard error is of the cell's spread, so that a text without a reward is
// not sure to be worth nothing.
struct TextValue {
  int32_t cell = 0, variant = 0;
  int64_t shown = 0, rewarded = 0;
  double value = 0, standard_error = 0;
};
// By cell, then by variant. Error{invalid_argument}: numbers out of range.
std::vector<TextValue> text_values(std::span<const JudgedImpression> impressions, double shrink = 50);

struct PairOptions {
  double confidence = 0.95;   // that the chosen text is the better one; above 0.5, below 1
  int64_t least_shown = 100;  // of each of the two
  double shrink = 50;
};
struct PreferredPair {
  int32_t cell = 0, chosen = 0, rejected = 0;
  double difference = 0;  // of their values
  double wrong = 0;       // the probability that it is the other way round: their sum is how many pairs will be
};
// The surest first.
std::vector<PreferredPair> preferred_pairs(std::span<const JudgedImpression> impressions,
                                           const PairOptions& options = {});

// Two writers: what an impression would earn if all texts were b's, and if all were a's, each of a writer's texts in a
// cell alike. Self-normalised; cells with texts of one of them alone are left out.
struct WriterDifference {
  double value_a = 0, value_b = 0;
  int64_t impressions = 0, cells = 0, left_out = 0;  // left_out: impressions of cells that cannot be compared
  double ess_a = 0, ess_b = 0;                       // effective sample sizes
  double mean_weight_a = 1, mean_weight_b = 1;       // 1, unless the propensities are not those of the draws
  // One number an impression with the mean value_b - value_a, and its person: the paired comparison's input.
  std::vector<double> scores;
  std::vector<int64_t> persons;
};
// writer_of[variant]: 0 = a, 1 = b, else neither.
WriterDifference writer_difference(std::span<const JudgedImpression> impressions, std::span<const int32_t> writer_of);

}  // namespace puna::ads
