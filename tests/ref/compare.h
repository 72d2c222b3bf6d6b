// compare.h -- results against oracles with a bound for each element, and results against each other bit for bit.
#pragma once
#include <cmath>
#include <cstring>
#include <span>
#include <vector>

#include "support/catch.h"

namespace puna::ref {

inline constexpr double kRound = 0x1p-24;  // half a unit in the last place of an f32, relative
inline constexpr double kTiny = 0x1p-149;  // the smallest f32: what one rounding may cost among denormals

// CHECKs |got[i] - want[i]| <= bound(i). NaN is wrong.
template <class Bound>
void check_within(std::span<const float> got, std::span<const double> want, Bound&& bound) {
  REQUIRE(got.size() == want.size());
  size_t bad = 0, at = 0;
  double worst = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const double error = std::abs(double(got[i]) - want[i]), allowed = bound(i);
    if (error <= allowed) continue;
    ++bad;
    if (std::isnan(error) || error / allowed > worst) {
      worst = error / allowed;
      at = i;
    }
  }
  CAPTURE(bad, at, got.empty() ? 0.0f : got[at], want.empty() ? 0.0 : want[at], worst);
  CHECK(bad == 0);
}

// How many elements differ in any bit. Two NaNs are the same: their payloads are nobody's promise.
inline size_t differing(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return a.size() + b.size();
  size_t n = 0;
  for (size_t i = 0; i < a.size(); ++i)
    n += std::memcmp(&a[i], &b[i], 4) != 0 && !(std::isnan(a[i]) && std::isnan(b[i]));
  return n;
}

}  // namespace puna::ref
