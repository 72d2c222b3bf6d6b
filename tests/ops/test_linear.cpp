// y = W x in every mode and weight type: exact products against double, quantised ones against what they claim to
// multiply.
#include "ops/linear.h"

#include "ops/pass.h"
#include "ops/weights.h"
#include "ref/compare.h"
#include "support/catch.h"

using namespace puna;
using namespace puna::test;
using ref::kRound;

namespace {

std::vector<double> doubles(const float* x, int64_t n) { return {x, x + n}; }

// The row as the default mode multiplies it: d * q.
std::vector<double> rounded(const Activations& a, int64_t t) {
  const QRow q = a.quantised(t);
  std::vector<double> x;
  for (int64_t i = 0; i < a.x.dims[1]; ++i) x.push_back(double(q.d[i / kGroup]) * q.q[i]);
  return x;
}

struct Case {
  DType dtype;
  int64_t rows, N, K;
};

void check_linear(const Case& c, bool exact, bool add) {
  CAPTURE(name(c.dtype), c.rows, c.N, c.K, exact, add);
  const StoredWeight w(c.dtype, c.N, c.K, 201);
  const std::vector<float> input = ref::normal(c.rows * c.K, 202), start = ref::normal(c.rows * c.N, 203);
  std::vector<float> out = start;
  std::vector<double> want, magnitude;
  run_pass("", exact, [&](Inference& rec) {
    const Activations a = make_activations(rec, c.rows, c.K, {&w.weight});
    const bool quantised = !exact && is_quantised(c.dtype);
    CHECK((a.q != nullptr) == quantised);
    rec.stage(c.rows, [&](int64_t t) {
      memcpy(a.x.row(t), input.data() + t * c.K, size_t(c.K) * 4);
      finish_row(rec.kernels(), a, t);
    });
    rec.stage(1, [&](int64_t) {
      for (int64_t t = 0; t < c.rows; ++t) {
        const ref::Product p = ref::linear(w.plain, quantised ? rounded(a, t) : doubles(a.x.row(t), c.K));
        for (int64_t n = 0; n < c.N; ++n) {
          want.push_back(p.value[size_t(n)] + (add ? start[size_t(t * c.N + n)] : 0));
          magnitude.push_back(p.magnitude[size_t(n)] + std::abs(start[size_t(t * c.N + n)]));
        }
      }
    });
    linear(rec, a, {{View(out.data(), DType::f32, {c.rows, c.N}), &w.weight, add}});
  });
  const double steps = double(c.K) + 4;  // one rounding a column; quantised: a few a group, and less than one a column
  ref::check_within(out, want, [&](size_t i) { return 4 * steps * kRound * magnitude[i]; });
}

}  // namespace

TEST_CASE("linear is W x for any number of rows and outputs", "[ops]") {
  for (const bool exact : {true, false})
    for (const bool add : {false, true}) {
      for (const int64_t rows : {1, 3, 64, 127, 128, 129, 300}) check_linear({DType::f32, rows, 33, 24}, exact, add);
      for (const int64_t rows : {1, 2, 40, 130})
        check_linear({DType::q8_0, rows, 1500, 32}, exact, add);  // several tiles of panels
      for (const int64_t N : {1, 15, 16, 17, 48}) check_linear({DType::q8_0, 3, N, 64}, exact, add);
      for (const int64_t K : {1, 7, 255, 256, 257, 1031}) check_linear({DType::bf16, 2, 5, K}, exact, add);
      for (const int64_t K : {32, 256, 288, 1056}) check_linear({DType::q4_1, 5, 20, K}, exact, add);
    }
}

TEST_CASE("linear reads every weight type", "[ops]") {
  for (const DType dtype :
       {DType::f32, DType::f16, DType::bf16, DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1, DType::q8_0})
    for (const bool exact : {true, false}) check_linear({dtype, 4, 19, 96}, exact, false);
}

TEST_CASE("several products of one input are what each is alone", "[ops]") {
  const StoredWeight a(DType::q8_0, 17, 64, 211), b(DType::f16, 40, 64, 212), c(DType::q4_0, 1, 64, 213);
  const std::vector<float> input = ref::normal(70 * 64, 214);
  for (const bool exact : {true, false}) {
    std::vector<float> together(70 * 58), alone(70 * 58);
    float* to[2] = {together.data(), alone.data()};
    run_pass("", exact, [&](Inference& rec) {
      const Activations x = make_activations(rec, 70, 64, {&a.weight, &b.weight, &c.weight});
      rec.stage(70, [&](int64_t t) {
        memcpy(x.x.row(t), input.data() + t * 64, 64 * 4);
        finish_row(rec.kernels(), x, t);
      });
      const auto y = [&](int which, int64_t skip, int64_t n) {
        return View(to[which] + 70 * skip, DType::f32, {70, n});
      };
      linear(rec, x, {{y(0, 0, 17), &a.weight}, {y(0, 17, 40), &b.weight}, {y(0, 57, 1), &c.weight}});
      linear(rec, x, {{y(1, 0, 17), &a.weight}});
      linear(rec, x, {{y(1, 17, 40), &b.weight}});
      linear(rec, x, {{y(1, 57, 1), &c.weight}});
    });
    CHECK(ref::differing(together, alone) == 0);
  }
}

TEST_CASE("a row's bits do not depend on the batch, the threads or the ISA", "[ops]") {
  for (const DType dtype : {DType::q4_1, DType::f16, DType::f32})
    for (const bool exact : {true, false}) {
      const StoredWeight w(dtype, 50, 288, 221);
      const std::vector<float> input = ref::normal(67 * 288, 222);
      const auto product = [&](const std::string& isa, int threads, int64_t first, int64_t rows) {
        std::vector<float> out(size_t(rows * 50));
        const auto pool = make_thread_pool(threads, {});
        run_pass(*select_kernels(isa.c_str()), *pool, exact, [&](Inference& rec) {
          const Activations x = make_activations(rec, rows, 288, {&w.weight});
          rec.stage(rows, [&](int64_t t) {
            memcpy(x.x.row(t), input.data() + (first + t) * 288, 288 * 4);
            finish_row(rec.kernels(), x, t);
          });
          linear(rec, x, {{View(out.data(), DType::f32, {rows, 50}), &w.weight}});
        });
        return out;
      };
      const std::vector<float> want = product("scalar", 1, 0, 67);
      for (const std::string& isa : supported_isas()) CHECK(ref::differing(product(isa, 3, 0, 67), want) == 0);
      for (const int64_t t : {0, 5, 63, 64, 66})
        CHECK(ref::differing(product("", 1, t, 1), {want.data() + t * 50, 50}) == 0);
    }
}

TEST_CASE("force_f32 multiplies quantised weights without rounding the input", "[ops]") {
  const StoredWeight w(DType::q8_0, 6, 64, 231);
  const std::vector<float> input = ref::normal(3 * 64, 232);
  std::vector<float> forced(18), exact(18);
  for (const bool mode : {false, true})
    run_pass("", mode, [&](Inference& rec) {
      const Activations x = make_activations(rec, 3, 64, {&w.weight});
      rec.stage(3, [&](int64_t t) {
        memcpy(x.x.row(t), input.data() + t * 64, 64 * 4);
        finish_row(rec.kernels(), x, t);
      });
      linear(rec, x, {{View(mode ? exact.data() : forced.data(), DType::f32, {3, 6}), &w.weight}}, /*force_f32=*/!mode);
    });
  CHECK(ref::differing(forced, exact) == 0);
}
