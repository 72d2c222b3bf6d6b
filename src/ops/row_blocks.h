// row_blocks.h -- a stage over rows that are too small for a tile each: tiles of a fixed number of rows.
#pragma once
#include <algorithm>

#include "ops/inference.h"

namespace puna {

inline constexpr int64_t kRowBlock = 32;

template <class Fn>
void for_rows(Inference& rec, int64_t rows, Fn&& fn) {
  rec.stage((rows + kRowBlock - 1) / kRowBlock, [&](int64_t tile) {
    for (int64_t t = tile * kRowBlock, end = std::min(rows, t + kRowBlock); t < end; ++t) fn(t);
  });
}

}  // namespace puna
