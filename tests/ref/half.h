// half.h -- IEEE binary16 by its definition: a table of all finite values, and the nearest one by search. Nothing
// shared with kernels.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace puna::ref {

inline double half_value(uint16_t h) {
  const int exponent = h >> 10 & 31, mantissa = h & 1023;
  const double sign = h & 0x8000 ? -1.0 : 1.0;
  if (exponent == 31)
    return mantissa ? std::numeric_limits<double>::quiet_NaN() : sign * std::numeric_limits<double>::infinity();
  return sign * (exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25));
}

// Positive finite values ascending: index = bits. The entry behind the last, 65536, is where infinity would be.
inline const std::vector<double>& half_table() {
  static const std::vector<double> table = [] {
    std::vector<double> t;
    for (int h = 0; h < 0x7C00; ++h) t.push_back(half_value(uint16_t(h)));
    t.push_back(65536.0);
    return t;
  }();
  return table;
}

// The nearest half, ties to the even mantissa; what rounds to 65536 is infinity; NaN is a quiet NaN.
inline uint16_t nearest_half(double x) {
  const std::vector<double>& t = half_table();
  const uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  if (std::isnan(x)) return uint16_t(sign | 0x7E00);
  const double a = std::abs(x);
  if (a >= t.back()) return uint16_t(sign | 0x7C00);
  const size_t above = size_t(std::upper_bound(t.begin(), t.end(), a) - t.begin()), below = above - 1;
  const double down = a - t[below], up = t[above] - a;
  const bool round_up = up < down || (up == down && below % 2 == 1);
  return uint16_t(sign | (round_up ? above : below));
}

}  // namespace puna::ref
