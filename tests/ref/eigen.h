// eigen.h -- Eigen as the oracle: a library that shares no line with ours, in double. For the few files that need it:
// it takes seconds to compile.
#pragma once
#include <Eigen/Core>
#include <cstdint>
#include <span>
#include <vector>

namespace puna::ref {

using Doubles = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// [rows][cols] of floats, widened.
inline Doubles wide(std::span<const float> values, int64_t cols) {
  using Floats = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  return Eigen::Map<const Floats>(values.data(), int64_t(values.size()) / cols, cols).cast<double>();
}

// Row by row.
template <class Expression>
std::vector<double> values_of(const Expression& expression) {
  const Doubles m = expression;
  return {m.data(), m.data() + m.size()};
}

}  // namespace puna::ref
