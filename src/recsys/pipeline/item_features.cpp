#include "puna/recsys/item_features.h"

#include <algorithm>

#include "puna/base/error.h"
#include "recsys/ranking/rows.h"

namespace puna::recsys {
namespace {

// Whatever their surface, with numbers or without.
void check(const RankerConfig& config, Examples e) {
  const size_t n = e.count > 0 ? size_t(e.count) : 0;
  const std::vector<int32_t> surfaces(n);
  const std::vector<float> zeros(e.numbers ? 0 : n * config.numbers.size());
  e.surfaces = surfaces.data();
  if (!e.numbers) e.numbers = zeros.data();
  (void)RankerRows(config, e);
}

}  // namespace

ItemFeatures::ItemFeatures(const RankerConfig& config, const Examples& items) : config_(config), count_(items.count) {
  check(config, items);
  if (count_ == 0) return;
  const size_t n = size_t(count_), F = config.features.size();
  starts_.assign(items.starts, items.starts + n * F + 1);
  ids_.assign(items.ids, items.ids + starts_.back());
  numbers_.resize(n * config.numbers.size());
  if (items.numbers) std::copy_n(items.numbers, numbers_.size(), numbers_.data());
}

std::span<const int64_t> ItemFeatures::ids(int64_t item, size_t feature) const noexcept {
  const size_t at = size_t(item) * config_.features.size() + feature;
  return std::span(ids_).subspan(size_t(starts_[at]), size_t(starts_[at + 1] - starts_[at]));
}

void ItemFeatures::describe(int32_t surface, const Examples& request, std::span<const Hit> candidates,
                            ExampleSet& to) const {
  PUNA_REQUIRE(request.count == 0 || request.count == 1,
               "%jd examples say what is known of a request, expected 1 or none", request.count);
  check(config_, request);
  const size_t F = config_.features.size(), N = config_.numbers.size();
  std::vector<std::span<const int64_t>> ids(F);
  std::vector<std::vector<int64_t>> both(F);  // where each says something
  std::vector<float> numbers(N);
  for (const Hit& h : candidates) {
    PUNA_REQUIRE(h.item >= 0 && h.item < count_, "candidate %jd is none of the catalogue's %jd items", h.item, count_);
    for (size_t f = 0; f < F; ++f) {
      ids[f] = this->ids(h.item, f);
      if (request.count == 0 || request.starts[f] == request.starts[f + 1]) continue;
      both[f].assign(request.ids + request.starts[f], request.ids + request.starts[f + 1]);
      both[f].insert(both[f].end(), ids[f].begin(), ids[f].end());
      ids[f] = both[f];
    }
    for (size_t i = 0; i < N; ++i)
      numbers[i] =
          numbers_[size_t(h.item) * N + i] + (request.count == 1 && request.numbers ? request.numbers[i] : 0.0f);
    to.add(surface, ids, numbers);
  }
}

}  // namespace puna::recsys
