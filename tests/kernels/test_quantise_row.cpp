// Activation quantisation, x = d q in groups of 32: the nearest 8-bit values, exact sums, and groups no scale can hold.
#include <algorithm>
#include <limits>

#include "kernels/cases.h"
#include "kernels/guarded.h"
#include "ref/compare.h"
#include "ref/random.h"
#include "support/catch.h"

using namespace puna;
using namespace puna::test;

namespace {

struct Quantised {
  explicit Quantised(const KernelTable& k, std::span<const float> values)
      : x(values),
        q(values.size()),
        d(values.size() / kGroup),
        sum(values.size() / 16),
        scaled16(sum.size()),
        scaled32(d.size()) {
    k.quantise_row(
        {.q = q.data(), .d = d.data(), .sum = sum.data(), .scaled16 = scaled16.data(), .scaled32 = scaled32.data()},
        x.data(), int64_t(values.size()));
  }
  Guarded<float> x;
  Guarded<int8_t> q;
  Guarded<float> d;
  Guarded<int32_t> sum;
  Guarded<float> scaled16, scaled32;
};

void check_group(const Quantised& r, size_t g) {
  const float* x = r.x.data() + g * kGroup;
  const int8_t* q = r.q.data() + g * kGroup;
  float largest = 0;
  for (int i = 0; i < kGroup; ++i) largest = std::max(largest, std::abs(x[i]));
  CAPTURE(g, largest, r.d[g]);
  CHECK(r.d[g] == float(double(largest) / 127));  // double rounding is innocuous here: 53 >= 2 * 24 + 2
  // Below 127 / FLT_MAX the reciprocal overflows: such a group is all zeros, an error no larger than `largest` itself.
  const bool lost = double(largest) * std::numeric_limits<float>::max() < 127;
  int wrong = 0;
  for (int i = 0; i < kGroup; ++i) {
    const double exact = lost || largest == 0 ? 0 : double(x[i]) * 127 / largest;
    wrong += std::abs(double(q[i]) - exact) > 0.5 + 127 * 3 * ref::kRound;  // 1/largest and the product are rounded
    wrong += q[i] == -128;
  }
  CHECK(wrong == 0);
  for (size_t h = 0; h < 2; ++h) {
    int32_t sum = 0;
    for (size_t i = 0; i < 16; ++i) sum += q[16 * h + i];
    CHECK(r.sum[2 * g + h] == sum);
    CHECK(r.scaled16[2 * g + h] == r.d[g] * float(sum));
  }
  CHECK(r.scaled32[g] == r.d[g] * float(r.sum[2 * g] + r.sum[2 * g + 1]));
}

}  // namespace

TEST_CASE("activations are quantised to the nearest step of their group", "[kernels]") {
  on_every_isa([](const KernelTable& k) {
    for (const int64_t groups : {1, 2, 3, 8, 33}) {
      const Quantised r(k, ref::normal(groups * kGroup, 11));
      for (size_t g = 0; g < size_t(groups); ++g) check_group(r, g);
    }
  });
}

TEST_CASE("groups of any magnitude are quantised: zeros, denormals, huge values", "[kernels]") {
  on_every_isa([](const KernelTable& k) {
    const float most = std::numeric_limits<float>::max();
    for (const float scale :
         {0.0f, -0.0f, 1e-45f, 1e-40f, 1e-38f, 3.6e-37f, 3.8e-37f, 1e-30f, 1e30f, 3.39e38f, 3.401e38f, most}) {
      CAPTURE(scale);
      std::vector<float> x = ref::normal(kGroup, 12);
      float largest = 0;
      for (const float v : x) largest = std::max(largest, std::abs(v));
      for (float& v : x) v = float(double(v) / largest * scale);
      x[5] = scale;
      check_group(Quantised(k, x), 0);
    }
    for (int exponent = 0; exponent < 254; ++exponent)
      check_group(Quantised(k, ref::wild(kGroup, uint64_t(exponent), exponent)), 0);
  });
}

TEST_CASE("ties go to the even step", "[kernels]") {
  on_every_isa([](const KernelTable& k) {
    std::vector<float> x(kGroup, 0.0f);
    x[0] = 127;  // d = 1
    for (int i = 1; i < kGroup; ++i) x[size_t(i)] = float(i) - 16.5f;
    const Quantised r(k, x);
    CHECK(r.d[0] == 1.0f);
    for (size_t i = 1; i < kGroup; ++i) CHECK((r.q[i] % 2 == 0 && std::abs(float(r.q[i]) - x[i]) == 0.5f));
  });
}

TEST_CASE("an infinity or a NaN anywhere in a group shows in its scale, not in its neighbours'", "[kernels]") {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  on_every_isa([&](const KernelTable& k) {
    for (const float bad : {inf, -inf, nan, -nan})
      for (size_t at = 0; at < kGroup; ++at) {
        CAPTURE(bad, at);
        std::vector<float> x = ref::normal(3 * kGroup, 13);
        x[kGroup + at] = bad;
        const Quantised r(k, x);
        check_group(r, 0);
        check_group(r, 2);
        CHECK_FALSE(std::isfinite(r.d[1]));
        for (size_t i = 0; i < kGroup; ++i) CHECK(r.q[kGroup + i] == 0);
        CHECK((r.sum[2] == 0 && r.sum[3] == 0));
      }
  });
}
