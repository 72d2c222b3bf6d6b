// The row kernels against their formulas in double, on every ISA, at sizes around every vector width, with memory that
// ends at the row.
#include "kernels/cases.h"
#include "kernels/guarded.h"
#include "ref/compare.h"
#include "ref/random.h"
#include "ref/rows.h"
#include "support/catch.h"

using namespace puna;
using namespace puna::test;
using ref::kRound;
using ref::kTiny;

TEST_CASE("rms_norm is its formula, with and without weights, in place and not", "[kernels]") {
  on_every_isa([](const KernelTable& k) {
    for (const int64_t D : kAwkwardSizes)
      for (const float eps : {1e-5f, 1e-12f, 0.5f}) {
        CAPTURE(D, eps);
        const Guarded<float> x(ref::normal(D, 1)), w(ref::normal(D, 2)), y{size_t(D)};
        // A lane adds D/16 squares, the tree 4 times; the root halves that; then divide, two products, and the weight.
        const double bound = ((double(D) / 16 + 7) / 2 + 5) * kRound;
        const std::vector<double> want = ref::rms_norm(x, w, double(eps)), bare = ref::rms_norm(x, {}, double(eps));
        k.rms_norm(y.data(), x.data(), w.data(), D, eps);
        ref::check_within(y, want, [&](size_t i) { return bound * std::abs(want[i]) + kTiny; });
        k.rms_norm(y.data(), x.data(), nullptr, D, eps);
        ref::check_within(y, bare, [&](size_t i) { return bound * std::abs(bare[i]) + kTiny; });
        k.rms_norm(x.data(), x.data(), w.data(), D, eps);
        ref::check_within(x, want, [&](size_t i) { return bound * std::abs(want[i]) + kTiny; });
      }
  });
}

TEST_CASE("rms_norm of zeros is zeros, and of denormals is no surprise", "[kernels]") {
  on_every_isa([](const KernelTable& k) {
    const Guarded<float> zeros(std::vector<float>(33, 0.0f)), tiny(ref::wild(33, 3, 0)), y{33};
    k.rms_norm(y.data(), zeros.data(), nullptr, 33, 1e-5f);
    for (const float v : std::span<const float>(y)) CHECK(v == 0.0f);
    k.rms_norm(y.data(), tiny.data(), nullptr, 33, 1e-5f);
    const std::vector<double> want = ref::rms_norm(tiny, {}, double(1e-5f));
    ref::check_within(y, want, [&](size_t i) { return 16 * kRound * std::abs(want[i]) + kTiny; });
  });
}

TEST_CASE("add and scale round once", "[kernels]") {
  on_every_isa([](const KernelTable& k) {
    for (const int64_t n : kAwkwardSizes) {
      CAPTURE(n);
      const Guarded<float> x(ref::wild(n, 4, 253)), y(ref::wild(n, 5, 253));
      std::vector<float> sum, product;
      for (size_t i = 0; i < size_t(n); ++i) {
        sum.push_back(y[i] + x[i]);
        product.push_back(0.3f * x[i]);
      }
      k.add(y.data(), x.data(), n);
      CHECK(ref::differing(y, sum) == 0);
      k.scale(y.data(), x.data(), 0.3f, n);
      CHECK(ref::differing(y, product) == 0);
      k.scale(x.data(), x.data(), 0.3f, n);  // in place
      CHECK(ref::differing(x, product) == 0);
    }
  });
}

TEST_CASE("swiglu is silu(gate) * up", "[kernels]") {
  on_every_isa([](const KernelTable& k) {
    for (const int64_t n : kAwkwardSizes) {
      CAPTURE(n);
      const Guarded<float> gate(ref::normal(n, 6)), up(ref::normal(n, 7)), y{size_t(n)};
      for (float& g : std::span(gate.data(), gate.size())) g *= 8;
      const std::vector<double> want = ref::swiglu(gate, up);
      k.swiglu(y.data(), gate.data(), up.data(), n);
      ref::check_within(y, want, [&](size_t i) {
        return (2e-7 + 5 * kRound) * std::abs(want[i]) + kTiny;
      });  // exp's 2e-7, then 5 roundings
    }
  });
}

TEST_CASE("geglu, clamped_swiglu and softcap are their formulas", "[kernels]") {
  on_every_isa([](const KernelTable& k) {
    for (const int64_t n : kAwkwardSizes) {
      CAPTURE(n);
      const Guarded<float> gate(ref::normal(n, 6)), up(ref::normal(n, 7)), y{size_t(n)};
      for (float& g : std::span(gate.data(), gate.size())) g *= 4;
      const auto check = [&](auto formula) {
        std::vector<double> want;
        for (size_t i = 0; i < gate.size(); ++i) want.push_back(formula(double(gate[i]), double(up[i])));
        // tanh and the logistic function have errors of 2e-7 of 1, whatever becomes of them
        ref::check_within(y, want,
                          [&](size_t i) { return 1e-6 * (std::abs(want[i]) + std::abs(gate[i] * up[i])) + 1e-6; });
      };
      k.geglu(y.data(), gate.data(), up.data(), n);
      check([](double g, double u) {
        return 0.5 * g * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (g + 0.044715 * g * g * g))) * u;
      });
      k.clamped_swiglu(y.data(), gate.data(), up.data(), n, 0.5f, 1.702f);
      check([](double g, double u) {
        g = std::min(g, 0.5);
        return (std::clamp(u, -0.5, 0.5) + 1) * g / (1 + std::exp(-double(1.702f) * g));
      });
      k.softcap(y.data(), gate.data(), 3, n);
      check([](double g, double) { return 3 * std::tanh(g / 3); });
    }
  });
}

TEST_CASE("sigmoid keeps exp's accuracy from -87 to 88, and beyond is 0 or 1", "[kernels]") {
  std::vector<float> x;
  for (double v = -87; v <= 88; v += 175.0 / 60000)
    x.push_back(float(v));  // below -20 sigmoid(x) is e^x: this measures the polynomial
  const std::vector<double> want = ref::sigmoid(x);
  std::vector<float> first;
  on_every_isa([&](const KernelTable& k) {
    std::vector<float> y(x.size());
    k.sigmoid(y.data(), x.data(), int64_t(x.size()));
    ref::check_within(y, want, [&](size_t i) { return (2e-7 + 3 * kRound) * want[i]; });
    if (first.empty()) first = y;
    CHECK(ref::differing(y, first) == 0);

    const float inf = std::numeric_limits<float>::infinity();
    const Guarded<float> edges(
        std::vector<float>{-inf, -3e38f, -1000, -100, -88.5f, -0.0f, 0.0f, 1e-40f, 89, 100, 3e38f, inf}),
        out{edges.size()};
    k.sigmoid(out.data(), edges.data(), int64_t(edges.size()));
    for (size_t i = 0; i < 5; ++i) CHECK((out[i] >= 0.0f && out[i] < 1e-38f));
    for (size_t i = 5; i < 8; ++i) CHECK(out[i] == 0.5f);
    for (size_t i = 8; i < 12; ++i) CHECK(out[i] == 1.0f);
  });
}

TEST_CASE("sigmoid takes any length", "[kernels]") {
  on_every_isa([](const KernelTable& k) {
    for (const int64_t n : kAwkwardSizes) {
      const Guarded<float> x(ref::normal(n, 8)), y{size_t(n)};
      const std::vector<double> want = ref::sigmoid(x);
      k.sigmoid(y.data(), x.data(), n);
      ref::check_within(y, want, [&](size_t i) { return (2e-7 + 3 * kRound) * want[i]; });
    }
  });
}

TEST_CASE("rope rotates pairs in both styles, and the inverse rotation restores them", "[kernels]") {
  on_every_isa([](const KernelTable& k) {
    for (const int64_t head_dim : {2, 6, 16, 24, 34, 64, 80, 128}) {
      CAPTURE(head_dim);
      const size_t half = size_t(head_dim / 2);
      const std::vector<float> start = ref::normal(head_dim, 9), angles = ref::normal(head_dim / 2, 10);
      const Guarded<float> c{half}, s{half}, back{half};
      for (size_t i = 0; i < half; ++i) {
        c[i] = float(std::cos(double(angles[i])));
        s[i] = float(std::sin(double(angles[i])));
        back[i] = -s[i];
      }
      for (const bool interleaved : {true, false}) {
        CAPTURE(interleaved);
        const auto rotate = interleaved ? k.rope_interleaved : k.rope_half_split;
        const Guarded<float> x(start);
        const std::vector<double> want = ref::rope(start, c, s, interleaved), original(start.begin(), start.end());
        double largest = 0;
        for (const float v : start) largest = std::max(largest, double(std::abs(v)));
        rotate(x.data(), c.data(), s.data(), head_dim);
        ref::check_within(x, want, [&](size_t) {
          return 4 * kRound * 2 * largest;
        });  // two products and a sum of values up to `largest`
        rotate(x.data(), c.data(), back.data(), head_dim);
        ref::check_within(x, original, [&](size_t) { return 16 * kRound * 2 * largest; });
      }
    }
  });
}
