// The vision encoder's row kernels against their formulas in double, on every ISA, with memory that ends at the row.
#include "kernels/cases.h"
#include "kernels/guarded.h"
#include "ref/compare.h"
#include "ref/random.h"
#include "support/catch.h"

using namespace puna;
using namespace puna::test;
using ref::kRound;
using ref::kTiny;

namespace {

double gelu(double x) { return x * 0.5 * std::erfc(-x / std::sqrt(2.0)); }

}  // namespace

TEST_CASE("layer_norm is its formula, in place and not", "[kernels]") {
  on_every_isa([](const KernelTable& k) {
    for (const int64_t D : kAwkwardSizes)
      for (const float offset : {0.0f, 30.0f}) {
        CAPTURE(D, offset);
        const Guarded<float> x(ref::normal(D, 1)), w(ref::normal(D, 2)), b(ref::normal(D, 3)), y{size_t(D)};
        double mean = 0, variance = 0;
        for (float& v : std::span(x.data(), x.size())) mean += v += offset;
        mean /= double(D);
        for (const float v : std::span(x.data(), x.size())) variance += (v - mean) * (v - mean) / double(D);
        const double scale = 1 / std::sqrt(variance + 1e-5);
        std::vector<double> want, size;
        for (size_t i = 0; i < size_t(D); ++i) {
          want.push_back((x[i] - mean) * scale * w[i] + b[i]);
          // The mean is off by D/16 + 5 roundings of values of size `offset`; then as rms_norm, and one sum.
          size.push_back(
              (std::abs((x[i] - mean) * scale * w[i]) + (offset + 6) * scale * std::abs(w[i]) + std::abs(b[i])) *
              (double(D) / 16 + 12) * kRound);
        }
        k.layer_norm(y.data(), x.data(), w.data(), b.data(), D, 1e-5f);
        ref::check_within(y, want, [&](size_t i) { return size[i] + kTiny; });
        k.layer_norm(x.data(), x.data(), w.data(), b.data(), D, 1e-5f);
        ref::check_within(x, want, [&](size_t i) { return size[i] + kTiny; });
      }
  });
}

TEST_CASE("gelu keeps the accuracy of its approximation from -100 to 100", "[kernels]") {
  std::vector<float> x = {0.0f, -0.0f, 1e-30f, -1e-30f, 100.0f, -100.0f};
  for (double v = -12; v <= 12; v += 24.0 / 60000) x.push_back(float(v));
  std::vector<double> want;
  for (const float v : x) want.push_back(gelu(double(v)));
  on_every_isa([&](const KernelTable& k) {
    std::vector<float> y(x.size());
    k.gelu(y.data(), x.data(), int64_t(x.size()));
    // The tail, at most 0.5, is off by 7.5e-8 and six roundings, times |x| while it is not yet negligible; then the
    // result's own rounding.
    ref::check_within(y, want, [&](size_t i) {
      return (7.5e-8 + 3 * kRound) * std::min(std::abs(double(x[i])), 5.0) + kRound * std::abs(want[i]) + kTiny;
    });
  });
}

TEST_CASE("gelu does not read or write past the row", "[kernels]") {
  on_every_isa([](const KernelTable& k) {
    for (const int64_t n : kAwkwardSizes) {
      const Guarded<float> x(ref::normal(n, 5)), y{size_t(n)};
      k.gelu(y.data(), x.data(), n);
      for (size_t i = 0; i < size_t(n); ++i) CHECK(std::abs(double(y[i]) - gelu(double(x[i]))) < 5e-7);
    }
  });
}
