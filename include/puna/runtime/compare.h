// compare.h -- how a change to a model's weights (quantisation) changes its predictions, and which columns matter most.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "puna/runtime/session.h"

namespace puna {

// Of the next token's distribution after each token of a text, in nats: sum p log(p / q), p the source's, q the
// other's.
struct Divergence {
  double source_nll = 0, other_nll = 0;  // mean of -log p(next token)
  double mean = 0;
  double median = 0;
  double high = 0;  // the 99th percentile
  double largest = 0;
  double same_best = 0;  // share of tokens where both find the same token most likely
  int64_t tokens = 0;
};
using OnProgress = FunctionRef<bool(int64_t done, int64_t total)>;  // false: Error{cancelled}

// Disjoint windows, an incomplete last one dropped, the last token of each not compared. Error{invalid_argument} when
// the vocabularies differ or the text does not fill one window.
Divergence compare_models(const ModelPtr& source, const ModelPtr& other, std::span<const int32_t> tokens,
                          int64_t window, OnProgress progress = {});

// For each matrix (by the address of its panels) the mean square of what its columns are multiplied by, over a text:
// [cols].
using Importance = std::unordered_map<const std::byte*, std::vector<float>>;
std::shared_ptr<const Importance> measure_importance(const ModelPtr& model, std::span<const int32_t> tokens,
                                                     int64_t window, OnProgress progress = {});

}  // namespace puna
