// Every block format against gguf-py's dequantisation, on every ISA; and tiles against rows.
#include <cstring>

#include "support/catch.h"
#include "support/golden.h"
#include "support/isa.h"

using namespace puna;
using namespace puna::test;

namespace {

const std::vector<std::pair<std::string, DType>> kFormats = {
    {"f16", DType::f16},   {"bf16", DType::bf16}, {"q4_0", DType::q4_0}, {"q4_1", DType::q4_1}, {"q5_0", DType::q5_0},
    {"q5_1", DType::q5_1}, {"q8_0", DType::q8_0}, {"q2_k", DType::q2_k}, {"q3_k", DType::q3_k}, {"q4_k", DType::q4_k},
    {"q5_k", DType::q5_k}, {"q6_k", DType::q6_k}, {"iq4_nl", DType::iq4_nl}, {"iq4_xs", DType::iq4_xs}};

}  // namespace

TEST_CASE("dequantised blocks are the reference's, on every ISA", "[kernels][golden]") {
  for (const Golden& g : goldens([](const Golden& s) { return s.fixture() == "quant"; })) {
    int compared = 0;
    for (const std::string prefix : {"", "rand_"})
      for (const auto& [name, dtype] : kFormats) {
        const std::string array = prefix + name;
        if (!g.has(array + "_bytes") || !g.has(array + "_dequant")) continue;
        const Npy bytes = g.array(array + "_bytes"), want = g.array(array + "_dequant");
        const int64_t rows = want.shape[0], n = want.shape[1];
        for (const std::string& isa : supported_isas()) {
          CAPTURE(array, isa);
          std::vector<float> got(static_cast<size_t>(rows * n));
          for (int64_t r = 0; r < rows; ++r) select_kernels(isa.c_str())->dequantise(got.data() + r * n, dtype, bytes.bytes.data() + r * bytes.shape[1], n);
          g.check(array + "_dequant", got);
        }
        ++compared;
      }
    CHECK(compared >= int(kFormats.size()));
  }
}

TEST_CASE("weight tiles hold what the rows hold, for every format and awkward row counts", "[kernels][golden]") {
  for (const Golden& g : goldens([](const Golden& s) { return s.fixture() == "quant"; }))
    for (const auto& [name, dtype] : kFormats) {
      const std::string array = (g.has("rand_" + name + "_bytes") ? "rand_" : "") + name;
      const Npy bytes = g.array(array + "_bytes");
      const int64_t n = g.array(array + "_dequant").shape[1], stride = bytes.shape[1];
      const auto* data = reinterpret_cast<const uint8_t*>(bytes.bytes.data());
      for (const std::string& isa : supported_isas()) {
        const KernelTable& k = *select_kernels(isa.c_str());
        const int rows = GENERATE(1, 5, 8);
        CAPTURE(array, isa, rows);
        std::vector<float> row(static_cast<size_t>(n)), tile(static_cast<size_t>(n * kTileRows), -1.0f);
        k.tile_f(tile.data(), dtype, data, stride, 0, rows, 0, n);
        std::vector<QTile> q(static_cast<size_t>(n / kGroup));
        if (is_quantised(dtype)) k.tile_q(q.data(), dtype, data, stride, rows, 0, n / kGroup);
        int64_t wrong = 0;
        for (int r = 0; r < kTileRows; ++r) {
          if (r < rows) k.dequantise(row.data(), dtype, data + r * stride, n);
          else std::fill(row.begin(), row.end(), 0.0f);
          for (int64_t i = 0; i < n; ++i) {
            wrong += tile[size_t(i * kTileRows + r)] != row[size_t(i)];
            if (!is_quantised(dtype)) continue;
            const QTile& t = q[size_t(i / kGroup)];
            const int64_t c = i % kGroup, h = c / 16;
            const QFormat f = k.format(dtype);
            float x = (t.d[r] * float(t.s[h][r])) * float(int32_t(t.q[c / 4][r][c % 4]) - f.offset);
            if (f.minimum) x = x + t.dm[r] * float(t.m[h][r]);
            wrong += !(x == row[size_t(i)]);
          }
        }
        CHECK(wrong == 0);
      }
    }
}
