// shuffled.cpp -- the order of an epoch.
#include <numeric>

#include "puna/base/philox.h"
#include "puna/train/data.h"

namespace puna::train {

std::vector<int64_t> shuffled(int64_t count, uint64_t seed, int64_t epoch) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), int64_t(0));
  for (int64_t i = count - 1; i > 0; --i) {  // Fisher and Yates; 64 bits modulo i + 1 is even enough
    const Philox bits = philox(seed, uint64_t(i), uint64_t(epoch));
    std::swap(order[size_t(i)], order[size_t((uint64_t(bits.word[0]) << 32 | bits.word[1]) % uint64_t(i + 1))]);
  }
  return order;
}

}  // namespace puna::train
