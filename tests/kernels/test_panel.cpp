// Panels are a lossless permutation: what was packed comes out again, rows that are not there are zero, [in,out]
// storage is transposed.
#include "kernels/cases.h"
#include "kernels/dequantise.h"
#include "kernels/guarded.h"
#include "kernels/panel.h"
#include "ref/compare.h"
#include "ref/random.h"
#include "support/catch.h"

using namespace puna;
using namespace puna::test;

namespace {

Guarded<uint8_t> random_bytes(size_t n, uint64_t seed) {
  ref::Random random(seed);
  std::vector<uint8_t> bytes(n);
  for (uint8_t& b : bytes) b = uint8_t(random.bits());
  return Guarded<uint8_t>(bytes);
}

}  // namespace

TEST_CASE("a panel gives back the bytes of its rows, for every format", "[kernels]") {
  for (int d = 0; d < kDTypeCount; ++d) {
    const DType dtype = DType(d);
    if (!is_weight(dtype)) continue;
    const int64_t n = 512, stride = int64_t(bytes_of(info(dtype), uint64_t(n)));
    for (const int rows : {1, 5, 16}) {
      CAPTURE(name(dtype), rows);
      const Guarded<uint8_t> bytes = random_bytes(size_t(rows * stride), uint64_t(d));
      const Guarded<uint8_t> panel(size_t(panel_bytes(dtype, n)));
      for (size_t i = 0; i < panel.size(); ++i) panel[i] = 0xAA;
      pack_panel(panel.data(), dtype, bytes.data(), stride, 0, rows, n);
      const Guarded<uint8_t> row{size_t(stride)};
      for (int r = 0; r < kTileRows; ++r) {
        unpack_row(row.data(), dtype, panel.data(), r, n);
        int wrong = 0;
        for (int64_t i = 0; i < stride; ++i) wrong += row[size_t(i)] != (r < rows ? bytes[size_t(r * stride + i)] : 0);
        CAPTURE(r);
        CHECK(wrong == 0);
      }
    }
  }
}

TEST_CASE("a tile holds its rows' columns on every ISA, from the middle of a panel too", "[kernels]") {
  on_every_isa([](const KernelTable& k) {
    for (int d = 0; d < kDTypeCount; ++d) {
      const DType dtype = DType(d);
      if (!is_weight(dtype)) continue;
      const int64_t n = 512, stride = int64_t(bytes_of(info(dtype), uint64_t(n))), k0 = 224, count = 288;
      const int rows = 11;
      CAPTURE(name(dtype));
      const Guarded<uint8_t> bytes = random_bytes(size_t(rows * stride), uint64_t(d) + 50);
      const Guarded<uint8_t> panel(size_t(panel_bytes(dtype, n)));
      pack_panel(panel.data(), dtype, bytes.data(), stride, 0, rows, n);
      const Guarded<float> tile(size_t(count * kTileRows));
      k.tile_f(tile.data(), dtype, panel.data(), k0, count);
      std::vector<float> want(tile.size(), 0.0f), row(static_cast<size_t>(n)), lane(row);
      for (int r = 0; r < rows; ++r) {
        dequantise_row(k, row.data(), dtype, bytes.data() + r * stride, n);
        dequantise_lane(k, lane.data(), dtype, panel.data(), r, n);
        CHECK(ref::differing(row, lane) == 0);
        for (int64_t i = 0; i < count; ++i) want[size_t(i * kTileRows + r)] = row[size_t(k0 + i)];
      }
      for (int r = rows; r < kTileRows; ++r)
        for (int64_t i = 0; i < count; ++i) {
          CHECK(tile[size_t(i * kTileRows + r)] == 0.0f);
          want[size_t(i * kTileRows + r)] = tile[size_t(i * kTileRows + r)];  // either sign: 0 * (q - offset)
        }
      CHECK(ref::differing(tile, want) == 0);
    }
  });
}

TEST_CASE("weights stored [in,out] are packed through their column stride", "[kernels]") {
  const int64_t inputs = 33, outputs = 24;
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16}) {
    const int64_t element = info(dtype).bytes;
    const Guarded<uint8_t> w = random_bytes(size_t(inputs * outputs * element), 131);  // w[i][o]
    std::vector<uint8_t> transposed(w.size());                                         // [o][i]
    for (int64_t o = 0; o < outputs; ++o)
      for (int64_t i = 0; i < inputs; ++i)
        memcpy(&transposed[size_t((o * inputs + i) * element)], w.data() + (i * outputs + o) * element,
               size_t(element));
    for (const int64_t first : {0, 16}) {
      const int rows = int(std::min<int64_t>(kTileRows, outputs - first));
      std::vector<uint8_t> a(size_t(panel_bytes(dtype, inputs))), b(a.size());
      pack_panel(a.data(), dtype, w.data() + first * element, element, outputs * element, rows, inputs);
      pack_panel(b.data(), dtype, transposed.data() + first * inputs * element, inputs * element, 0, rows, inputs);
      CHECK(a == b);
    }
  }
}
