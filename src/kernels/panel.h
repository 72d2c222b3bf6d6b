// panel.h -- how 16 rows of weights lie in memory for the kernels: a panel, a lossless permutation of the file's bits,
// the same for every ISA and on disk. A block of a format is a few fields (scales, bits); in a panel block each field
// of the 16 rows is interleaved in units of 1, 2 or 4 bytes, so that one vector load brings the same unit of 16 rows, a
// lane each.
//   panel = for each block along k, for each field, for each unit: row 0's unit, row 1's unit, ... row 15's
// Plain types are blocks of one value. Rows past the end are zero. Q4_K, Q5_K and Q6_K spread the bits of a value over
// their block: they are put together group by group (32 columns) first, the scales before them, so that kernels read
// one stream and load nothing twice. Packing moves bits; nothing is rounded.
#pragma once
#include <stdint.h>

#include "kernels/kernel_table.h"
#include "puna/tensor/tensor.h"

namespace puna {

// Bytes of one panel of K columns (K a multiple of the format's block).
inline int64_t panel_bytes(DType dtype, int64_t K) noexcept {
  const DTypeInfo& t = info(dtype);
  return K / t.block * t.bytes * kTileRows;
}

// Bytes of all panels of a matrix.
inline int64_t packed_bytes(const Weight& w) noexcept { return (w.rows + kTileRows - 1) / kTileRows * w.panel_bytes; }

// Interleaves `rows` (<= 16) rows into a panel. Row r starts at row0 + r * row_stride; col_stride (bytes) != 0 reads
// f32, f16, bf16 stored [in,out].
void pack_panel(uint8_t* panel, DType dtype, const uint8_t* row0, int64_t row_stride, int64_t col_stride, int rows,
                int64_t K) noexcept;
// The file's bytes of one row, back out of its panel.
void unpack_row(uint8_t* row, DType dtype, const uint8_t* panel, int lane, int64_t K) noexcept;

}  // namespace puna
