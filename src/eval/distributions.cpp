// distributions.cpp -- Student's t, the normal and the binomial with probability 1/2, to a relative 1e-12. The
// incomplete beta function is Lentz's continued fraction; what stands before it is computed without differences of
// large logarithms (C. Loader, "Fast and accurate computation of binomial probabilities", 2000).
#include <algorithm>
#include <cmath>

#include "base/det_math.h"
#include "puna/base/error.h"
#include "puna/eval/statistics.h"

namespace puna::eval {
namespace {

constexpr double kPi = 3.14159265358979323846, kSqrt2 = 1.41421356237309504880;

// ln(n!) - ln(sqrt(2 pi n) (n/e)^n), n > 0: Stirling's series above 15, the sum of its steps below.
double stirling_error(double n) {
  double below = 0;  // error(n) = error(n + 1) + (n + 1/2) ln(1 + 1/n) - 1
  for (; n < 16; ++n) below += (n + 0.5) * det::log1p(1 / n) - 1;
  const double s = 1 / (n * n);
  return below + (1.0 / 12 - s * (1.0 / 360 - s * (1.0 / 1260 - s * (1.0 / 1680 - s * (1.0 / 1188))))) / n;
}

// ln(Gamma(a + 1/2) / Gamma(a))
double log_half_step(double a) {
  double below = 0;  // Gamma(a + 1/2) / Gamma(a) = (the same at a + 1) * a / (a + 1/2)
  for (; a < 16; ++a) below += det::log(a / (a + 0.5));
  // Gamma(x) = sqrt(2 pi / x) (x/e)^x e^error(x)
  return below + a * det::log1p(0.5 / a) + 0.5 * det::log(a) - 0.5 + stirling_error(a + 0.5) - stirling_error(a);
}

// The continued fraction of the incomplete beta function (Numerical Recipes, 6.4), for x < (a + 1) / (a + b + 2).
double beta_fraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300, kEnough = 1e-16;
  const auto away = [](double v) { return std::fabs(v) < kTiny ? kTiny : v; };
  double c = 1, d = 1 / away(1 - (a + b) * x / (a + 1)), h = d;
  for (int64_t m = 1; m <= 200'000; ++m) {
    const double k = double(m);
    for (const double n : {k * (b - k) * x / ((a + 2 * k - 1) * (a + 2 * k)),
                           -(a + k) * (a + b + k) * x / ((a + 2 * k) * (a + 2 * k + 1))}) {
      d = 1 / away(1 + n * d);
      c = away(1 + n / c);
      h *= d * c;
    }
    if (std::fabs(d * c - 1) < kEnough * 4) break;
  }
  return h;
}

// ln of the density of t, without its constant's large logarithms.
double log_t_density(double t, double degrees) {
  return log_half_step(degrees / 2) - 0.5 * det::log(degrees * kPi) - (degrees + 1) / 2 * det::log1p(t * t / degrees);
}

// x ln(x / m) + m - x, without cancellation near x = m.
double deviance(double x, double m) {
  if (std::fabs(x - m) < 0.1 * (x + m)) {
    const double v = (x - m) / (x + m);
    double sum = (x - m) * v, term = 2 * x * v;
    for (int j = 1; j < 1000; ++j) {
      term *= v * v;
      const double next = sum + term / (2 * j + 1);
      if (next == sum) break;
      sum = next;
    }
    return sum;
  }
  return x * det::log(x / m) + m - x;
}

}  // namespace

double t_two_sided(double t, double degrees) {
  PUNA_REQUIRE(degrees > 0, "%g degrees of freedom, expected more than 0", degrees);
  if (std::isnan(t)) fail(Status::invalid_argument, "t is no number");
  if (t == 0) return 1;
  if (std::isinf(t)) return 0;
  // I_x(degrees/2, 1/2) at x = degrees / (degrees + t^2); x^a (1-x)^b / B(a, b) is the density times |t|.
  const double a = degrees / 2, b = 0.5, front = det::exp(log_t_density(t, degrees)) * std::fabs(t);
  const double x = degrees / (degrees + t * t), rest = t * t / (degrees + t * t);
  if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
  return 1 - front * beta_fraction(b, a, rest) / b;
}

double normal_quantile(double level) {
  PUNA_REQUIRE(level > 0 && level < 1, "a level of %g, expected more than 0 and less than 1", level);
  double z = 0;  // Newton from the left of a concave function: every step is short, none goes too far
  for (int i = 0; i < 200; ++i) {
    const double step = (level - det::erf(z / kSqrt2)) / (2 * det::exp(-z * z / 2) / std::sqrt(2 * kPi));
    z += step;
    if (std::fabs(step) <= 1e-15 * z) break;
  }
  return z;
}

double t_quantile(double level, double degrees) {
  double t = normal_quantile(level);  // to the left: t has longer tails
  for (int i = 0; i < 500; ++i) {
    const double step = (t_two_sided(t, degrees) - (1 - level)) / (2 * det::exp(log_t_density(t, degrees)));
    t += step;
    if (std::fabs(step) <= 1e-15 * t) break;
  }
  return t;
}

double binomial_half_tail(int64_t k, int64_t n) {
  PUNA_REQUIRE(n >= 0, "%jd trials, expected 0 or more", n);
  if (k < 0) return 0;
  if (k >= n) return 1;
  if (2 * k >= n) return 1 - binomial_half_tail(n - k - 1, n);  // the shorter tail
  const double x = double(k), m = double(n) / 2, rest = double(n - k);
  const double log_of_k = k == 0
                              ? -double(n) * det::log(2)
                              : stirling_error(double(n)) - stirling_error(x) - stirling_error(rest) - deviance(x, m) -
                                    deviance(rest, m) + 0.5 * det::log(double(n) / (2 * kPi * x * rest));
  double term = 1, sum = 1;  // of P(i) / P(k), downwards
  for (int64_t i = k; i > 0 && term > 1e-18 * sum; --i) sum += term *= double(i) / double(n - i + 1);
  return det::exp(log_of_k) * sum;
}

}  // namespace puna::eval
