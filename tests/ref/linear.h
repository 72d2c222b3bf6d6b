// linear.h -- y = W x and Llama 4's mixture of experts for one row, in double, weights as plain matrices.
#pragma once
#include <cmath>
#include <vector>

#include "ref/rows.h"

namespace puna::ref {

struct Matrix {  // [rows, cols]
  int64_t rows = 0, cols = 0;
  std::vector<float> values;
  Row row(int64_t r) const { return {values.data() + r * cols, size_t(cols)}; }
};

struct Product {
  std::vector<double> value, magnitude;  // magnitude: sum |w x|, what rounding is relative to
};

inline Product linear(const Matrix& w, const std::vector<double>& x) {
  Product p;
  for (int64_t r = 0; r < w.rows; ++r) {
    double value = 0, magnitude = 0;
    for (int64_t i = 0; i < w.cols; ++i) {
      value += w.row(r)[size_t(i)] * x[size_t(i)];
      magnitude += std::abs(w.row(r)[size_t(i)] * x[size_t(i)]);
    }
    p.value.push_back(value);
    p.magnitude.push_back(magnitude);
  }
  return p;
}

struct Expert {
  Matrix gate, up, down;
  std::vector<double> run(const std::vector<double>& x) const {
    std::vector<double> h = linear(gate, x).value;
    const std::vector<double> u = linear(up, x).value;
    for (size_t i = 0; i < h.size(); ++i) h[i] = h[i] * sigmoid(h[i]) * u[i];
    return linear(down, h).value;
  }
};

}  // namespace puna::ref
