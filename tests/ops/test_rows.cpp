// Stages over rows: norm and SwiGLU against their formulas, alone and with the linear layers that read them, and what
// quantised forms they leave.
#include "ops/rows.h"

#include "ops/pass.h"
#include "ops/weights.h"
#include "ref/compare.h"
#include "support/catch.h"

using namespace puna;
using namespace puna::test;
using ref::kRound;

TEST_CASE("norm_rows works row by row and quantises where a consumer wants it", "[ops]") {
  const int64_t R = 5, D = 64;
  const StoredWeight quantised(DType::q8_0, 1, D, 401), plain(DType::f32, 1, D, 402);
  std::vector<float> x = ref::normal(R * D, 403);
  const std::vector<float> w = ref::normal(D, 405);
  for (const bool exact : {true, false})
    for (const StoredWeight* consumer : {&quantised, &plain})
      run_pass("", exact, [&](Inference& rec) {
        const Activations a = make_activations(rec, R, D, {&consumer->weight});
        const View vx(x.data(), DType::f32, {R, D});
        norm_rows(rec, a, vx, w.data(), 1e-5f);
        CHECK((a.q != nullptr) == (!exact && consumer == &quantised));
        rec.stage(1, [&](int64_t) {
          for (int64_t t = 0; t < R; ++t) {
            const ref::Row row(vx.row(t), size_t(D));
            const std::vector<double> norm = ref::rms_norm(row, w, double(1e-5f));
            ref::check_within({a.x.row(t), size_t(D)}, norm, [&](size_t i) { return 16 * kRound * std::abs(norm[i]); });
            if (!a.q) continue;
            for (int64_t i = 0; i < D; ++i) {
              const QRow q = a.quantised(t);
              CHECK(std::abs(double(q.d[i / kGroup]) * q.q[i] - a.x.row(t)[i]) <= 0.501 * q.d[i / kGroup]);
            }
          }
        });
      });
}

TEST_CASE("norm_linear and swiglu_linear are their parts, quantised and not", "[ops]") {
  const int64_t R = 5, D = 64, N = 48;
  const std::vector<float> w = ref::normal(D, 405), gate = ref::normal(R * D, 406), up = ref::normal(R * D, 407);
  std::vector<float> x = ref::normal(R * N, 408), in = ref::normal(R * D, 409);
  for (const DType dtype : {DType::f32, DType::q8_0})
    for (const bool exact : {true, false}) {
      const StoredWeight a(dtype, N, D, 410),
          b(DType::f32, N, D, 411);  // one consumer wants the quantised form, the other does not
      run_pass("", exact, [&](Inference& rec) {
        const auto view = [](const std::vector<float>& v, int64_t cols) {
          return View(const_cast<float*>(v.data()), DType::f32, {R, cols});
        };
        const View ya = rec.make(R, N), yb = rec.make(R, N), za = rec.make(R, N), zb = rec.make(R, N),
                   sum = rec.make(R, N), parts = rec.make(R, N);
        norm_linear(rec, view(in, D), w.data(), 1e-5f, {{ya, &b.weight}, {yb, &a.weight}});
        const Activations xn = make_activations(rec, R, D, {&a.weight}), h = make_activations(rec, R, D, {&a.weight});
        norm_rows(rec, xn, view(in, D), w.data(), 1e-5f);
        linear(rec, xn, {{za, &b.weight}, {zb, &a.weight}});
        rec.stage(R, [&](int64_t t) {
          memcpy(sum.row(t), x.data() + t * N, size_t(N) * 4);
          memcpy(parts.row(t), x.data() + t * N, size_t(N) * 4);
          const std::vector<double> act = ref::swiglu({gate.data() + t * D, size_t(D)}, {up.data() + t * D, size_t(D)});
          std::copy(act.begin(), act.end(), h.x.row(t));
          finish_row(rec.kernels(), h, t);
        });
        swiglu_linear(rec, sum, view(gate, D), view(up, D), a.weight);
        linear(rec, h, {{parts, &a.weight, true}});
        rec.stage(1, [&](int64_t) {
          CHECK(ref::differing({ya.f32(), size_t(R * N)}, {za.f32(), size_t(R * N)}) == 0);
          CHECK(ref::differing({yb.f32(), size_t(R * N)}, {zb.f32(), size_t(R * N)}) == 0);
          const std::vector<double> want(
              parts.f32(),
              parts.f32() + R * N);  // our exp is not libm's, and a value near .5 may be quantised the other way
          const double share = h.q ? 1e-2 : 1e-5;
          ref::check_within({sum.f32(), size_t(R * N)}, want, [&](size_t) { return share; });
        });
      });
    }
}
