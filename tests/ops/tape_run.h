// tape_run.h -- what tests of gradients have in common: a tape (on_tape.h), and the formulas in complex numbers.
#pragma once
#include <complex>
#include <vector>

#include "ops/on_tape.h"
#include "ref/complex_step.h"
#include "ref/random.h"

namespace puna::test {

using Floats = std::vector<float>;
using ref::Complex;
using Vector = std::vector<Complex>;

inline Complex weighted(const Floats& dy, const Vector& y) {
  Complex sum = 0;
  for (size_t i = 0; i < y.size(); ++i) sum += double(dy[i]) * y[i];
  return sum;
}

inline Complex silu(Complex x) { return x / (1.0 + std::exp(-x)); }

inline Vector complex_of(const Floats& x) { return {x.begin(), x.end()}; }

}  // namespace puna::test
