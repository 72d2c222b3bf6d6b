// metrics.h -- quality of predicted probabilities: ranking (AUC), log loss and normalised entropy,
// calibration (expected calibration error, ECE).
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace puna::recsys {

struct CalibrationBin {
  int64_t examples = 0;
  double predicted = 0, observed = 0;  // means
};

// An outcome is 0 or 1, or a fraction: then it counts as that much of a positive and the rest of a negative.
struct ProbabilityReport {
  int64_t examples = 0;
  double base_rate = 0;  // mean outcome
  double auc = 0;        // chance that a positive is above a negative, a tie counts half; not finite without both
  double log_loss = 0;   // natural logarithm; probabilities are kept 2^-24 away from 0 and 1
  double ne = 0;         // log loss / entropy of the base rate; not finite when all outcomes are the same
  double predicted_over_observed = 0;
  double ece = 0;  // mean over ten bins of equal mass of |predicted - observed|
  double rmse = 0;
  std::vector<CalibrationBin> bins;  // those ten, by ascending probability; fewer when there are fewer examples
};

// Error{invalid_argument} naming the example whose probability or outcome is not within 0 and 1.
ProbabilityReport evaluate_probabilities(std::span<const float> probabilities, std::span<const float> outcomes);

}  // namespace puna::recsys
