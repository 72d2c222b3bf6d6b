// look_up.h -- rows of a table for the tokens of a batch, as a stage with its gradient.
#pragma once
#include <algorithm>
#include <cstring>

#include "model/forward.h"
#include "ops/linear.h"

namespace puna {

// x[t] = scale * table[row_of(row t)]; where that is negative, the row's own embedding.
template <class Rec, class RowOf>
void look_up(Rec& rec, View x, const Weight& table, float scale, const Batch& b, RowOf row_of) {
  rec.stage(x.dims[0], [&](int64_t t) {
    const BatchRow& row = b.rows[size_t(t)];
    const int64_t id = row_of(row);
    if (id < 0) {
      memcpy(x.row(t), row.embedding, size_t(x.dims[1]) * 4);
      return;
    }
    weight_row(rec.kernels(), x.row(t), table, id);
    if (scale != 1) rec.kernels().scale(x.row(t), x.row(t), scale, x.dims[1]);
  });
  if constexpr (Rec::records)
    rec.on_backward([&rec, &table, &b, x, scale, row_of] {
      float* const gradient = rec.parameter_gradient(table.panels);
      if (!gradient) return;
      constexpr int64_t kColumns = 32;  // a tile: all rows in ascending order
      const View dx = rec.gradient(x);
      rec.stage((table.cols + kColumns - 1) / kColumns, [&](int64_t tile) {
        for (int64_t t = 0; t < dx.dims[0]; ++t) {
          const int64_t id = row_of(b.rows[size_t(t)]);
          if (id < 0) continue;
          float* const to = gradient + id / kTileRows * kTileRows * table.cols + id % kTileRows;
          for (int64_t d = tile * kColumns; d < std::min(table.cols, (tile + 1) * kColumns); ++d)
            to[d * kTileRows] += scale * dx.row(t)[d];
        }
      });
    });
}

}  // namespace puna
