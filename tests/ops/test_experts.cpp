// Mixture of experts as Llama 4 does it: best experts by raw logit, ties to the lower one, sigmoid of the logit on the
// expert's input.
#include "ops/experts.h"

#include <algorithm>
#include <numeric>

#include "ops/pass.h"
#include "ops/weights.h"
#include "ref/compare.h"
#include "support/catch.h"

using namespace puna;
using namespace puna::test;

namespace {

struct StoredExpert {
  StoredExpert(DType dtype, int64_t F, int64_t D, uint64_t seed)
      : gate(dtype, F, D, seed), up(dtype, F, D, seed + 1), down(dtype, D, F, seed + 2) {}
  ExpertWeights weights() const { return {gate.weight, up.weight, down.weight}; }
  ref::Expert plain() const { return {gate.plain, up.plain, down.plain}; }
  StoredWeight gate, up, down;
};

struct Moe {
  Moe(DType dtype, int64_t experts, int64_t D, int64_t F, int64_t shared_F, int64_t top_k_)
      : top_k(top_k_), router(DType::f32, experts, D, 301) {
    for (int64_t e = 0; e < experts; ++e) stored.emplace_back(dtype, F, D, uint64_t(310 + 3 * e));
    for (const StoredExpert& e : stored) weights.push_back(e.weights());
    if (shared_F) shared.emplace_back(dtype, shared_F, D, 900);
    if (shared_F) shared_weights = shared[0].weights();
  }
  int64_t hidden() const { return router.plain.cols; }

  // x += moe(xn) for the rows of `xn`; returns x.
  std::vector<float> run(const std::vector<float>& x, const std::vector<float>& xn, bool exact, int threads = 1,
                         const char* isa = "") const {
    const int64_t D = hidden(), R = int64_t(xn.size()) / D;
    std::vector<float> out = x;
    const auto pool = make_thread_pool(threads, {});
    run_pass(*select_kernels(isa), *pool, exact, [&](Inference& rec) {
      const Activations a =
          make_activations(rec, R, D, {&weights[0].gate, &weights[0].up, &shared_weights.gate, &shared_weights.up});
      rec.stage(R, [&](int64_t t) {
        memcpy(a.x.row(t), xn.data() + t * D, size_t(D) * 4);
        finish_row(rec.kernels(), a, t);
      });
      const Routes routes = route(rec, a, router.weight, {top_k});
      experts_add(rec, View(out.data(), DType::f32, {R, D}), a, routes, weights,
                  shared.empty() ? nullptr : &shared_weights);
    });
    return out;
  }

  std::vector<double> want(const std::vector<float>& x, const std::vector<float>& xn) const {
    const int64_t D = hidden();
    std::vector<double> out(x.begin(), x.end());
    for (size_t t = 0; t < xn.size() / size_t(D); ++t) {
      const std::vector<double> row(xn.begin() + std::ptrdiff_t(t) * D, xn.begin() + std::ptrdiff_t(t + 1) * D);
      const std::vector<double> logits = ref::linear(router.plain, row).value;
      std::vector<size_t> best(logits.size());
      std::iota(best.begin(), best.end(), size_t(0));
      std::stable_sort(best.begin(), best.end(), [&](size_t a, size_t b) { return logits[a] > logits[b]; });
      const auto add = [&](const std::vector<double>& y) {
        for (size_t i = 0; i < y.size(); ++i) out[t * size_t(D) + i] += y[i];
      };
      for (int64_t s = 0; s < top_k; ++s) {
        std::vector<double> scaled = row;
        for (double& v : scaled) v *= ref::sigmoid(logits[best[size_t(s)]]);
        add(stored[best[size_t(s)]].plain().run(scaled));
      }
      if (!shared.empty()) add(shared[0].plain().run(row));
    }
    return out;
  }

  int64_t top_k;
  StoredWeight router;
  std::vector<StoredExpert> stored, shared;
  std::vector<ExpertWeights> weights;
  ExpertWeights shared_weights;
};

}  // namespace

TEST_CASE("experts agree with the formula, with and without a shared one", "[ops]") {
  for (const int64_t shared_F : {0, 20, 50})
    for (const int64_t top_k : {1, 2, 5}) {
      const Moe moe(DType::f32, 5, 24, 33, shared_F, top_k);
      for (const int64_t R : {1, 2, 70, 200}) {
        CAPTURE(shared_F, top_k, R);
        const std::vector<float> x = ref::normal(R * 24, 302), xn = ref::normal(R * 24, 303);
        ref::check_within(moe.run(x, xn, true), moe.want(x, xn),
                          [](size_t) { return 2e-5; });  // values of size 1, chains of 24 + 33 products
      }
    }
}

TEST_CASE("a row's experts do not depend on the other rows, the threads or the ISA", "[ops]") {
  for (const DType dtype : {DType::f32, DType::q8_0})
    for (const bool exact : {true, false}) {
      const Moe moe(dtype, 6, 64, 96, 32, 2);
      const std::vector<float> x = ref::normal(70 * 64, 304), xn = ref::normal(70 * 64, 305);
      const std::vector<float> want = moe.run(x, xn, exact, 1, "scalar");
      for (const std::string& isa : supported_isas())
        CHECK(ref::differing(moe.run(x, xn, exact, 3, isa.c_str()), want) == 0);
      for (const std::ptrdiff_t t : {0, 13, 69}) {
        const auto row = [&](const std::vector<float>& v) {
          return std::vector<float>(v.begin() + t * 64, v.begin() + (t + 1) * 64);
        };
        CHECK(ref::differing(moe.run(row(x), row(xn), exact), row(want)) == 0);
      }
    }
}

TEST_CASE("routes name the best logits, ties to the lower expert, and group rows in order", "[ops]") {
  const int64_t E = 7, D = 8, R = 40, top_k = 3;
  std::vector<float> values = ref::normal(E * D, 306);
  for (int64_t i = 0; i < D; ++i) values[size_t(5 * D + i)] = values[size_t(2 * D + i)];  // experts 2 and 5 always tie
  const StoredWeight router(DType::f32, E, D, values);
  const std::vector<float> xn = ref::normal(R * D, 307);
  run_pass("", true, [&](Inference& rec) {
    const Activations a = make_activations(rec, R, D, {&router.weight});
    rec.stage(R, [&](int64_t t) { memcpy(a.x.row(t), xn.data() + t * D, size_t(D) * 4); });
    View logits;
    const Routes r = route(rec, a, router.weight, {top_k});
    logits = r.logits;
    CHECK((r.count == R * top_k && r.top_k == top_k));
    rec.stage(1, [&](int64_t) {
      int wrong_choice = 0, wrong_score = 0, wrong_order = 0, ties = 0;
      for (int64_t t = 0; t < R; ++t) {
        std::vector<int32_t> best(E);
        std::iota(best.begin(), best.end(), 0);
        std::stable_sort(best.begin(), best.end(),
                         [&](int32_t i, int32_t j) { return logits.row(t)[i] > logits.row(t)[j]; });
        for (int64_t s = 0; s < top_k; ++s) {
          const int32_t e = r.expert[t * top_k + s];
          wrong_choice += e != best[size_t(s)];
          ties += e == 2 && logits.row(t)[2] == logits.row(t)[5];
          wrong_score += std::abs(r.score[t * top_k + s] - ref::sigmoid(double(logits.row(t)[e]))) > 4e-7;
        }
      }
      std::vector<int> seen(size_t(r.count), 0);
      for (int64_t e = 0; e < E; ++e)
        for (int32_t i = r.first[e]; i < r.first[e + 1]; ++i) {
          wrong_order += r.expert[r.order[i]] != e || (i > r.first[e] && r.order[i] <= r.order[i - 1]);
          ++seen[size_t(r.order[i])];
        }
      wrong_order += std::count(seen.begin(), seen.end(), 1) != r.count || r.first[0] != 0 || r.first[E] != r.count;
      CHECK(wrong_choice == 0);
      CHECK(wrong_score == 0);
      CHECK(wrong_order == 0);
      CHECK(ties > 0);
    });
  });
}
