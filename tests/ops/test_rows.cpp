// Stages over rows: norm and SwiGLU against their formulas, and what quantised forms they leave.
#include "ops/rows.h"

#include "ops/pass.h"
#include "ops/weights.h"
#include "ref/compare.h"
#include "support/catch.h"

using namespace puna;
using namespace puna::test;
using ref::kRound;

TEST_CASE("norm_rows and swiglu_rows work row by row and quantise where a consumer wants it", "[ops]") {
  const int64_t R = 5, D = 64;
  const StoredWeight quantised(DType::q8_0, 1, D, 401), plain(DType::f32, 1, D, 402);
  std::vector<float> x = ref::normal(R * D, 403), up = ref::normal(R * D, 404);
  const std::vector<float> w = ref::normal(D, 405);
  for (const bool exact : {true, false})
    for (const StoredWeight* consumer : {&quantised, &plain})
      run_pass("", exact, [&](Inference& rec) {
        const Activations a = make_activations(rec, R, D, {&consumer->weight}), b = make_activations(rec, R, D, {&consumer->weight});
        const View vx(x.data(), DType::f32, {R, D}), vu(up.data(), DType::f32, {R, D});
        norm_rows(rec, a, vx, w.data(), 1e-5f);
        swiglu_rows(rec, b, vx, vu);
        CHECK((a.q != nullptr) == (!exact && consumer == &quantised));
        rec.stage(1, [&](int64_t) {
          for (int64_t t = 0; t < R; ++t) {
            const ref::Row row(vx.row(t), size_t(D)), gate_up(vu.row(t), size_t(D));
            const std::vector<double> norm = ref::rms_norm(row, w, double(1e-5f)), swiglu = ref::swiglu(row, gate_up);
            ref::check_within({a.x.row(t), size_t(D)}, norm, [&](size_t i) { return 16 * kRound * std::abs(norm[i]); });
            ref::check_within({b.x.row(t), size_t(D)}, swiglu, [&](size_t i) { return 1e-6 * std::abs(swiglu[i]); });
            if (!a.q) continue;
            for (const Activations* act : {&a, &b})
              for (int64_t i = 0; i < D; ++i) {
                const QRow q = act->quantised(t);
                CHECK(std::abs(double(q.d[i / kGroup]) * q.q[i] - act->x.row(t)[i]) <= 0.501 * q.d[i / kGroup]);
              }
          }
        });
      });
}
