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
  PUNA_REQUIRE(e.count >= 0 && e.count <= kMostEntries, "%jd examples", e.count);
  PUNA_REQUIRE(e.count == 0 || (e.surfaces && e.starts), "the examples have no surfaces or no starts");
  PUNA_REQUIRE(e.count == 0 || (e.starts[0] == 0 && (e.ids || e.starts[e.count * F] == 0)),
               "the examples' starts do not begin at 0, or there are no ids");
  PUNA_REQUIRE(e.count == 0 || c.numbers.empty() || e.numbers, "the examples have no numbers, expected %zu each",
               c.numbers.size());
  for (int64_t i = 0; i < e.count * F;
       ++i)  // all of them before any id is looked at: a start may lie beyond the last one
    PUNA_REQUIRE(e.starts[i] <= e.starts[i + 1] && e.starts[i + 1] <= kMostEntries,
                 "example %jd, feature '%s': ids from %jd to %jd", i / F, c.features[size_t(i % F)].name.c_str(),
                 e.starts[i], e.starts[i + 1]);
  starts_.reserve(size_t(e.count * features_ + 1));
  for (int64_t i = 0; i < e.count; ++i) {
    PUNA_REQUIRE(e.surfaces[i] >= 0 && size_t(e.surfaces[i]) < c.surfaces.size(),
                 "example %jd: surface %d, expected 0 to %zu", i, e.surfaces[i], c.surfaces.size() - 1);
    starts_.push_back(int64_t(rows_.size()));
    rows_.push_back(e.surfaces[i]);
    int64_t offset = int64_t(c.surfaces.size());
    for (int64_t f = 0; f < F; offset += c.features[size_t(f++)].rows) {
      const Feature& feature = c.features[size_t(f)];
      starts_.push_back(int64_t(rows_.size()));
      for (int64_t j = e.starts[i * F + f]; j < e.starts[i * F + f + 1]; ++j) {
        PUNA_REQUIRE(feature.hashed || (e.ids[j] >= 0 && e.ids[j] < feature.rows),
                     "example %jd, feature '%s': id %jd, expected 0 to %jd", i, feature.name.c_str(), e.ids[j],
                     feature.rows - 1);
        rows_.push_back(
            int32_t(offset + (feature.hashed ? hashed_row(uint64_t(e.ids[j]), uint64_t(f), feature.rows) : e.ids[j])));
      }
    }
    for (size_t n = 0; n < c.numbers.size(); ++n) {
      const float given = e.numbers[size_t(i) * c.numbers.size() + n];
      PUNA_REQUIRE(std::isfinite(given), "example %jd: '%s' is not finite", i, c.numbers[n].name.c_str());
      PUNA_REQUIRE(std::isfinite(scaled(c.numbers[n], given)),
                   "example %jd: '%s' is %g, out of all proportion to its scale %g", i, c.numbers[n].name.c_str(),
                   double(given), c.numbers[n].scale);
    }
  }
  starts_.push_back(int64_t(rows_.size()));
}

int64_t row_of(const RankerConfig& c, size_t feature, int64_t id) {
  PUNA_REQUIRE(feature < c.features.size(), "feature %zu of %zu", feature, c.features.size());
  const Feature& f = c.features[feature];
  PUNA_REQUIRE(f.hashed || (id >= 0 && id < f.rows), "feature '%s': id %jd, expected 0 to %jd", f.name.c_str(), id,
               f.rows - 1);
  int64_t offset = int64_t(c.surfaces.size());
  for (size_t i = 0; i < feature; ++i) offset += c.features[i].rows;
  return offset + (f.hashed ? hashed_row(uint64_t(id), uint64_t(feature), f.rows) : id);
}

}  // namespace puna::recsys
