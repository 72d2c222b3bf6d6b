#include "kernels/panel.h"

#include <cstring>

namespace puna {
namespace {

struct Field {
  int offset, bytes, unit;
};
struct Layout {
  Field field[4];
  int count;
};

// The fields of each block format in file order (unpack.inl.h says what they mean).
constexpr Layout layout_of(DType t) {
  switch (t) {
    case DType::f32: return {{{0, 4, 4}}, 1};
    case DType::f16:
    case DType::bf16: return {{{0, 2, 2}}, 1};
    case DType::q4_0:
    case DType::iq4_nl: return {{{0, 2, 2}, {2, 16, 4}}, 2};
    case DType::q4_1: return {{{0, 2, 2}, {2, 2, 2}, {4, 16, 4}}, 3};
    case DType::q5_0: return {{{0, 2, 2}, {2, 4, 4}, {6, 16, 4}}, 3};
    case DType::q5_1: return {{{0, 2, 2}, {2, 2, 2}, {4, 4, 4}, {8, 16, 4}}, 4};
    case DType::q8_0: return {{{0, 2, 2}, {2, 32, 4}}, 2};
    case DType::q2_k: return {{{0, 16, 1}, {16, 64, 4}, {80, 2, 2}, {82, 2, 2}}, 4};
    case DType::q3_k: return {{{0, 96, 4}, {96, 12, 1}, {108, 2, 2}}, 3};
    case DType::q4_k: return {{{0, 2, 2}, {2, 2, 2}, {4, 12, 1}, {16, 128, 4}}, 4};
    case DType::q5_k: return {{{0, 2, 2}, {2, 2, 2}, {4, 12, 1}, {16, 160, 4}}, 4};
    case DType::q6_k: return {{{0, 192, 4}, {192, 16, 1}, {208, 2, 2}}, 3};
    case DType::iq4_xs: return {{{0, 2, 2}, {2, 2, 2}, {4, 4, 1}, {8, 128, 4}}, 4};
    default: return {{}, 0};
  }
}

// f(offset in the row's block, offset in the panel block of lane 0, unit) for every unit of a block.
template <class F>
void each_unit(const Layout& layout, F&& f) {
  for (int i = 0; i < layout.count; ++i) {
    const Field& field = layout.field[i];
    for (int at = field.offset; at < field.offset + field.bytes; at += field.unit) f(at, at * kTileRows, field.unit);
  }
}

// A switch, so that each copy is one move.
inline void copy_unit(uint8_t* to, const uint8_t* from, int unit) {
  if (unit == 4) memcpy(to, from, 4);
  else if (unit == 2) memcpy(to, from, 2);
  else *to = *from;
}

}  // namespace

void pack_panel(uint8_t* panel, DType dtype, const uint8_t* row0, int64_t row_stride, int64_t col_stride, int rows, int64_t K) noexcept {
  const DTypeInfo& type = info(dtype);
  const Layout layout = layout_of(dtype);
  const int64_t step = col_stride != 0 ? col_stride : type.bytes;
  if (rows < kTileRows) memset(panel, 0, size_t(panel_bytes(dtype, K)));
  for (int64_t block = 0; block < K / type.block; ++block, panel += kTileRows * type.bytes, row0 += step)
    each_unit(layout, [&](int in_row, int in_panel, int unit) {
      for (int r = 0; r < rows; ++r) copy_unit(panel + in_panel + r * unit, row0 + r * row_stride + in_row, unit);
    });
}

void unpack_row(uint8_t* row, DType dtype, const uint8_t* panel, int lane, int64_t K) noexcept {
  const DTypeInfo& type = info(dtype);
  const Layout layout = layout_of(dtype);
  for (int64_t block = 0; block < K / type.block; ++block, panel += kTileRows * type.bytes, row += type.bytes)
    each_unit(layout, [&](int in_row, int in_panel, int unit) { copy_unit(row + in_row, panel + in_panel + lane * unit, unit); });
}

}  // namespace puna
