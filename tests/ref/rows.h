// rows.h -- the row kernels as their formulas say, in double, in the plainest order.
#pragma once
#include <cmath>
#include <span>
#include <vector>

namespace puna::ref {

using Row = std::span<const float>;

// y = w x / sqrt(mean(x^2) + eps); an empty w is all ones.
inline std::vector<double> rms_norm(Row x, Row w, double eps) {
  double squares = 0;
  for (const float v : x) squares += double(v) * v;
  const double scale = 1 / std::sqrt(squares / double(x.size()) + eps);
  std::vector<double> y;
  for (size_t i = 0; i < x.size(); ++i) y.push_back(x[i] * scale * (w.empty() ? 1.0 : w[i]));
  return y;
}

inline double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

inline std::vector<double> sigmoid(Row x) {
  std::vector<double> y;
  for (const float v : x) y.push_back(sigmoid(double(v)));
  return y;
}

inline std::vector<double> swiglu(Row gate, Row up) {
  std::vector<double> y;
  for (size_t i = 0; i < gate.size(); ++i) y.push_back(gate[i] * sigmoid(double(gate[i])) * up[i]);
  return y;
}

// Pair i is elements (first(i), second(i)); it is rotated by the angle with this cosine and sine.
inline std::vector<double> rope(Row x, Row cosine, Row sine, bool interleaved) {
  std::vector<double> y(x.begin(), x.end());
  const size_t half = x.size() / 2;
  for (size_t i = 0; i < half; ++i) {
    const size_t a = interleaved ? 2 * i : i, b = interleaved ? 2 * i + 1 : i + half;
    y[a] = double(x[a]) * cosine[i] - double(x[b]) * sine[i];
    y[b] = double(x[a]) * sine[i] + double(x[b]) * cosine[i];
  }
  return y;
}

}  // namespace puna::ref
