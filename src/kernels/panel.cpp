#include "kernels/panel.h"

#include <cstring>

namespace puna {
namespace {

struct Field {
  int offset, bytes, unit;
};
struct Layout {
  Field field[5];
  int count;
};

// The fields of each block format in panel order (formats.inl.h says what they mean).
constexpr Layout layout_of(DType t) {
  switch (t) {
    case DType::f32: return {{{0, 4, 4}}, 1};
    case DType::f16:
    case DType::bf16: return {{{0, 2, 2}}, 1};
    case DType::q4_0:
    case DType::iq4_nl: return {{{0, 2, 2}, {2, 16, 4}}, 2};
    case DType::mxfp4: return {{{0, 1, 1}, {1, 16, 4}}, 2};
    case DType::q4_1: return {{{0, 2, 2}, {2, 2, 2}, {4, 16, 4}}, 3};
    case DType::q5_0: return {{{0, 2, 2}, {2, 4, 4}, {6, 16, 4}}, 3};
    case DType::q5_1: return {{{0, 2, 2}, {2, 2, 2}, {4, 4, 4}, {8, 16, 4}}, 4};
    case DType::q8_0: return {{{0, 2, 2}, {2, 32, 4}}, 2};
    case DType::q2_k: return {{{0, 16, 1}, {16, 64, 4}, {80, 2, 2}, {82, 2, 2}}, 4};
    case DType::q3_k: return {{{0, 96, 4}, {96, 12, 1}, {108, 2, 2}}, 3};
    case DType::q4_k: return {{{0, 2, 2}, {2, 2, 2}, {4, 12, 1}, {16, 128, 4}}, 4};
    case DType::q5_k: return {{{0, 2, 2}, {2, 2, 2}, {4, 12, 1}, {16, 160, 4}}, 4};
    case DType::q6_k: return {{{0, 16, 1}, {16, 2, 2}, {18, 192, 4}}, 3};
    case DType::iq4_xs: return {{{0, 2, 2}, {2, 2, 2}, {4, 4, 1}, {8, 128, 4}}, 4};
    case DType::iq2_xxs: return {{{0, 2, 2}, {2, 64, 4}}, 2};
    case DType::iq2_xs: return {{{0, 2, 2}, {2, 64, 4}, {66, 8, 1}}, 3};
    case DType::iq2_s: return {{{0, 2, 2}, {2, 64, 4}, {66, 16, 1}}, 3};
    case DType::iq3_xxs: return {{{0, 2, 2}, {2, 96, 4}}, 2};
    case DType::iq3_s: return {{{0, 2, 2}, {2, 64, 4}, {66, 8, 1}, {74, 32, 4}, {106, 4, 1}}, 5};
    case DType::iq1_s: return {{{0, 2, 2}, {2, 32, 4}, {34, 16, 2}}, 3};
    case DType::iq1_m: return {{{0, 32, 4}, {32, 24, 2}}, 2};
    case DType::tq1_0: return {{{0, 52, 4}, {52, 2, 2}}, 2};
    case DType::tq2_0: return {{{0, 64, 4}, {64, 2, 2}}, 2};
    case DType::u4_scaled: return {{{0, 4, 4}, {4, 1, 1}, {5, 16, 4}}, 3};
    case DType::e4m3_scaled: return {{{0, 4, 4}, {4, 32, 1}}, 2};
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
  if (unit == 4)
    memcpy(to, from, 4);
  else if (unit == 2)
    memcpy(to, from, 2);
  else
    *to = *from;
}

// ---- blocks whose groups are put together ----

constexpr int kMostBlockBytes = 256, kGroups = 8;

// Where the file has what a panel puts in other places.
struct Scattered {
  int head, head_bytes;      // scales
  int low, high, high_bits;  // of quants: four bits and the rest
};
constexpr Scattered scattered(DType t) {
  switch (t) {
    case DType::q4_k: return {0, 16, 16, 0, 0};
    case DType::q5_k: return {0, 16, 48, 16, 1};
    case DType::q6_k: return {192, 18, 0, 128, 2};
    default: return {};
  }
}

// Where column 0 of group g has its bits in the file's block; column k has them k bytes on.
struct Place {
  int low, low_shift, high, high_shift;
};
constexpr Place place_of(const Scattered& s, int g) {
  if (s.high_bits == 2)
    return {s.low + 64 * (g / 4) + 32 * (g % 2), 4 * (g % 4 / 2), s.high + 32 * (g / 4), 2 * (g % 4)};
  return {s.low + 32 * (g / 2), 4 * (g % 2), s.high, g};
}

// `mask` of each of four bytes from p, from bit `shift` of the byte on.
inline uint32_t take(const uint8_t* p, int shift, uint32_t mask) {
  uint32_t four;
  memcpy(&four, p, 4);
  return four >> shift & mask * 0x01010101u;
}

// Adds four bytes' bits to those at p.
inline void add(uint8_t* p, uint32_t bits) {
  uint32_t four;
  memcpy(&four, p, 4);
  four |= bits;
  memcpy(p, &four, 4);
}

// The file's block with its groups put together: the head; for each group 16 bytes, column c in the low bits of byte c,
// column 16 + c above them; then words of upper bits, each for 32 / high_bits columns 4 i + c: those at bit high_bits i
// of byte c.
void put_together(uint8_t* to, const uint8_t* from, const Scattered& s, int block_bytes) {
  memcpy(to, from + s.head, size_t(s.head_bytes));
  memset(to + s.head_bytes, 0, size_t(block_bytes - s.head_bytes));
  to += s.head_bytes;
  const uint32_t high_mask = (1u << s.high_bits) - 1;
  for (int g = 0; g < kGroups; ++g, to += 16 + 4 * s.high_bits) {
    const Place p = place_of(s, g);
    for (int k = 0; k < kGroup; k += 4) add(to + k % 16, take(from + p.low + k, p.low_shift, 15) << 4 * (k / 16));
    for (int k = 0, i = 0; s.high_bits > 0 && k < kGroup; k += 4, i += s.high_bits)
      add(to + 16 + 4 * (i / 8), take(from + p.high + k, p.high_shift, high_mask) << i % 8);
  }
}

void put_back(uint8_t* to, const uint8_t* from, const Scattered& s, int block_bytes) {
  memset(to, 0, size_t(block_bytes));
  memcpy(to + s.head, from, size_t(s.head_bytes));
  from += s.head_bytes;
  const uint32_t high_mask = (1u << s.high_bits) - 1;
  for (int g = 0; g < kGroups; ++g, from += 16 + 4 * s.high_bits) {
    const Place p = place_of(s, g);
    for (int k = 0; k < kGroup; k += 4) add(to + p.low + k, take(from + k % 16, 4 * (k / 16), 15) << p.low_shift);
    for (int k = 0, i = 0; s.high_bits > 0 && k < kGroup; k += 4, i += s.high_bits)
      add(to + p.high + k, take(from + 16 + 4 * (i / 8), i % 8, high_mask) << p.high_shift);
  }
}

}  // namespace

void pack_panel(uint8_t* panel, DType dtype, const uint8_t* row0, int64_t row_stride, int64_t col_stride, int rows,
                int64_t K) noexcept {
  const DTypeInfo& type = info(dtype);
  const Layout layout = layout_of(dtype);
  const Scattered s = scattered(dtype);
  const int64_t step = col_stride != 0 ? col_stride : type.bytes;
  if (rows < kTileRows) memset(panel, 0, size_t(panel_bytes(dtype, K)));
  for (int64_t block = 0; block < K / type.block; ++block, panel += kTileRows * type.bytes, row0 += step) {
    uint8_t together[kTileRows][kMostBlockBytes];
    const uint8_t* from = row0;
    int64_t stride = row_stride;
    if (s.head_bytes > 0) {
      for (int r = 0; r < rows; ++r) put_together(together[r], row0 + r * row_stride, s, type.bytes);
      from = together[0];
      stride = kMostBlockBytes;
    }
    each_unit(layout, [&](int in_row, int in_panel, int unit) {
      for (int r = 0; r < rows; ++r) copy_unit(panel + in_panel + r * unit, from + r * stride + in_row, unit);
    });
  }
}

void unpack_row(uint8_t* row, DType dtype, const uint8_t* panel, int lane, int64_t K) noexcept {
  const DTypeInfo& type = info(dtype);
  const Layout layout = layout_of(dtype);
  const Scattered s = scattered(dtype);
  for (int64_t block = 0; block < K / type.block; ++block, panel += kTileRows * type.bytes, row += type.bytes) {
    uint8_t together[kMostBlockBytes];
    uint8_t* const to = s.head_bytes > 0 ? together : row;
    each_unit(layout, [&](int in_row, int in_panel, int unit) {
      copy_unit(to + in_row, panel + in_panel + lane * unit, unit);
    });
    if (s.head_bytes > 0) put_back(row, together, s, type.bytes);
  }
}

}  // namespace puna
