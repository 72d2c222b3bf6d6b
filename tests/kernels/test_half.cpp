// Half precision both ways against its definition: every one of the 65536 values, every tie between two of them.
#include <bit>
#include <limits>

#include "kernels/cases.h"
#include "kernels/dequantise.h"
#include "kernels/guarded.h"
#include "ref/half.h"
#include "ref/random.h"
#include "support/catch.h"

using namespace puna;
using namespace puna::test;

namespace {

std::vector<uint16_t> narrow(const KernelTable& k, const std::vector<float>& x) {
  const Guarded<float> in(x);
  const Guarded<uint16_t> out(x.size());
  k.to_f16(out.data(), in.data(), int64_t(x.size()));
  return {out.data(), out.data() + out.size()};
}

std::vector<float> widen(const KernelTable& k, const std::vector<uint16_t>& h) {
  const Guarded<uint16_t> in(h);
  const Guarded<float> out(h.size());
  dequantise_row(k, out.data(), DType::f16, in.data(), int64_t(h.size()));
  return {out.data(), out.data() + out.size()};
}

size_t wrong_roundings(const KernelTable& k, const std::vector<float>& x) {
  const std::vector<uint16_t> got = narrow(k, x);
  size_t wrong = 0;
  for (size_t i = 0; i < x.size(); ++i) wrong += got[i] != ref::nearest_half(double(x[i]));
  return wrong;
}

}  // namespace

TEST_CASE("all 65536 halves widen to their value and come back", "[kernels]") {
  std::vector<uint16_t> all;
  for (uint32_t h = 0; h < 65536; ++h) all.push_back(uint16_t(h));
  on_every_isa([&](const KernelTable& k) {
    const std::vector<float> wide = widen(k, all);
    const std::vector<uint16_t> back = narrow(k, wide);
    size_t wrong_value = 0, wrong_bits = 0;
    for (size_t i = 0; i < all.size(); ++i) {
      const double want = ref::half_value(all[i]);
      if (std::isnan(want)) {
        wrong_value += !std::isnan(wide[i]);
        wrong_bits += !std::isnan(ref::half_value(back[i])) || (back[i] ^ all[i]) & 0x8000;
      } else {
        wrong_value += double(wide[i]) != want || std::signbit(wide[i]) != std::signbit(want);
        wrong_bits += back[i] != all[i];
      }
    }
    CHECK(wrong_value == 0);
    CHECK(wrong_bits == 0);
  });
}

TEST_CASE("narrowing rounds to nearest even between any two halves, denormal ones too", "[kernels]") {
  const std::vector<double>& halves = ref::half_table();
  std::vector<float> x;
  for (size_t i = 0; i + 1 < halves.size(); ++i) {
    const float middle = float((halves[i] + halves[i + 1]) / 2);  // exact: 12 bits
    for (const float v : {middle, std::nextafter(middle, 0.0f), std::nextafter(middle, 1e9f)}) {
      x.push_back(v);
      x.push_back(-v);
    }
  }
  on_every_isa([&](const KernelTable& k) { CHECK(wrong_roundings(k, x) == 0); });
}

TEST_CASE("narrowing overflows to infinity, keeps signs of zeros, and rounds f32 denormals to zero", "[kernels]") {
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> x = {65504,   65519.996f, 65520,    65536,         1e30f,   3.4028235e38f,
                                inf,     -inf,       -65520,   0.0f,          -0.0f,   1e-45f,
                                -1e-45f, 1e-39f,     2.98e-8f, 2.9802322e-8f, 2.99e-8f};
  on_every_isa([&](const KernelTable& k) {
    CHECK(wrong_roundings(k, x) == 0);
    for (const uint16_t h :
         narrow(k, {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::quiet_NaN()}))
      CHECK(std::isnan(ref::half_value(h)));
  });
}

TEST_CASE("narrowing any float takes the nearest half, at any length", "[kernels]") {
  on_every_isa([&](const KernelTable& k) {
    CHECK(wrong_roundings(k, ref::wild(20000, 14, 150)) == 0);
    for (const int64_t n : kAwkwardSizes) CHECK(wrong_roundings(k, ref::normal(n, 15)) == 0);
  });
}

TEST_CASE("bfloat16 is the nearest of the two floats around, the even one of equals, and no number stays none",
          "[kernels]") {
  std::vector<float> x;
  for (uint32_t high = 0; high < 65536; high += 3)
    for (const uint32_t low : {0x0000u, 0x0001u, 0x7FFFu, 0x8000u, 0x8001u, 0xFFFFu})
      x.push_back(std::bit_cast<float>(high << 16 | low));
  on_every_isa([&](const KernelTable& k) {
    const Guarded<float> in(x);
    const Guarded<uint16_t> out(x.size());
    k.to_bf16(out.data(), in.data(), int64_t(x.size()));
    size_t wrong = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const uint32_t bits = std::bit_cast<uint32_t>(x[i]), down = bits >> 16;
      const float got = std::bit_cast<float>(uint32_t(out.data()[i]) << 16);
      if (std::isnan(x[i]))
        wrong += !std::isnan(got);
      else
        wrong +=
            out.data()[i] != ((bits & 0xFFFF) > 0x8000 || ((bits & 0xFFFF) == 0x8000 && (down & 1)) ? down + 1 : down);
    }
    CHECK(wrong == 0);
  });
}
