// test_encode_blocks.cpp -- the encoders give the reference package's bytes, keep their error bounds, and survive any
// bits.
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "kernels/encode_blocks.h"
#include "puna/base/dtype.h"
#include "support/catch.h"
#include "support/golden.h"

using puna::DType;

namespace {

struct Case {
  DType dtype;
  const char* array;  // in the golden set
};
constexpr Case kCases[] = {{DType::f16, "f16_bytes"},   {DType::bf16, "bf16_bytes"}, {DType::q4_0, "q4_0_bytes"},
                           {DType::q4_1, "q4_1_bytes"}, {DType::q5_0, "q5_0_bytes"}, {DType::q5_1, "q5_1_bytes"},
                           {DType::q8_0, "q8_0_bytes"}};

// Rows whose codes the reference leaves to chance: the manifest lists them.
std::set<int64_t> undefined_rows(const nlohmann::json& node) {
  std::set<int64_t> rows;
  if (!node.is_structured()) return rows;
  if (node.is_object() && node.contains("f32_denormal_rows"))
    for (const auto& r : node["f32_denormal_rows"]) rows.insert(r.get<int64_t>());
  for (const auto& child : node) rows.merge(undefined_rows(child));
  return rows;
}

}  // namespace

TEST_CASE("encoded rows are the reference's bytes", "[kernels][golden]") {
  const auto sets = puna::test::goldens([](const puna::test::Golden& g) { return g.fixture() == "quant"; });
  for (const auto& golden : sets) {
    const auto input = golden.array("input_f32");
    const std::vector<float> x = input.f32();
    const int64_t rows = input.shape.at(0), cols = input.shape.at(1);
    const std::set<int64_t> skipped = undefined_rows(golden.manifest);
    REQUIRE(int64_t(skipped.size()) < rows);
    for (const Case& c : kCases) {
      const auto want = golden.array(c.array);
      const auto row_bytes = size_t(puna::bytes_of(puna::info(c.dtype), uint64_t(cols)));
      REQUIRE(want.u8().size() == row_bytes * size_t(rows));
      std::vector<uint8_t> got(row_bytes);
      for (int64_t r = 0; r < rows; ++r) {
        if (is_quantised(c.dtype) && skipped.count(r)) continue;
        puna::encoder(c.dtype)(got.data(), x.data() + r * cols, cols, nullptr);
        CAPTURE(golden.folder(), c.array, r);
        CHECK(memcmp(got.data(), want.u8().data() + size_t(r) * row_bytes, row_bytes) == 0);
      }
    }
  }
}

// The reference rounds x * (1/d) and then the sum with the middle to f32. One value in millions shows it: the first of
// each pair comes out smaller when the sum is made in double or fused, the second when it is not rounded at all. Bytes
// by the gguf package 0.19.0.
TEST_CASE("codes are rounded where the reference rounds them", "[kernels]") {
  struct {
    DType dtype;
    float largest, x;
    std::string start;
  } const cases[] = {
      {DType::q4_0, -0x1.174b82p+1f, 0x1.a2f13ap-2f, "\x5D\x34\x80\x8A"},
      {DType::q4_0, -0x1.2fc716p+1f, 0x1.c7aa9cp-2f, "\xBF\x34\x80\x8A"},
      {DType::q5_0, -0x1.ea79a0p+0f, -0x1.cbd208p-1f, {"\xAA\x2F\xFC\xFF\xFF\xFF\x00\x09", 8}},
      {DType::q5_0, -0x1.60a842p+1f, 0x1.1e88b4p+0f, {"\x83\x31\xFE\xFF\xFF\xFF\x00\x07", 8}},
  };
  for (const auto& c : cases) {
    float x[32] = {c.largest, c.x};
    std::vector<uint8_t> out(puna::info(c.dtype).bytes);
    puna::encoder(c.dtype)(out.data(), x, 32, nullptr);
    CAPTURE(name(c.dtype), c.x);
    CHECK(memcmp(out.data(), c.start.data(), c.start.size()) == 0);
  }
}

TEST_CASE("every type that is a weight has an encoder, but f32 and those for reading only", "[kernels]") {
  const std::set<DType> none = {DType::f32,   DType::iq2_xxs, DType::iq2_xs, DType::iq2_s,     DType::iq3_xxs,
                                DType::iq3_s, DType::iq1_s,   DType::iq1_m,  DType::u4_scaled, DType::e4m3_scaled};
  for (int t = 0; t < puna::kDTypeCount; ++t)
    CHECK((puna::encoder(DType(t)) != nullptr) == (puna::is_weight(DType(t)) && !none.contains(DType(t))));
}

TEST_CASE("ternary rows are the reference's bytes", "[kernels][golden]") {
  for (const auto& g : puna::test::goldens([](const puna::test::Golden& s) { return s.fixture() == "quant_tables"; })) {
    const auto input = g.array("tq_input");
    const std::vector<float> x = input.f32();
    for (const auto& [array, dtype] : {std::pair("tq1_0_encoded", DType::tq1_0), {"tq2_0_encoded", DType::tq2_0}}) {
      const auto want = g.array(array);
      std::vector<uint8_t> got(want.u8().size());
      REQUIRE(got.size() == puna::bytes_of(puna::info(dtype), x.size()));
      puna::encoder(dtype)(got.data(), x.data(), int64_t(x.size()), nullptr);
      CAPTURE(array);
      CHECK(memcmp(got.data(), want.u8().data(), got.size()) == 0);
    }
  }
}

TEST_CASE("an encoder writes exactly its bytes, whatever the bits of the input", "[kernels]") {
  constexpr int64_t n = 64;
  constexpr uint8_t kFence = 0xA5;
  std::mt19937 random(7);
  for (const Case& c : kCases) {
    const auto bytes = size_t(puna::bytes_of(puna::info(c.dtype), n));
    for (int round = 0; round < 2000; ++round) {
      std::vector<float> x(n);
      for (float& v : x) {  // NaNs, infinities and denormals among them
        const auto u = uint32_t(random());
        memcpy(&v, &u, 4);
        if (round % 4 == 1) v = std::ldexp(float(u % 1000) - 500.0f, -150);
        if (round % 4 == 2 && u % 7 == 0) v = std::numeric_limits<float>::infinity();
      }
      std::vector<uint8_t> out(bytes + 2, kFence);
      puna::encoder(c.dtype)(out.data() + 1, x.data(), n, nullptr);  // an odd address on purpose
      REQUIRE(out.front() == kFence);
      REQUIRE(out.back() == kFence);
    }
  }
}

TEST_CASE("blocks of zeros and of f32 denormals decode to zero scales", "[kernels]") {
  for (const Case& c : kCases) {
    if (!is_quantised(c.dtype)) continue;
    for (const float value : {0.0f, -0.0f, 1e-40f, -1e-40f}) {
      const std::vector<float> x(32, value);
      std::vector<uint8_t> out(puna::info(c.dtype).bytes);
      puna::encoder(c.dtype)(out.data(), x.data(), 32, nullptr);
      CAPTURE(c.array, value);
      CHECK(out[0] == 0);
      CHECK((out[1] & 0x7F) == 0);  // +0 or -0
    }
  }
}
