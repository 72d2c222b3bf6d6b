// attention.h -- softmax(scale q K^T) V for one head, in double, in two passes: no pages, no running maximum.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

namespace puna::ref {

struct Attention {
  std::vector<double> out;        // [head_dim]
  std::vector<double> magnitude;  // [head_dim] sum of p |v|: what rounding errors of the weighted sum are relative to
  double score_error = 0;         // largest sum of |q k| * scale: what rounding errors of the scores are relative to
};

// k(j), v(j): head_dim values of position j, for j in [low, high).
template <class Keys, class Values>
Attention attention(const std::vector<float>& q, double scale, Keys&& k, Values&& v, int64_t low, int64_t high) {
  const size_t D = q.size();
  Attention r{std::vector<double>(D), std::vector<double>(D), 0};
  std::vector<double> p;
  for (int64_t j = low; j < high; ++j) {
    double dot = 0, terms = 0;
    for (size_t i = 0; i < D; ++i) {
      dot += double(q[i]) * k(j)[i];
      terms += std::abs(double(q[i]) * k(j)[i]);
    }
    p.push_back(dot * scale);
    r.score_error = std::max(r.score_error, terms * std::abs(scale));
  }
  const double largest = *std::max_element(p.begin(), p.end());
  double total = 0;
  for (double& s : p) total += s = std::exp(s - largest);
  for (int64_t j = low; j < high; ++j)
    for (size_t i = 0; i < D; ++i) {
      const double x = p[size_t(j - low)] / total * v(j)[i];
      r.out[i] += x;
      r.magnitude[i] += std::abs(x);
    }
  return r;
}

}  // namespace puna::ref
