#include "ops/add_by_id.h"

#include <algorithm>

#include "ops/sort_by_id.h"

namespace puna {
namespace {

constexpr int64_t kTileEntries = 4096;

}  // namespace

void add_by_id(Inference& rec, const RowSums& s) {
  int32_t *const order = rec.take<int32_t>(s.count), *const source = rec.take<int32_t>(s.count);
  float* const weight = rec.take<float>(s.count);
  rec.stage(1, [&](int64_t) { sort_by_id(order, source, s.ids, s.count, s.max_id); });
  rec.stage((s.count + kTileEntries - 1) / kTileEntries, [&](int64_t tile) {
    for (int64_t i = tile * kTileEntries, end = std::min(s.count, i + kTileEntries); i < end; ++i) {
      source[i] = int32_t(order[i] / s.entries_per_source);
      weight[i] = s.weights[order[i]];
    }
  });
  const auto id = [&](int64_t i) { return s.ids[order[i]]; };
  rec.stage(
      (s.count + kTileEntries - 1) / kTileEntries,
      [&](int64_t tile) {  // the ids whose first entry lies in the tile
        int64_t i = tile * kTileEntries;
        const int64_t end = std::min(s.count, i + kTileEntries);
        while (i < end && i > 0 && id(i) == id(i - 1)) ++i;
        while (i < end) {
          int64_t last = i + 1;
          while (last < s.count && id(last) == id(i)) ++last;
          const TableRows from{
              .table = s.sources.f32(), .row = s.sources.strides[0], .ids = source + i, .count = last - i, .n = s.D};
          rec.kernels().gather_add(s.table + int64_t(id(i)) * s.table_row, from, weight + i);
          i = last;
        }
      });
}

}  // namespace puna
