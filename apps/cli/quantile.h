// quantile.h -- the value below which a share of the others lie; the nearest one that was measured.
#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

namespace puna::cli {

// Orders `values` partly. 0 when there are none.
inline double quantile(std::vector<double>& values, double q) {
  if (values.empty()) return 0;
  const auto at = std::ptrdiff_t(q * double(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[size_t(at)];
}

}  // namespace puna::cli
