// Weight tiles at the edges: fewer than 16 rows, columns from the middle, [in,out] storage; nothing is read behind the last row.
#include "kernels/cases.h"
#include "kernels/guarded.h"
#include "ref/compare.h"
#include "ref/half.h"
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

TEST_CASE("an f32 tile holds its rows' columns, and zeros for rows that are not there", "[kernels]") {
  on_every_isa([](const KernelTable& k) {
    for (int d = 0; d < kDTypeCount; ++d) {
      const DType dtype = DType(d);
      if (!is_weight(dtype)) continue;
      const int64_t n = 512, stride = int64_t(bytes_of(info(dtype), uint64_t(n))), k0 = 256, count = 256;
      for (const int rows : {1, 3, 15, 16}) {
        CAPTURE(name(dtype), rows);
        const Guarded<uint8_t> bytes = random_bytes(size_t(rows * stride), uint64_t(d));
        const Guarded<float> tile(size_t(count * kTileRows));
        for (size_t i = 0; i < tile.size(); ++i) tile[i] = 77.0f;
        k.tile_f(tile.data(), dtype, bytes.data(), stride, 0, rows, k0, count);
        std::vector<float> want(tile.size(), 0.0f), row(static_cast<size_t>(n));
        for (int r = 0; r < rows; ++r) {
          k.dequantise(row.data(), dtype, bytes.data() + r * stride, n);
          for (int64_t i = 0; i < count; ++i) want[size_t(i * kTileRows + r)] = row[size_t(k0 + i)];
        }
        CHECK(ref::differing(tile, want) == 0);
      }
    }
  });
}

TEST_CASE("a quantised tile has zero scales for rows that are not there", "[kernels]") {
  on_every_isa([](const KernelTable& k) {
    for (int d = int(DType::q4_0); d < kDTypeCount; ++d) {
      const DType dtype = DType(d);
      const int64_t n = 512, stride = int64_t(bytes_of(info(dtype), uint64_t(n)));
      for (const int rows : {1, 5, 16}) {
        CAPTURE(name(dtype), rows);
        const Guarded<uint8_t> bytes = random_bytes(size_t(rows * stride), uint64_t(d));
        const Guarded<QTile> tiles{4};
        k.tile_q(tiles.data(), dtype, bytes.data(), stride, rows, 12, 4);  // the last columns of each row
        for (size_t g = 0; g < 4; ++g)
          for (int r = rows; r < kTileRows; ++r) {
            CHECK((tiles[g].d[r] == 0.0f && tiles[g].dm[r] == 0.0f));
            CHECK((tiles[g].q[7][r][3] == 0 && tiles[g].s[1][r] == 0 && tiles[g].m[1][r] == 0));
          }
      }
    }
  });
}

TEST_CASE("weights stored [in,out] are read through their column stride", "[kernels]") {
  on_every_isa([](const KernelTable& k) {
    const int64_t inputs = 33, outputs = 24;
    const std::vector<float> w = ref::normal(inputs * outputs, 131);  // w[i][o]
    const Guarded<float> f32(w);
    const Guarded<uint16_t> f16(w.size()), bf16(w.size());
    for (size_t i = 0; i < w.size(); ++i) {
      f16[i] = ref::nearest_half(double(w[i]));
      uint32_t u;
      memcpy(&u, &w[i], 4);
      bf16[i] = uint16_t(u >> 16);
    }
    const auto check = [&](DType dtype, const void* data, int64_t element, auto value) {
      for (const int64_t first : {0, 16}) {
        const int rows = int(std::min<int64_t>(kTileRows, outputs - first));
        const Guarded<float> tile(size_t(inputs * kTileRows));
        k.tile_f(tile.data(), dtype, static_cast<const uint8_t*>(data) + first * element, element, outputs * element, rows, 0, inputs);
        std::vector<float> want(tile.size(), 0.0f);
        for (int64_t i = 0; i < inputs; ++i)
          for (int r = 0; r < rows; ++r) want[size_t(i * kTileRows + r)] = value(size_t(i * outputs + first + r));
        CAPTURE(name(dtype), first);
        CHECK(ref::differing(tile, want) == 0);
      }
    };
    check(DType::f32, f32.data(), 4, [&](size_t i) { return w[i]; });
    check(DType::f16, f16.data(), 2, [&](size_t i) { return float(ref::half_value(f16[i])); });
    check(DType::bf16, bf16.data(), 2, [&](size_t i) {
      const uint32_t u = uint32_t(bf16[i]) << 16;
      float x;
      memcpy(&x, &u, 4);
      return x;
    });
  });
}
