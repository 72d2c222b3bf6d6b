// Kernels of sequence recommenders: the same bits on every ISA, for rows computed together or alone, and no byte read
// past the end.
#include "kernels/cases.h"
#include "kernels/guarded.h"
#include "ref/compare.h"
#include "ref/random.h"
#include "support/catch.h"

using namespace puna;
using namespace puna::test;

namespace test_history {
namespace {

struct Case {
  int64_t rows, heads, qk_dim, v_dim;
  bool biased;
};

struct Inputs {
  explicit Inputs(const Case& c)
      : q(ref::normal(c.rows * c.heads * c.qk_dim, 1)),
        k(ref::normal(c.rows * c.heads * c.qk_dim, 2)),
        v(ref::normal(c.rows * c.heads * c.v_dim, 3)),
        dout(ref::normal(c.rows * c.heads * c.v_dim, 4)),
        positions(ref::normal(2 * c.rows - 1, 5)),
        weights(ref::normal(kTimeBuckets + 1, 6)) {
    for (int64_t i = 0; i <= c.rows; ++i) times.push_back(i * i * 37);
    for (int64_t b = 0; b <= kTimeBuckets; ++b) bounds.push_back(b * 50);
    bounds.push_back(INT64_MAX);
  }
  Guarded<float> q, k, v, dout, positions, weights;
  std::vector<int64_t> times, bounds;
};

HistoryAttend call_of(const Case& c, const Inputs& in, float* out, float* scratch, int64_t first) {
  HistoryAttend a = {};
  a.q_row = a.k_row = c.heads * c.qk_dim;
  a.v_row = a.out_row = c.heads * c.v_dim;
  a.q = in.q.data() + first * a.q_row;
  a.k = in.k.data();
  a.v = in.v.data();
  a.out = out;
  a.first = first;
  a.rows = c.rows;
  a.heads = c.heads;
  a.qk_dim = c.qk_dim;
  a.v_dim = c.v_dim;
  a.scale = 0.11f;
  if (c.biased) {
    a.positions = in.positions.data() + c.rows - 1;
    a.time_weights = in.weights.data();
    a.time_bounds = in.bounds.data();
    a.times = in.times.data();
  }
  a.scratch = scratch;
  return a;
}

// out, dq, dk, dv and the biases' gradients, one behind the other.
std::vector<float> run(const KernelTable& k, const Case& c, const Inputs& in) {
  const int64_t Q = c.rows * c.heads * c.qk_dim, V = c.rows * c.heads * c.v_dim;
  const Guarded<float> scratch(size_t(history_attend_scratch(c.rows, c.heads, c.qk_dim, c.v_dim)));
  std::vector<float> all(size_t(2 * V + 2 * Q + 2 * c.rows - 1 + kTimeBuckets + 1));
  const HistoryAttend a = call_of(c, in, all.data(), scratch.data(), 0);
  k.history_attend(a);
  float* const d = all.data() + V;
  k.history_attend_backward(a, {in.dout.data(), a.v_row, d, d + Q, d + 2 * Q, a.q_row, a.q_row, a.v_row,
                                d + 2 * Q + V + c.rows - 1, d + 2 * Q + V + 2 * c.rows - 1});
  return all;
}

}  // namespace

TEST_CASE("attention over a history has the same bits on every ISA", "[kernels][isa]") {
  for (const Case& c : {Case{1, 1, 1, 1, true},
                        {24, 1, 50, 50, true},
                        {61, 2, 25, 17, true},
                        {33, 3, 8, 12, false},
                        {50, 1, 50, 50, false}}) {
    CAPTURE(c.rows, c.heads, c.qk_dim, c.v_dim, c.biased);
    const Inputs in(c);
    const std::vector<float> want = run(*select_kernels("scalar"), c, in);
    on_every_isa([&](const KernelTable& k) { CHECK(ref::differing(run(k, c, in), want) == 0); });
  }
}

TEST_CASE("a row of attention over a history has the same bits alone as with the others", "[kernels]") {
  for (const Case& c : {Case{61, 2, 25, 17, true}, {50, 1, 50, 50, false}}) {
    const Inputs in(c);
    const int64_t V = c.heads * c.v_dim;
    on_every_isa([&](const KernelTable& k) {
      std::vector<float> scratch(size_t(history_attend_scratch(c.rows, c.heads, c.qk_dim, c.v_dim))),
          all(size_t(c.rows * V)), some(all.size());
      k.history_attend(call_of(c, in, all.data(), scratch.data(), 0));
      for (const int64_t first : {int64_t(1), int64_t(23), c.rows - 2, c.rows - 1}) {
        k.history_attend(call_of(c, in, some.data(), scratch.data(), first));
        CHECK(std::memcmp(some.data(), all.data() + first * V, size_t((c.rows - first) * V) * 4) == 0);
      }
    });
  }
}

TEST_CASE("rows of recommenders have the same bits on every ISA", "[kernels][isa]") {
  for (const int64_t n : kAwkwardSizes)
    for (const int exponent : {0, 126, 140}) {
      CAPTURE(n, exponent);
      const Guarded<float> x(ref::wild(n, 7, exponent)), dy(ref::wild(n, 8, exponent)), table(ref::normal(9 * n, 9));
      const std::vector<int32_t> ids{3, 8, 0, 3, 5};
      const std::vector<float> weights{0.5f, -2.0f, 0.25f, 1.0f, 0.0f};
      const auto all = [&](const KernelTable& k) {
        const Guarded<float> y(std::vector<float>(size_t(n), 0.5f));
        std::vector<float> results;
        const auto keep = [&] { results.insert(results.end(), y.data(), y.data() + n); };
        k.layer_norm(y.data(), x.data(), nullptr, nullptr, n, 1e-6f);
        keep();
        k.layer_norm_backward(y.data(), dy.data(), x.data(), n, 1e-6f);
        keep();
        k.silu(y.data(), x.data(), n);
        keep();
        k.silu_backward(y.data(), dy.data(), x.data(), n);
        keep();
        const TableRows rows{.table = table.data(), .row = n, .ids = ids.data(), .count = 5, .n = n};
        k.gather_add(y.data(), rows, weights.data());
        keep();
        float dots[5];
        k.gather_dots(dots, table.data() + n, rows);
        results.insert(results.end(), dots, dots + 5);
        return results;
      };
      const std::vector<float> want = all(*select_kernels("scalar"));
      on_every_isa([&](const KernelTable& k) { CHECK(ref::differing(all(k), want) == 0); });
    }
}

}  // namespace test_history
