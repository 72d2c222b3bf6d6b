// item_rows.h -- the vectors that the seeds of item graphs belong to.
#pragma once
#include "puna/recsys/neighbours.h"
#include "tiny_model.h"

namespace puna::test {

inline constexpr int64_t kItemDim = 4, kGraphItems = 40;

inline std::vector<float> item_rows() {
  std::vector<float> rows;
  for (int64_t i = 0; i < kGraphItems * kItemDim; ++i) rows.push_back(float(i * 37 % 101) / 50 - 1);
  return rows;
}

}  // namespace puna::test
