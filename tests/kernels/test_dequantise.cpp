// Every block format against gguf-py's dequantisation, on every ISA.
#include <cmath>
#include <set>

#include "kernels/dequantise.h"
#include "support/catch.h"
#include "support/golden.h"
#include "support/isa.h"

using namespace puna;
using namespace puna::test;

namespace {

const std::vector<std::pair<std::string, DType>> kFormats = {
    {"f16", DType::f16},
    {"bf16", DType::bf16},
    {"q4_0", DType::q4_0},
    {"q4_1", DType::q4_1},
    {"q5_0", DType::q5_0},
    {"q5_1", DType::q5_1},
    {"q8_0", DType::q8_0},
    {"q2_k", DType::q2_k},
    {"q3_k", DType::q3_k},
    {"q4_k", DType::q4_k},
    {"q5_k", DType::q5_k},
    {"q6_k", DType::q6_k},
    {"iq4_nl", DType::iq4_nl},
    {"iq4_xs", DType::iq4_xs},
    {"mxfp4", DType::mxfp4},
    {"iq2_xxs", DType::iq2_xxs},
    {"iq2_xs", DType::iq2_xs},
    {"iq2_s", DType::iq2_s},
    {"iq3_xxs", DType::iq3_xxs},
    {"iq3_s", DType::iq3_s},
    {"iq1_s", DType::iq1_s},
    {"iq1_m", DType::iq1_m},
    {"tq1_0", DType::tq1_0},
    {"tq2_0", DType::tq2_0},
    {"u4_scaled", DType::u4_scaled},
    {"e4m3_scaled", DType::e4m3_scaled},
};

}  // namespace

TEST_CASE("dequantised blocks are the reference's, on every ISA", "[kernels][golden]") {
  std::set<std::string> compared;
  for (const Golden& g : goldens([](const Golden& s) { return s.fixture().starts_with("quant"); }))
    for (const std::string prefix : {"", "rand_"})
      for (const auto& [name, dtype] : kFormats) {
        const std::string array = prefix + name;
        if (!g.has(array + "_bytes") || !g.has(array + "_dequant")) continue;
        const Npy bytes = g.array(array + "_bytes"), want = g.array(array + "_dequant");
        const int64_t rows = want.shape[0], n = want.shape[1];
        for (const std::string& isa : supported_isas()) {
          CAPTURE(array, isa);
          std::vector<float> got(static_cast<size_t>(rows * n));
          for (int64_t r = 0; r < rows; ++r)
            dequantise_row(*select_kernels(isa.c_str()), got.data() + r * n, dtype,
                           bytes.bytes.data() + r * bytes.shape[1], n);
          g.check(array + "_dequant", got);
        }
        compared.insert(name);
      }
  CHECK(compared.size() == kFormats.size());
}

TEST_CASE("all 8-bit floats are their values, NaN too", "[kernels]") {
  for (const std::string& isa : supported_isas()) {
    CAPTURE(isa);
    for (int first = 0; first < 256; first += 32) {
      uint8_t block[36] = {0, 0, 0x80, 0x3F};  // a scale of 1
      for (int i = 0; i < 32; ++i) block[4 + i] = uint8_t(first + i);
      float got[32];
      dequantise_row(*select_kernels(isa.c_str()), got, DType::e4m3_scaled, block, 32);
      for (int i = 0; i < 32; ++i) {
        const int code = first + i, exponent = code >> 3 & 15, mantissa = code & 7;
        if ((code & 0x7F) == 0x7F) {
          CHECK(std::isnan(got[i]));
          continue;
        }
        const double size = exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(1 + mantissa / 8.0, exponent - 7);
        CHECK(double(got[i]) == (code & 0x80 ? -size : size));
      }
    }
  }
}
