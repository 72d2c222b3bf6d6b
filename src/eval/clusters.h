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

}  // namespace puna::eval
