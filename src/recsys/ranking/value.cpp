#include "puna/recsys/value.h"

#include <cmath>

#include "base/det_math.h"
#include "base/fp_env.h"
#include "puna/base/error.h"

namespace puna::recsys {

ValueFormula ValueFormula::of(const RankerConfig& c) {
  return {std::vector<double>(c.surfaces.size() * c.tasks.size(), 1.0), std::vector<double>(c.tasks.size(), 1.0)};
}

double ValueFormula::operator()(size_t surface, const float* p) const noexcept {
  const FpEnv fp_env;
  double value = 0;
  for (size_t t = 0; t < exponents.size(); ++t) {
    const double a = weights[surface * exponents.size() + t];
    if (a != 0) value += a * (exponents[t] == 1 ? double(p[t]) : det::pow(double(p[t]), exponents[t]));
  }
  return value;
}

void check(const ValueFormula& f, const RankerConfig& c) {
  PUNA_REQUIRE(f.exponents.size() == c.tasks.size() && f.weights.size() == c.surfaces.size() * c.tasks.size(),
               "the value formula has %zu weights and %zu exponents, expected %zu and %zu", f.weights.size(),
               f.exponents.size(), c.surfaces.size() * c.tasks.size(), c.tasks.size());
  for (size_t t = 0; t < c.tasks.size(); ++t) {
    PUNA_REQUIRE(f.exponents[t] > 0 && f.exponents[t] <= 100,
                 "the value's exponent of '%s' is %g, expected above 0, up to 100", c.tasks[t].name.c_str(),
                 f.exponents[t]);
    for (size_t s = 0; s < c.surfaces.size(); ++s)
      PUNA_REQUIRE(std::fabs(f.weights[s * c.tasks.size() + t]) <= 1e12,
                   "the value's weight of '%s' on '%s' is not finite or too large", c.tasks[t].name.c_str(),
                   c.surfaces[s].c_str());
  }
}

}  // namespace puna::recsys
