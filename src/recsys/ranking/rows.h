// rows.h -- examples made ready for a pass: checked, their ids turned into rows of the table.
#pragma once
#include "puna/recsys/examples.h"
#include "puna/recsys/ranker_config.h"

namespace puna::recsys {

class RankerRows {
 public:
  // Error{invalid_argument} naming the example and the feature.
  RankerRows(const RankerConfig& config, const Examples& examples);

  int64_t count() const noexcept { return count_; }
  // Table rows of feature f of example i, feature 0 the surface.
  std::span<const int32_t> of(int64_t i, int64_t f) const noexcept {
    const auto first = size_t(starts_[size_t(i * features_ + f)]),
               last = size_t(starts_[size_t(i * features_ + f + 1)]);
    return std::span(rows_).subspan(first, last - first);
  }
  int64_t features() const noexcept { return features_; }
  int64_t entries() const noexcept { return int64_t(rows_.size()); }

 private:
  int64_t count_, features_;
  std::vector<int64_t> starts_;
  std::vector<int32_t> rows_;
};

// What the network is given of a number.
inline float scaled(const Number& n, float given) noexcept { return float((double(given) - n.mean) / n.scale); }

// The table's row of one id. Error{invalid_argument} naming the feature and the id.
int64_t row_of(const RankerConfig& config, size_t feature, int64_t id);

}  // namespace puna::recsys
