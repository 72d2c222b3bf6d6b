// value.h -- the value of showing an item, from its predicted outcomes:
//   value = sum over tasks of a[surface,task] p_task ^ b[task]
// The product's priorities: a like may weigh more in a feed than among short films, and a skip
// counts against (a below 0).
#pragma once
#include "puna/recsys/ranker_config.h"

namespace puna::recsys {

struct ValueFormula {
  std::vector<double> weights;    // a [surfaces][tasks]
  std::vector<double> exponents;  // b [tasks], above 0

  // 1 and 1 for each task of a configuration.
  static ValueFormula of(const RankerConfig& config);
  double operator()(size_t surface, const float* probabilities) const noexcept;
};

// Error{invalid_argument} naming the surface and the task.
void check(const ValueFormula& formula, const RankerConfig& config);

}  // namespace puna::recsys
