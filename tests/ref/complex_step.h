// complex_step.h -- derivatives without differences: f'(x) = Im f(x + ih) / h is exact to rounding for analytic f,
// since nothing is subtracted (Squire and Trapp 1998). The functions are the plain formulas, templated on the number.
#pragma once
#include <cmath>
#include <complex>
#include <span>
#include <vector>

#include "ref/compare.h"

namespace puna::ref {

using Complex = std::complex<double>;

// got[i] must be d/dx_i of f(x), a scalar function of complex numbers, within `bound` of the largest derivative.
template <class F>
void check_gradient(std::span<const float> got, std::span<const float> x, F&& f, double bound = 2e-5) {
  constexpr double h = 1e-30;
  std::vector<Complex> z(x.begin(), x.end());
  std::vector<double> want;
  double largest = 1e-2;  // rounding of sums of values of size 1 stays below 2e-7
  for (size_t i = 0; i < z.size(); ++i) {
    z[i] += Complex(0, h);
    want.push_back(f(z).imag() / h);
    z[i] = double(x[i]);
    largest = std::max(largest, std::abs(want.back()));
  }
  check_within(got, want, [&](size_t) { return bound * largest; });
}

}  // namespace puna::ref
