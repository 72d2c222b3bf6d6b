// item_features.h -- the features of each item, stored once: the features of a candidate are those of its item and
// those of the request.
#pragma once
#include "puna/recsys/examples.h"
#include "puna/recsys/search.h"

namespace puna::recsys {

// Immutable; any number of threads may describe by it.
class ItemFeatures {
 public:
  // Copies example i as item i; surfaces are not looked at, numbers may be NULL (all 0). Error{invalid_argument} naming
  // the item ("example 7") and the feature.
  ItemFeatures(const RankerConfig& config, const Examples& items);

  // One example a candidate, on this surface: of each feature the request's ids, then the item's; numbers are added.
  // `request` is one example (who asks, when) or none, and again without a surface, with numbers or without.
  // Error{invalid_argument} naming the request's feature or the candidate's item.
  void describe(int32_t surface, const Examples& request, std::span<const Hit> candidates, ExampleSet& to) const;
  int64_t count() const noexcept { return count_; }

 private:
  std::span<const int64_t> ids(int64_t item, size_t feature) const noexcept;

  RankerConfig config_;
  int64_t count_;
  std::vector<int64_t> starts_, ids_;
  std::vector<float> numbers_;
};

}  // namespace puna::recsys
