// codes.h -- a vector as 8-bit codes and one scale: value = scale * code, to the nearest.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

#include "puna/base/error.h"

namespace puna::recsys {

inline constexpr int64_t kMostDim = 512;  // integer sums stay below 2^23: a float has them to half a unit

// How many rows of `dim` these values are. Error{invalid_argument}.
inline int64_t rows_of(std::span<const float> rows, int64_t dim) {
  PUNA_REQUIRE(dim >= 1 && dim <= kMostDim, "dim is %jd, expected 1 to %jd", dim, kMostDim);
  PUNA_REQUIRE(!rows.empty() && rows.size() % size_t(dim) == 0, "%zu values are no rows of %jd", rows.size(), dim);
  const int64_t count = int64_t(rows.size()) / dim;
  PUNA_REQUIRE(count < int64_t(1) << 31, "%jd items, expected fewer than 2^31", count);
  return count;
}

inline int64_t queries_of(std::span<const float> queries, int64_t dim, int64_t k) {
  PUNA_REQUIRE(k >= 1, "k is %jd, expected at least 1", k);
  PUNA_REQUIRE(queries.size() % size_t(dim) == 0, "%zu values are no queries of %jd", queries.size(), dim);
  return int64_t(queries.size()) / dim;
}

// The largest absolute value; `what` and `row` are for the message.
inline float largest_of(const float* x, int64_t n, const char* what, int64_t row) {
  float most = 0;
  for (int64_t i = 0; i < n; ++i) {
    PUNA_REQUIRE(std::isfinite(x[i]), "%s %jd: value %jd is not finite", what, row, i);
    most = std::max(most, std::fabs(x[i]));
  }
  return most;
}

// Returns the scale; a row of zeros (or of denormals) has scale 0.
inline float encode(int8_t* code, const float* x, int64_t n, float largest) {
  const float scale = largest / 127.0f, inverse = scale > 1e-37f ? 127.0f / largest : 0.0f;
  for (int64_t i = 0; i < n; ++i) code[i] = int8_t(std::lrintf(x[i] * inverse));
  return inverse > 0 ? scale : 0.0f;
}

}  // namespace puna::recsys
