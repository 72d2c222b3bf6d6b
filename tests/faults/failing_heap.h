// failing_heap.h -- operator new that fails when told to, and counts what is live: for sweeps that fail every
// allocation in turn.
#pragma once
#include <cstdint>

namespace puna::test {

// An emulator takes an hour for all of it: there, one failure in eleven.
#ifdef PUNA_CROSS_BUILT
inline constexpr int kOneIn = 11;
#else
inline constexpr int kOneIn = 1;
#endif

// While armed, the n-th (from 0) allocation of any thread fails once. Nothing is counted while no plan is armed.
void arm_heap(int64_t n) noexcept;
// Disarms. True when the failure has happened. `optional` is set when it hit a nothrow form, which callers may do
// without.
bool disarm_heap(bool* optional) noexcept;
int64_t live_blocks() noexcept;  // of operator new, all threads

}  // namespace puna::test
