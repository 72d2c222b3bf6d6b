// money.h -- money is counted in integers, millionths of the currency's unit, as the exchanges do: sums are exact.
#pragma once
#include <cstdint>

namespace puna::ads {

using Micros = int64_t;

inline constexpr Micros kOneUnit = 1'000'000;
// The most that a budget, a cap or a price may be: sums of a million of them still fit into 64 bits.
inline constexpr Micros kMostMicros = 9'000'000'000'000;

}  // namespace puna::ads
