// test_det_math.cpp -- our elementary functions against the C library's long double ones, at the edges of their
// domains, and one hash of their bits that every compiler and CPU must reproduce.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/det_math.h"
#include "support/catch.h"

using namespace puna;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kMin = std::numeric_limits<double>::denorm_min();
constexpr double kMax = std::numeric_limits<double>::max();

struct Random {  // splitmix64: the test's numbers must not come from what it tests
  uint64_t state;
  uint64_t next() {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  double uniform(double lo, double hi) { return lo + (hi - lo) * (double(next() >> 11) * 0x1p-53); }
  double positive() {
    return std::bit_cast<double>(next() % 0x7ff0000000000000);
  }  // every exponent alike, denormals included
};

double ulp(long double x) {
  const double a = std::fabs(double(x));
  return std::max(kMin, std::nextafter(a, kInf) - a);
}
double error_in_ulp(double got, long double want) {
  if (std::isinf(double(want))) return got == double(want) ? 0 : 1e9;
  return double(std::fabs((long double)got - want)) / ulp(want);
}

using Function = double (*)(double);
using Reference = long double (*)(long double);

double worst(Function f, Reference reference, double lo, double hi, int n = 200000) {
  Random random{uint64_t(n) + std::bit_cast<uint64_t>(lo)};
  double worst = 0;
  for (int i = 0; i < n; ++i) {
    const double x = random.uniform(lo, hi);
    worst = std::max(worst, error_in_ulp(f(x), reference(x)));
  }
  return worst;
}

}  // namespace

TEST_CASE("exp, log, log1p, tanh and erf are within 1.5 ulp, tanh 2.5", "[base]") {
  CHECK(worst([](double x) { return det::exp(x); }, std::exp, -1, 1) < 1.1);
  CHECK(worst([](double x) { return det::exp(x); }, std::exp, -708, 709.7) < 1.1);
  CHECK(worst([](double x) { return det::exp(x); }, std::exp, -745.2, -708) < 1.1);  // denormal results
  CHECK(worst(det::log, std::log, 0.5, 2) < 1.5);
  CHECK(worst(det::log, std::log, 1e-9, 1e9) < 1.5);
  CHECK(worst(det::log1p, std::log1p, -0.9999, 1) < 1.5);
  CHECK(worst(det::log1p, std::log1p, -1e-6, 1e-6) < 1.5);
  CHECK(worst(det::log1p, std::log1p, 1, 1e12) < 1.5);
  CHECK(worst(det::tanh, std::tanh, -2, 2) < 2.5);
  CHECK(worst(det::tanh, std::tanh, -1e-3, 1e-3) < 2.5);
  CHECK(worst(det::tanh, std::tanh, -25, 25) < 2.5);
  CHECK(worst(det::erf, std::erf, -1, 1) < 1.5);
  CHECK(worst(det::erf, std::erf, -7, 7) < 1.5);
  CHECK(worst(det::erf, std::erf, 0.99, 1.01) < 1.5);
}

TEST_CASE("log and the small ends of log1p, tanh and erf hold over every exponent", "[base]") {
  Random random{1};
  double log_error = 0, log1p_error = 0, tanh_error = 0, erf_error = 0;
  for (int i = 0; i < 200000; ++i) {
    const double x = random.positive(), tiny = random.positive() * 0x1p-512 * 0x1p-512;
    log_error = std::max(log_error, error_in_ulp(det::log(x), std::log((long double)x)));
    log1p_error = std::max(log1p_error, error_in_ulp(det::log1p(x), std::log1p((long double)x)));
    tanh_error = std::max(tanh_error, error_in_ulp(det::tanh(tiny), std::tanh((long double)tiny)));
    erf_error = std::max(erf_error, error_in_ulp(det::erf(tiny), std::erf((long double)tiny)));
  }
  CHECK(log_error < 1);
  CHECK(log1p_error < 1.5);
  CHECK(tanh_error < 2.5);
  CHECK(erf_error < 1.5);
}

TEST_CASE("pow is within 1 ulp for wavelengths, decays and anything positive", "[base]") {
  Random random{2};
  double rope = 0, decay = 0, any = 0, near_one = 0;
  for (int i = 0; i < 200000; ++i) {
    const double theta = random.uniform(1e3, 1e7), part = -random.uniform(0, 1);
    rope = std::max(rope, error_in_ulp(det::pow(theta, part), std::pow((long double)theta, (long double)part)));
    const double beta = random.uniform(0.9, 0.99999);
    const double step = double(random.next() % 100000);
    decay = std::max(decay, error_in_ulp(det::pow(beta, step), std::pow((long double)beta, (long double)step)));
    const double x = random.positive(), y = random.uniform(-1.1, 1.1);
    any = std::max(any, error_in_ulp(det::pow(x, y), std::pow((long double)x, (long double)y)));
    const double one = random.uniform(0.999999, 1.000001), large = random.uniform(-7e8, 7e8);
    near_one = std::max(near_one, error_in_ulp(det::pow(one, large), std::pow((long double)one, (long double)large)));
  }
  CHECK(rope < 1);
  CHECK(decay < 1.01);  // reaches denormals
  CHECK(any < 1.01);
  CHECK(near_one < 1.1);  // the 64-bit reference loses a little here itself
}

TEST_CASE("sine and cosine are within 1 ulp up to positions of ten million", "[base]") {
  for (const double range : {0.7, 3.2, 1000.0, 2e7, det::kMaxAngle}) {
    CAPTURE(range);
    CHECK(worst(det::sin, std::sin, -range, range) < 1);
    CHECK(worst(det::cos, std::cos, -range, range) < 1);
  }
  double sine = 0, cosine = 0;
  for (int64_t k = 1; k < 200000; ++k) {  // the doubles nearest to multiples of pi/2, where all digits cancel
    const double x = double(k * 97) * 1.5707963267948966;
    sine = std::max(sine, error_in_ulp(det::sin(x), std::sin((long double)x)));
    cosine = std::max(cosine, error_in_ulp(det::cos(x), std::cos((long double)x)));
  }
  CHECK(sine < 1);
  CHECK(cosine < 1);
  for (int32_t position = 0; position < 10'000'000; position += 12345) {  // f32 angles as RoPE makes them
    const float angle = float(position) * 0.8659643f;
    double s, c;
    det::sincos(angle, &s, &c);
    CHECK(std::fabs(s - std::sin((long double)angle)) < 1e-15);
    CHECK(std::fabs(c - std::cos((long double)angle)) < 1e-15);
  }
}

TEST_CASE("exp over an array has the bits of exp one by one", "[base]") {
  Random random{4};
  std::vector<double> x(1001), y(1001);
  for (double& v : x) v = random.uniform(-708, 708);
  det::exp(y.data(), x.data(), int64_t(x.size()));
  for (size_t i = 0; i < x.size(); ++i) CHECK(y[i] == det::exp(x[i]));
}

TEST_CASE("infinities, zeros, NaN and denormals give what IEEE 754 recommends", "[base]") {
  CHECK(det::exp(kInf) == kInf);
  CHECK(det::exp(-kInf) == 0);
  CHECK(det::exp(0) == 1);
  CHECK(det::exp(710) == kInf);
  CHECK(det::exp(-746) == 0);
  CHECK(det::exp(-745.1) == kMin);
  CHECK(det::exp(kMin) == 1);
  CHECK(det::log(0) == -kInf);
  CHECK(det::log(-0.0) == -kInf);
  CHECK(det::log(1) == 0);
  CHECK(det::log(kInf) == kInf);
  CHECK(det::log(kMin) == double(std::log((long double)kMin)));
  CHECK(det::log1p(-1) == -kInf);
  CHECK(det::log1p(kInf) == kInf);
  CHECK(det::log1p(kMin) == kMin);
  CHECK(det::log1p(kMax) == double(std::log((long double)kMax)));
  CHECK(std::signbit(det::log1p(-0.0)));
  CHECK(det::tanh(kInf) == 1);
  CHECK(det::tanh(-kInf) == -1);
  CHECK(std::signbit(det::tanh(-0.0)));
  CHECK(det::erf(kInf) == 1);
  CHECK(det::erf(-kInf) == -1);
  CHECK(std::signbit(det::erf(-0.0)));
  CHECK(std::signbit(det::sin(-0.0)));
  CHECK(det::sin(kMin) == kMin);
  CHECK(det::cos(kMin) == 1);
  for (const double y : {kNaN, kInf, -kInf, 0.0}) CHECK(det::pow(1, y) == 1);
  for (const double x : {kNaN, kInf, 0.0, 2.0}) CHECK(det::pow(x, 0) == 1);
  CHECK(det::pow(0, 2) == 0);
  CHECK(det::pow(0, -2) == kInf);
  CHECK(det::pow(kInf, 0.5) == kInf);
  CHECK(det::pow(kInf, -0.5) == 0);
  CHECK(det::pow(0.5, kInf) == 0);
  CHECK(det::pow(0.5, -kInf) == kInf);
  CHECK(det::pow(2, kInf) == kInf);
  CHECK(det::pow(2, -kInf) == 0);
  CHECK(det::pow(2, 1e300) == kInf);
  CHECK(det::pow(2, -1e300) == 0);
  CHECK(det::pow(2, 1e-300) == 1);
  CHECK(det::pow(2, 10) == 1024);
  CHECK(det::pow(kMin, 0.5) == std::sqrt(kMin));
}

TEST_CASE("outside a domain the answer is one and the same NaN", "[base]") {
  const auto bits = std::bit_cast<uint64_t, double>;
  const uint64_t nan = bits(kNaN);
  for (const double x : {kNaN, -kNaN, std::numeric_limits<double>::signaling_NaN()}) {
    CHECK(bits(det::exp(x)) == nan);
    CHECK(bits(det::log(x)) == nan);
    CHECK(bits(det::log1p(x)) == nan);
    CHECK(bits(det::tanh(x)) == nan);
    CHECK(bits(det::erf(x)) == nan);
    CHECK(bits(det::sin(x)) == nan);
    CHECK(bits(det::cos(x)) == nan);
    CHECK(bits(det::pow(x, 2)) == nan);
    CHECK(bits(det::pow(2, x)) == nan);
  }
  CHECK(bits(det::log(-1)) == nan);
  CHECK(bits(det::log(-kInf)) == nan);
  CHECK(bits(det::log1p(-1.5)) == nan);
  CHECK(bits(det::pow(-2, 2)) == nan);
  CHECK(bits(det::sin(kInf)) == nan);
  CHECK(bits(det::cos(2 * det::kMaxAngle)) == nan);
}

TEST_CASE("every compiler and CPU computes these bits", "[base]") {
  Random random{3};
  uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&](double x) { hash = (hash ^ std::bit_cast<uint64_t>(x)) * 0x100000001b3; };
  for (int i = 0; i < 20000; ++i) {
    const double any = std::bit_cast<double>(random.next()), x = random.uniform(-40, 40), p = random.positive();
    for (const double v : {any, x, x * 1e6}) {
      add(det::exp(v));
      add(det::log(v));
      add(det::log1p(v));
      add(det::tanh(v));
      add(det::erf(v));
      double s, c;
      det::sincos(v, &s, &c);
      add(s);
      add(c);
    }
    add(det::pow(p, random.uniform(-2, 2)));
    add(det::pow(random.uniform(0.5, 2), x));
  }
  CHECK(hash == 0xa6acb4e3035e7d29);
}
