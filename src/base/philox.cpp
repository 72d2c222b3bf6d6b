// philox.cpp -- Philox4x32-10: J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
// Ten rounds of two 32 x 32 -> 64 bit products; the counter goes in, random bits come out, nothing is remembered.
#include "puna/base/philox.h"

namespace puna {

Philox philox(uint64_t seed, uint64_t counter_low, uint64_t counter_high) noexcept {
  constexpr uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr uint32_t kGolden = 0x9E3779B9, kRoot3 = 0xBB67AE85;  // the key's steps: golden ratio, sqrt(3) - 1
  uint32_t key0 = uint32_t(seed), key1 = uint32_t(seed >> 32);
  Philox c{{uint32_t(counter_low), uint32_t(counter_low >> 32), uint32_t(counter_high), uint32_t(counter_high >> 32)}};
  for (int round = 0; round < 10; ++round, key0 += kGolden, key1 += kRoot3) {
    const uint64_t a = kMultiplier0 * c.word[0], b = kMultiplier1 * c.word[2];
    c = {{uint32_t(b >> 32) ^ c.word[1] ^ key0, uint32_t(b), uint32_t(a >> 32) ^ c.word[3] ^ key1, uint32_t(a)}};
  }
  return c;
}

}  // namespace puna
