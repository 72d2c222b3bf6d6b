// calibrate.h -- calibration of probabilities (Platt, isotonic), fitted on examples that the model was not trained on.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace puna::recsys {

// A map of probabilities, or none. Immutable.
class Calibrator {
 public:
  enum class Kind : int32_t { none = 0, platt = 1, isotonic = 2 };
  Calibrator() = default;

  // Platt (1999): sigmoid(a logit(p) + b), a and b of most likelihood by Newton's method, with his targets (n+ + 1) /
  // (n+ + 2) and 1 / (n- + 2). Outcomes from 0 to 1. Error{invalid_argument} when there are none, or a value is not a
  // probability.
  static Calibrator platt(std::span<const float> probabilities, std::span<const float> outcomes);
  // The non-decreasing steps of least squares, by pooling adjacent violators (Ayer 1955), joined by lines between their
  // mean probabilities, so that few ties are made; kept 1 / (2 n + 2) away from 0 and 1, n examples.
  static Calibrator isotonic(std::span<const float> probabilities, std::span<const float> outcomes);
  static Calibrator of(Kind kind, std::vector<float> x, std::vector<float> y);  // as kind(), x() and y() give it

  float operator()(float p) const noexcept;
  Kind kind() const noexcept { return kind_; }
  // Isotonic: knots, ascending. Platt: x = {a}, y = {b}.
  const std::vector<float>& x() const noexcept { return x_; }
  const std::vector<float>& y() const noexcept { return y_; }

 private:
  Kind kind_ = Kind::none;
  std::vector<float> x_, y_;
};

// The fitted values of isotonic regression, in the order given: what Calibrator::isotonic is made of.
std::vector<double> pool_adjacent_violators(std::span<const double> values, std::span<const double> weights);

// What p means when training was shown only the share q of negatives: p / (p + (1 - p) / q).
double with_all_negatives(double p, double q) noexcept;

}  // namespace puna::recsys
