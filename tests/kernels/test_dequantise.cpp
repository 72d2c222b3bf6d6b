// Every block format against gguf-py's dequantisation, on every ISA.
#include "kernels/dequantise.h"
#include "support/catch.h"
#include "support/golden.h"
#include "support/isa.h"

using namespace puna;
using namespace puna::test;

namespace {

const std::vector<std::pair<std::string, DType>> kFormats = {
    {"f16", DType::f16},       {"bf16", DType::bf16},    {"q4_0", DType::q4_0}, {"q4_1", DType::q4_1},
    {"q5_0", DType::q5_0},     {"q5_1", DType::q5_1},    {"q8_0", DType::q8_0}, {"q2_k", DType::q2_k},
    {"q3_k", DType::q3_k},     {"q4_k", DType::q4_k},    {"q5_k", DType::q5_k}, {"q6_k", DType::q6_k},
    {"iq4_nl", DType::iq4_nl}, {"iq4_xs", DType::iq4_xs}};

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
          for (int64_t r = 0; r < rows; ++r)
            dequantise_row(*select_kernels(isa.c_str()), got.data() + r * n, dtype,
                           bytes.bytes.data() + r * bytes.shape[1], n);
          g.check(array + "_dequant", got);
        }
        ++compared;
      }
    CHECK(compared >= int(kFormats.size()));
  }
}
