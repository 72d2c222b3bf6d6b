#include "ops/sort_by_id.h"

#include <algorithm>

namespace puna {
namespace {

constexpr int kDigitBits = 11;

}  // namespace

// Least significant digit first (Knuth 5.2.5).
void sort_by_id(int32_t* order, int32_t* other, const int32_t* ids, int64_t count, int32_t max_id) noexcept {
  for (int64_t i = 0; i < count; ++i) order[i] = int32_t(i);
  for (int shift = 0; shift == 0 || (shift < 31 && max_id >> shift != 0); shift += kDigitBits) {
    int32_t place[(1 << kDigitBits) + 1] = {};
    const auto digit = [&](int32_t entry) { return ids[entry] >> shift & ((1 << kDigitBits) - 1); };
    for (int64_t i = 0; i < count; ++i) ++place[digit(order[i]) + 1];
    for (int d = 0; d < 1 << kDigitBits; ++d) place[d + 1] += place[d];
    for (int64_t i = 0; i < count; ++i) other[place[digit(order[i])]++] = order[i];
    std::copy(other, other + count, order);
  }
}

}  // namespace puna
