// random.h -- numbers for tests: the same on every machine (mt19937_64 is pinned by the standard, its distributions are
// not).
#pragma once
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

namespace puna::ref {

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  uint64_t bits() { return engine_(); }
  int64_t below(int64_t n) { return int64_t(bits() % uint64_t(n)); }
  int64_t between(int64_t low, int64_t high) { return low + below(high - low + 1); }  // both included
  double uniform() { return double(bits() >> 11) * 0x1p-53; }
  float normal() {  // the sum of twelve uniforms has variance 1; its tails end at 6
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += uniform();
    return float(sum);
  }
  // Any sign, any mantissa, an exponent field up to `exponent` (0 = denormals); one in sixteen is a zero.
  float wild(int exponent) {
    const uint64_t r = bits();
    uint32_t u = uint32_t(r) & 0x807FFFFFu;
    if ((r >> 60) != 0)
      u |= uint32_t(below(exponent + 1)) << 23;
    else
      u &= 0x80000000u;
    float x;
    memcpy(&x, &u, 4);
    return x;
  }

 private:
  std::mt19937_64 engine_;
};

inline std::vector<float> normal(int64_t n, uint64_t seed) {
  Random random(seed);
  std::vector<float> v(static_cast<size_t>(n));
  for (float& x : v) x = random.normal();
  return v;
}

inline std::vector<float> wild(int64_t n, uint64_t seed, int exponent = 254) {
  Random random(seed);
  std::vector<float> v(static_cast<size_t>(n));
  for (float& x : v) x = random.wild(exponent);
  return v;
}

}  // namespace puna::ref
