// clusters.h -- scores summed over the items that belong together.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace puna::eval {

struct Clusters {
  Clusters(std::span<const double> scores, std::span<const int64_t> clusters);  // empty: every item its own
  std::vector<double> sums;
  std::vector<int64_t> sizes;
};

// The power of two of the largest value, 0 where all are 0. Squares of what is divided by it neither overflow nor
// vanish, and the division is exact.
int scale_of(std::span<const double> values) noexcept;

}  // namespace puna::eval
