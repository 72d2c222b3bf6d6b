// det_math.cpp -- argument reduction, then a polynomial. The reductions are the classical ones (W. J. Cody and W.
// Waite, "Software Manual for the Elementary Functions", 1980; J.-M. Muller, "Elementary Functions"). Polynomials are
// Taylor series on ranges small enough for double, so that their coefficients explain themselves; only erf's are fitted
// (see there). Compiled with -ffp-contract=off like everything here: a * b + c rounds twice, everywhere.
#include "base/det_math.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace puna::det {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kLog2e = 0x1.71547652b82fep+0;
constexpr double kLn2Hi = 0x1.62e42fefa3800p-1;   // 42 bits of ln 2: exact when multiplied by an exponent
constexpr double kLn2Lo = 0x1.ef35793c76730p-45;  // the next 53

// x^N and c[0] + c[1] x + ... + c[N-1] x^(N-1) by halves (Estrin): short chains of operations in one fixed order.
template <size_t N>
double power(double x) {
  if constexpr (N == 1) {
    return x;
  } else {
    return power<N / 2>(x) * power<N / 2>(x);
  }
}
template <size_t N>
double estrin(const double* c, double x) {
  if constexpr (N == 1) {
    return c[0];
  } else {
    constexpr size_t kHalf = std::bit_ceil(N) / 2;
    return estrin<kHalf>(c, x) + power<kHalf>(x) * estrin<N - kHalf>(c + kHalf, x);
  }
}
template <size_t N>
double polynomial(const double (&c)[N], double x) {
  return estrin<N>(c, x);
}

bool is_nan(double x) { return !(x == x); }
double magnitude(double x) { return std::bit_cast<double>(std::bit_cast<uint64_t>(x) & ~(uint64_t(1) << 63)); }
double with_sign_of(double magnitude, double x) {
  return std::bit_cast<double>(std::bit_cast<uint64_t>(magnitude) | (std::bit_cast<uint64_t>(x) & (uint64_t(1) << 63)));
}
// Nearest integer, ties to even, for |x| < 2^51: adding 1.5 * 2^52 leaves no bits below the point.
struct Nearest {
  double value;
  int64_t integer;
};
Nearest nearest(double x) {
  const double shifted = x + 0x1.8p52;
  return {shifted - 0x1.8p52, int64_t(std::bit_cast<uint64_t>(shifted) - std::bit_cast<uint64_t>(0x1.8p52))};
}
double two_to(int64_t k) { return std::bit_cast<double>(uint64_t(k + 1023) << 52); }  // -1022 <= k <= 1023

// A number as an unevaluated sum; |low| is at most half an ulp of high. T. J. Dekker, Numer. Math. 18 (1971).
struct Double2 {
  double high, low;
};
Double2 two_sum(double a, double b) {
  const double s = a + b, t = s - a;
  return {s, (a - (s - t)) + (b - t)};
}
Double2 fast_two_sum(double a, double b) {  // |a| >= |b|
  const double s = a + b;
  return {s, b - (s - a)};
}
Double2 two_product(double a, double b) {                   // exact while nothing overflows or underflows
  const double ca = a * 134217729.0, cb = b * 134217729.0;  // 2^27 + 1 splits 53 bits into 26 and 26
  const double ah = ca - (ca - a), al = a - ah, bh = cb - (cb - b), bl = b - bh;
  const double p = a * b;
  return {p, ((ah * bh - p) + ah * bl + al * bh) + al * bl};
}
Double2 product(Double2 a, Double2 b) {
  const Double2 p = two_product(a.high, b.high);
  return fast_two_sum(p.high, p.low + (a.high * b.low + a.low * b.high));
}

// e^(x + low) = 2^k (1 + p), with |x - k ln 2| <= ln(2)/2 and p from the series up to r^13/13!.
struct ExpParts {
  double p;
  int64_t k;
};
ExpParts exp_parts(double x, double low) {
  static constexpr double kTail[] = {1.0 / 2,       1.0 / 6,        1.0 / 24,        1.0 / 120,
                                     1.0 / 720,     1.0 / 5040,     1.0 / 40320,     1.0 / 362880,
                                     1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};
  const auto [k, integer] = nearest(x * kLog2e);
  const double hi = x - k * kLn2Hi, lo = k * kLn2Lo - low, r = hi - lo;
  return {hi - (lo - r * r * polynomial(kTail, r)), integer};
}
double exp_sum(double x, double low) {
  if (x > 709.79) return kInf;  // ln of the largest double is 709.78
  if (x < -745.14) return 0;    // ln of half the smallest is -745.13
  const ExpParts e = exp_parts(x, low);
  return (1 + e.p) * two_to(e.k / 2) * two_to(e.k - e.k / 2);  // in two steps, so that a denormal result rounds once
}

// x = 2^k (1 + f), with 1 + f between sqrt(1/2) and sqrt(2). x > 0 and finite.
struct LogParts {
  double f;
  double k;
};
LogParts log_parts(double x) {
  int64_t scaled = 0;
  if (x < 0x1p-1022) x *= 0x1p54, scaled = 54;
  const uint64_t kSqrtHalf = 0x3fe6a09e667f3bcd;
  const int64_t k = int64_t(std::bit_cast<uint64_t>(x) - kSqrtHalf) >> 52;
  const double m = std::bit_cast<double>(std::bit_cast<uint64_t>(x) - (uint64_t(k) << 52));
  return {m - 1, double(k - scaled)};
}
// log(1 + f) = 2 atanh(s), s = f / (2 + f), z = s^2 < 0.0295: 2 s (1 + z/3 + z^2/5 + ...). kAtanh starts at 2/3.
constexpr double kAtanh[] = {2.0 / 3,  2.0 / 5,  2.0 / 7,  2.0 / 9,  2.0 / 11,
                             2.0 / 13, 2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21};

// log(x) + correction. With h = f^2/2, 2 s = f - s f = f - h + s h: the large part of the result, f, is exact.
double log_sum(double x, double correction) {
  const auto [f, k] = log_parts(x);
  const double s = f / (2 + f), z = s * s, h = 0.5 * f * f;
  const double tail = s * (h + z * polynomial(kAtanh, z));
  return k * kLn2Hi - ((h - (tail + (k * kLn2Lo + correction))) - f);
}
// log(x) to about 2^-64: the first two terms of the series in Double2, the rest in double.
Double2 log_double2(double x) {
  static constexpr double kLn2Lolo = 0x1.f97b57a079a19p-103;
  const auto [f, k] = log_parts(x);
  const Double2 d = two_sum(2, f);
  const double s = f / d.high;
  const Double2 sd = two_product(s, d.high);
  const Double2 s2 = fast_two_sum(s, ((f - sd.high) - sd.low - s * d.low) / d.high);
  const Double2 z = product(s2, s2);
  // c = 2/3 + z (2/5 + ...): 2/3 = 0x1.5555555555555p-1 + 0x1.5555555555555p-55
  const Double2 c = fast_two_sum(kAtanh[0], 0x1.5555555555555p-55 + z.high * estrin<9>(kAtanh + 1, z.high));
  const Double2 tail = product(product(s2, z), c);
  const Double2 a = two_sum(k * kLn2Hi, 2 * s2.high);
  const Double2 b = two_sum(a.high, tail.high);
  const Double2 e = two_sum(b.high, k * kLn2Lo);
  return fast_two_sum(e.high, e.low + (b.low + (a.low + (2 * s2.low + (tail.low + k * kLn2Lolo)))));
}

// r = x - n pi/2 as a Double2; pi/2 in three parts of 26 bits, each exact when multiplied by n < 2^27, and one of 53.
struct Quadrant {
  double r, low;
  int64_t n;
};
Quadrant reduce(double x) {
  const auto [n, integer] = nearest(x * 0x1.45f306dc9c883p-1);
  const double r = x - n * 0x1.921fb5p+0;
  const Double2 a = two_sum(r, -n * 0x1.110b46p-26);
  const Double2 b = two_sum(a.high, -n * 0x1.1a6263p-54);
  const Double2 c = fast_two_sum(b.high, (a.low + b.low) - n * 0x1.8a2e03707344ap-81);
  return {c.high, c.low, integer};
}
// sin(r + low) and cos(r + low), |r| <= pi/4: Taylor series to r^17 and r^18.
double sin_near_zero(double r, double low) {
  static constexpr double kSin[] = {-1.0 / 6,        1.0 / 120,        -1.0 / 5040,          1.0 / 362880,
                                    -1.0 / 39916800, 1.0 / 6227020800, -1.0 / 1307674368000, 1.0 / 355687428096000};
  const double z = r * r;
  return r + (r * z * polynomial(kSin, z) + low * (1 - 0.5 * z));
}
double cos_near_zero(double r, double low) {
  static constexpr double kCos[] = {1.0 / 24,        -1.0 / 720,         1.0 / 40320,          -1.0 / 3628800,
                                    1.0 / 479001600, -1.0 / 87178291200, 1.0 / 20922789888000, -1.0 / 6402373705728000};
  const double z = r * r, h = 0.5 * z, w = 1 - h;
  return w + (((1 - w) - h) + (z * z * polynomial(kCos, z) - r * low));
}

}  // namespace

double exp(double x) noexcept { return is_nan(x) ? kNaN : exp_sum(x, 0); }

void exp(double* y, const double* x, int64_t n) noexcept {
  for (int64_t i = 0; i < n; ++i) {
    const ExpParts e = exp_parts(x[i], 0);
    y[i] = (1 + e.p) * two_to(e.k);
  }
}

double log(double x) noexcept {
  if (!(x > 0)) return x == 0 ? -kInf : kNaN;
  return x == kInf ? kInf : log_sum(x, 0);
}

double log1p(double x) noexcept {
  if (!(x > -1)) return x == -1 ? -kInf : kNaN;
  if (x == kInf || magnitude(x) < 0x1p-54) return x;
  const double u = 1 + x;                                              // log(1 + x) = log(u) + (1 + x - u) / u + ...
  const double lost = u - x > 1 || x < 1 ? x - (u - 1) : 1 - (u - x);  // what the addition rounded away, exactly
  return log_sum(u, lost / u);
}

double pow(double x, double y) noexcept {
  if (x == 1 || y == 0) return 1;
  if (is_nan(x) || is_nan(y) || x < 0) return kNaN;
  if (x == 0 || x == kInf) return (x == 0) == (y < 0) ? kInf : 0;
  if (magnitude(y) == kInf) return (x > 1) == (y > 0) ? kInf : 0;
  const Double2 l = log_double2(x);
  const double estimate = y * l.high;
  if (!(magnitude(estimate) < 800)) return estimate > 0 ? kInf : 0;
  if (magnitude(estimate) < 0x1p-60) return 1;
  const Double2 e = product({y, 0}, l);
  return exp_sum(e.high, e.low);
}

void sincos(double x, double* sine, double* cosine) noexcept {
  if (!(magnitude(x) <= kMaxAngle)) {
    *sine = *cosine = kNaN;
    return;
  }
  const Quadrant q = reduce(x);
  const double s = magnitude(x) < 0x1p-27 ? x : sin_near_zero(q.r, q.low);  // keeps -0 and denormals
  const double c = cos_near_zero(q.r, q.low);
  const bool swap = q.n & 1;
  *sine = (q.n & 2) ? -(swap ? c : s) : (swap ? c : s);
  *cosine = ((q.n + 1) & 2) ? -(swap ? s : c) : (swap ? s : c);
}
double sin(double x) noexcept {
  double s, c;
  sincos(x, &s, &c);
  return s;
}
double cos(double x) noexcept {
  double s, c;
  sincos(x, &s, &c);
  return c;
}

double tanh(double x) noexcept {
  if (is_nan(x)) return kNaN;
  const double a = magnitude(x);
  if (a < 0x1p-28) return x;
  if (a > 22) return with_sign_of(1, x);
  const ExpParts e = exp_parts(2 * a, 0);  // tanh a = t / (t + 2), t = e^(2a) - 1 without cancellation
  const double scale = two_to(e.k), t = scale * e.p + (scale - 1);
  return with_sign_of(t / (t + 2), x);
}

double erf(double x) noexcept {
  // Fitted with 300-bit arithmetic at Chebyshev nodes: erf(x)/x - 1 in x^2 on [0, 1] to 2^-55, and e^(x^2) erfc(x) in
  // t = (x - 3)/(x + 3) on x in [1, 6] to 2^-52.6, which is multiplied by erfc(x) < 0.16.
  static constexpr double kNear[] = {0x1.06eba8214db69p-3,   -0x1.812746b0379e6p-2,  0x1.ce2f21a042b30p-4,
                                     -0x1.b82ce31284e00p-6,  0x1.565bcd0dbaa38p-8,   -0x1.c02db3dac435fp-11,
                                     0x1.f9a321d5b8e1ep-14,  -0x1.f4d1e3183f7aep-17, 0x1.b9df224ca4b97p-20,
                                     -0x1.5f1ecb6f0764cp-23, 0x1.f7b4bf3b13964p-27,  -0x1.389d4f2641625p-30,
                                     0x1.05ffd737fb32ep-34};
  static constexpr double kFar[] = {
      0x1.6e9827d229d2dp-3,   -0x1.4e102b9cf8513p-2, 0x1.f6ff204105a04p-3,  -0x1.336ffbef08b8ap-3,
      0x1.258b13b00ec66p-4,   -0x1.8fa58eb5ea92cp-6, 0x1.17c839090a469p-8,  0x1.73101f6d2e434p-11,
      -0x1.39085f2b38287p-11, 0x1.7b9ef7977ceafp-15, 0x1.0cb2e63fe2177p-14, -0x1.af086905fc57fp-17,
      -0x1.0cc37e8e915adp-17, 0x1.0e3fb74fdc507p-19, 0x1.56695202d55bcp-20, 0x1.d0badb83f2cadp-29};
  if (is_nan(x)) return kNaN;
  const double a = magnitude(x);
  if (a <= 1) return x + x * polynomial(kNear, x * x);
  if (a >= 6) return with_sign_of(1, x);  // erfc(6) < 2^-55
  return with_sign_of(1 - exp_sum(-a * a, 0) * polynomial(kFar, (a - 3) / (a + 3)), x);
}

}  // namespace puna::det
