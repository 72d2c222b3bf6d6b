#include "eval/python_random.h"

#include <bit>
#include <unordered_set>

#include "puna/base/error.h"

namespace puna::eval {

PythonRandom::PythonRandom(uint64_t seed) {
  state_[0] = 19650218;
  for (uint32_t i = 1; i < kWords; ++i) state_[i] = 1812433253u * (state_[i - 1] ^ state_[i - 1] >> 30) + i;
  const uint32_t key[2] = {uint32_t(seed), uint32_t(seed >> 32)};
  const uint32_t length = seed >> 32 ? 2 : 1;
  size_t i = 1;
  const auto wrap = [&] {
    if (++i < kWords) return;
    state_[0] = state_[kWords - 1];
    i = 1;
  };
  for (uint32_t k = 0; k < kWords; ++k) {
    state_[i] = (state_[i] ^ (state_[i - 1] ^ state_[i - 1] >> 30) * 1664525u) + key[k % length] + k % length;
    wrap();
  }
  for (uint32_t k = 1; k < kWords; ++k) {
    state_[i] = (state_[i] ^ (state_[i - 1] ^ state_[i - 1] >> 30) * 1566083941u) - uint32_t(i);
    wrap();
  }
  state_[0] = 0x80000000u;
}

uint32_t PythonRandom::next() {
  if (at_ == kWords) {
    for (size_t i = 0; i < kWords; ++i) {
      const uint32_t y = (state_[i] & 0x80000000u) | (state_[(i + 1) % kWords] & 0x7fffffffu);
      state_[i] = state_[(i + 397) % kWords] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
    }
    at_ = 0;
  }
  uint32_t y = state_[at_++];
  y ^= y >> 11;
  y ^= y << 7 & 0x9d2c5680u;
  y ^= y << 15 & 0xefc60000u;
  return y ^ y >> 18;
}

int64_t PythonRandom::below(int64_t n) {
  const int bits = std::bit_width(uint64_t(n));
  while (true)
    if (const auto drawn = int64_t(next() >> (32 - bits)); drawn < n) return drawn;
}

// Few of many: what was drawn before is drawn again. Otherwise from a list that shrinks, as CPython decides it.
std::vector<int64_t> PythonRandom::sample(int64_t n, int64_t k) {
  PUNA_REQUIRE(k >= 0 && k <= n && n <= UINT32_MAX, "%jd of %jd cannot be drawn", k, n);
  int64_t set_size = 21;
  if (k > 5) {
    int64_t power = 4;
    while (power < 3 * k) power *= 4;
    set_size += power;
  }
  std::vector<int64_t> drawn;
  if (n <= set_size) {
    std::vector<int64_t> pool;
    for (int64_t i = 0; i < n; ++i) pool.push_back(i);
    for (int64_t i = 0; i < k; ++i) {
      const int64_t at = below(n - i);
      drawn.push_back(pool[size_t(at)]);
      pool[size_t(at)] = pool[size_t(n - i - 1)];
    }
    return drawn;
  }
  std::unordered_set<int64_t> taken;
  while (int64_t(drawn.size()) < k)
    if (const int64_t one = below(n); taken.insert(one).second) drawn.push_back(one);
  return drawn;
}

}  // namespace puna::eval
