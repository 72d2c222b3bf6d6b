// philox.h -- Philox4x32-10 (Salmon et al., SC 2011): 128 random bits of (seed, counter), no state. What sampling,
// shuffling and the initialisation of weights draw from.
#pragma once
#include <cstdint>

namespace puna {

struct Philox {
  uint32_t word[4];
};
Philox philox(uint64_t seed, uint64_t counter_low, uint64_t counter_high = 0) noexcept;

}  // namespace puna
