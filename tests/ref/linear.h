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

Product linear(const Matrix& w, const std::vector<double>& x);  // by Eigen

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
