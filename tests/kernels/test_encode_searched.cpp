// test_encode_searched.cpp -- the searching encoders: what they write reads back close, more bits are closer, a search
// beats none, importance is heeded, and no input harms.
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "kernels/dequantise.h"
#include "kernels/encode_blocks.h"
#include "support/catch.h"

namespace puna {
namespace {

constexpr DType kSearched[] = {DType::q2_k, DType::q3_k,   DType::q4_k,  DType::q5_k,
                               DType::q6_k, DType::iq4_nl, DType::iq4_xs};

std::vector<float> normal_values(size_t n, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 0.02f);
  std::vector<float> x(n);
  for (float& v : x) v = normal(random);
  return x;
}

std::vector<float> there_and_back(DType dtype, const std::vector<float>& x, const float* importance) {
  std::vector<uint8_t> bytes(size_t(bytes_of(info(dtype), x.size())));
  encoder(dtype)(bytes.data(), x.data(), int64_t(x.size()), importance);
  std::vector<float> y(x.size());
  dequantise_row(*select_kernels("scalar"), y.data(), dtype, bytes.data(), int64_t(x.size()));
  return y;
}

// sqrt(sum w (y - x)^2 / sum w x^2)
double relative_error(const std::vector<float>& x, const std::vector<float>& y, const float* weights = nullptr) {
  double error = 0, norm = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double w = weights ? weights[i] : 1;
    error += w * std::pow(double(y[i]) - double(x[i]), 2);
    norm += w * double(x[i]) * double(x[i]);
  }
  return std::sqrt(error / norm);
}

double error_of(DType dtype) {
  const std::vector<float> x = normal_values(64 * 256, 3);
  return relative_error(x, there_and_back(dtype, x, nullptr));
}

}  // namespace

// A uniform code of b bits over the span of n normal values has a relative error of about span / sigma / (2^b - 1) /
// sqrt(12): spans are 4.1 sigma for 32 values and 3.5 for 16.
TEST_CASE("encoded values read back within what their bits allow", "[kernels]") {
  CHECK(error_of(DType::q2_k) < 3.5 / 3 / std::sqrt(12.0));
  CHECK(error_of(DType::q3_k) < 4.1 / 7 / std::sqrt(12.0));  // symmetric: twice the larger side, 16 values
  CHECK(error_of(DType::q4_k) < 4.1 / 15 / std::sqrt(12.0));
  CHECK(error_of(DType::q5_k) < 4.1 / 31 / std::sqrt(12.0));
  CHECK(error_of(DType::q6_k) < 4.1 / 63 / std::sqrt(12.0));
}

TEST_CASE("more bits are closer, and a search is closer than none", "[kernels]") {
  CHECK(error_of(DType::q3_k) < error_of(DType::q2_k));
  CHECK(error_of(DType::q4_k) < error_of(DType::q3_k) / 1.5);
  CHECK(error_of(DType::q5_k) < error_of(DType::q4_k) / 1.5);
  CHECK(error_of(DType::q6_k) < error_of(DType::q5_k) / 1.5);
  CHECK(error_of(DType::q4_k) < error_of(DType::q4_0));
  CHECK(error_of(DType::q5_k) < error_of(DType::q5_0));
  CHECK(error_of(DType::iq4_nl) < error_of(DType::q4_0));
  CHECK(error_of(DType::iq4_xs) < error_of(DType::q4_0));
}

TEST_CASE("a column that matters more is encoded better", "[kernels]") {
  const std::vector<float> x = normal_values(64 * 256, 5);
  std::vector<float> importance(x.size());
  for (size_t i = 0; i < x.size(); ++i) importance[i] = i % 8 == 0 ? 30.0f : 1.0f;
  for (const DType dtype : kSearched) {
    CAPTURE(name(dtype));
    const double blind = relative_error(x, there_and_back(dtype, x, nullptr), importance.data());
    CHECK(relative_error(x, there_and_back(dtype, x, importance.data()), importance.data()) < blind);
  }
}

TEST_CASE("values that a block can hold exactly come back exactly", "[kernels]") {
  // Q6_K with every sub-scale at its end: x = 2^-4 * -128 * q is d = 2^-4, scale -128, codes q in [-32, 31].
  std::vector<float> x(256);
  for (int i = 0; i < 256; ++i) x[size_t(i)] = -8.0f * float(i % 16 == 0 ? -32 : (i * 7) % 64 - 32);
  CHECK(there_and_back(DType::q6_k, x, nullptr) == x);
  for (const DType dtype : kSearched) {
    CAPTURE(name(dtype));
    const std::vector<float> zero(512, 0.0f);
    CHECK(there_and_back(dtype, zero, nullptr) == zero);
  }
}

TEST_CASE("a searching encoder writes exactly its bytes, whatever the bits of the input", "[kernels]") {
  constexpr int64_t n = 512;
  constexpr uint8_t kFence = 0xA5;
  std::mt19937 random(7);
  for (const DType dtype : kSearched) {
    const auto bytes = size_t(bytes_of(info(dtype), n));
    for (int round = 0; round < 60; ++round) {
      std::vector<float> x(n);
      for (float& v : x) {  // NaNs, infinities and denormals among them
        const auto u = uint32_t(random());
        memcpy(&v, &u, 4);
        if (round % 4 == 1) v = std::ldexp(float(u % 1000) - 500.0f, -150);
        if (round % 4 == 2 && u % 7 == 0) v = std::numeric_limits<float>::infinity();
      }
      std::vector<uint8_t> out(bytes + 2, kFence);
      encoder(dtype)(out.data() + 1, x.data(), n, nullptr);  // an odd address on purpose
      REQUIRE(out.front() == kFence);
      REQUIRE(out.back() == kFence);
    }
  }
}

}  // namespace puna
