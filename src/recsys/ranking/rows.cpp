#include "recsys/ranking/rows.h"

#include <cmath>

#include "puna/base/error.h"

namespace puna::recsys {
namespace {

constexpr int64_t kMostEntries = int64_t(1) << 31;  // of a batch

// A row of `rows` for any id: mixed by splitmix64's finaliser (Stafford's variant 13), then scaled down.
int64_t hashed_row(uint64_t id, uint64_t feature, int64_t rows) noexcept {
  uint64_t x = id + (feature + 1) * 0x9E3779B97F4A7C15u;
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
  x = (x ^ x >> 27) * 0x94D049BB133111EBu;
  return int64_t(((x ^ x >> 31) >> 32) * uint64_t(rows) >> 32);
}

}  // namespace

RankerRows::RankerRows(const RankerConfig& c, const Examples& e)
    : count_(e.count), features_(1 + int64_t(c.features.size())) {
  const int64_t F = features_ - 1;
  PUNA_REQUIRE(e.count >= 0 && e.count <= kMostEntries, "%lld examples", static_cast<long long>(e.count));
  PUNA_REQUIRE(e.count == 0 || (e.surfaces && e.starts), "the examples have no surfaces or no starts");
  PUNA_REQUIRE(e.count == 0 || (e.starts[0] == 0 && (e.ids || e.starts[e.count * F] == 0)),
               "the examples' starts do not begin at 0, or there are no ids");
  PUNA_REQUIRE(e.count == 0 || c.numbers.empty() || e.numbers, "the examples have no numbers, expected %zu each",
               c.numbers.size());
  for (int64_t i = 0; i < e.count * F;
       ++i)  // all of them before any id is looked at: a start may lie beyond the last one
    PUNA_REQUIRE(e.starts[i] <= e.starts[i + 1] && e.starts[i + 1] <= kMostEntries,
                 "example %lld, feature '%s': ids from %lld to %lld", static_cast<long long>(i / F),
                 c.features[size_t(i % F)].name.c_str(), static_cast<long long>(e.starts[i]),
                 static_cast<long long>(e.starts[i + 1]));
  starts_.reserve(size_t(e.count * features_ + 1));
  for (int64_t i = 0; i < e.count; ++i) {
    PUNA_REQUIRE(e.surfaces[i] >= 0 && size_t(e.surfaces[i]) < c.surfaces.size(),
                 "example %lld: surface %d, expected 0 to %zu", static_cast<long long>(i), e.surfaces[i],
                 c.surfaces.size() - 1);
    starts_.push_back(int64_t(rows_.size()));
    rows_.push_back(e.surfaces[i]);
    int64_t offset = int64_t(c.surfaces.size());
    for (int64_t f = 0; f < F; offset += c.features[size_t(f++)].rows) {
      const Feature& feature = c.features[size_t(f)];
      starts_.push_back(int64_t(rows_.size()));
      for (int64_t j = e.starts[i * F + f]; j < e.starts[i * F + f + 1]; ++j) {
        PUNA_REQUIRE(feature.hashed || (e.ids[j] >= 0 && e.ids[j] < feature.rows),
                     "example %lld, feature '%s': id %lld, expected 0 to %lld", static_cast<long long>(i),
                     feature.name.c_str(), static_cast<long long>(e.ids[j]), static_cast<long long>(feature.rows - 1));
        rows_.push_back(
            int32_t(offset + (feature.hashed ? hashed_row(uint64_t(e.ids[j]), uint64_t(f), feature.rows) : e.ids[j])));
      }
    }
    for (size_t n = 0; n < c.numbers.size(); ++n) {
      const float given = e.numbers[size_t(i) * c.numbers.size() + n];
      PUNA_REQUIRE(std::isfinite(given), "example %lld: '%s' is not finite", static_cast<long long>(i),
                   c.numbers[n].name.c_str());
      PUNA_REQUIRE(std::isfinite(scaled(c.numbers[n], given)),
                   "example %lld: '%s' is %g, out of all proportion to its scale %g", static_cast<long long>(i),
                   c.numbers[n].name.c_str(), double(given), c.numbers[n].scale);
    }
  }
  starts_.push_back(int64_t(rows_.size()));
}

int64_t row_of(const RankerConfig& c, size_t feature, int64_t id) {
  PUNA_REQUIRE(feature < c.features.size(), "feature %zu of %zu", feature, c.features.size());
  const Feature& f = c.features[feature];
  PUNA_REQUIRE(f.hashed || (id >= 0 && id < f.rows), "feature '%s': id %lld, expected 0 to %lld", f.name.c_str(),
               static_cast<long long>(id), static_cast<long long>(f.rows - 1));
  int64_t offset = int64_t(c.surfaces.size());
  for (size_t i = 0; i < feature; ++i) offset += c.features[i].rows;
  return offset + (f.hashed ? hashed_row(uint64_t(id), uint64_t(feature), f.rows) : id);
}

}  // namespace puna::recsys
