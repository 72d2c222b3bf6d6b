// Linear layers and the loss against matrix calculus by Eigen, in double, at sizes of several tiles: what the formulas
// in complex numbers of test_gradients.cpp would take too long for.
#include "ops/loss.h"
#include "ops/on_tape.h"
#include "ops/rows.h"
#include "ops/weights.h"
#include "ref/compare.h"
#include "ref/eigen.h"
#include "support/catch.h"

using namespace puna;
using namespace puna::test;
using ref::Doubles;
using Floats = std::vector<float>;

namespace {

// |got - want| is at most some roundings a step of the terms' magnitude.
void check_matrix(const char* what, const Floats& got, const Doubles& want, const Doubles& magnitude, int64_t steps) {
  CAPTURE(what);
  ref::check_within(got, ref::values_of(want),
                    [&](size_t i) { return 2 * double(steps + 8) * ref::kRound * magnitude.data()[i] + ref::kTiny; });
}

}  // namespace

TEST_CASE("a linear layer and its adapter are Eigen's products, forward and backward", "[ops][grad]") {
  for (const auto& [T, N, K] : {std::array<int64_t, 3>{1, 1, 1}, {131, 40, 33}, {7, 300, 100}, {260, 130, 257}}) {
    CAPTURE(T, N, K);
    const int64_t r = 3;
    const float scale = 0.7f;
    const StoredWeight w(DType::f32, N, K, 1), a(DType::f32, r, K, 2), b(DType::f32, N, r, 3);
    const Floats x = ref::normal(T * K, 4), dy = ref::normal(T * N, 5);
    Floats y, dx, dw(w.panels.size() / 4), da(a.panels.size() / 4), db(b.panels.size() / 4);
    const LoraMap adapter{{w.weight.panels, {a.weight, b.weight, scale}}};
    on_tape({{w.weight.panels, dw.data()}, {a.weight.panels, da.data()}, {b.weight.panels, db.data()}},
            [&, K = K, T = T, N = N](Tape& rec) {
              Activations in;
              in.x = put(rec, x, T, K);
              const View out = rec.make(T, N);
              linear(rec, in, {{out, &w.weight}});
              take_values(rec, y, out);
              set_gradient(rec, out, dy);
              rec.backward();
              take(rec, dx, in.x);
            },
            {.threads = 2, .adapter = &adapter});

    const Doubles X = ref::wide(x, K), W = ref::wide(w.plain.values, K), A = ref::wide(a.plain.values, K),
                  B = ref::wide(b.plain.values, r), dY = ref::wide(dy, N);
    const Doubles Xm = X.cwiseAbs(), Wm = W.cwiseAbs(), Am = A.cwiseAbs(), Bm = B.cwiseAbs(), dYm = dY.cwiseAbs();
    const double s = double(scale);
    const int64_t inner = r + K;  // the longest chain of sums behind a value, besides those over rows or outputs
    check_matrix("y", y, X * W.transpose() + s * X * A.transpose() * B.transpose(),
                 Xm * Wm.transpose() + s * Xm * Am.transpose() * Bm.transpose(), inner);
    check_matrix("dx", dx, dY * W + s * dY * B * A, dYm * Wm + s * dYm * Bm * Am, N + r);
    check_matrix("dw", out_of_panels(dw, N, K), dY.transpose() * X, dYm.transpose() * Xm, T);
    check_matrix("da", out_of_panels(da, r, K), s * B.transpose() * dY.transpose() * X,
                 s * Bm.transpose() * dYm.transpose() * Xm, T + N);
    check_matrix("db", out_of_panels(db, N, r), s * dY.transpose() * X * A.transpose(),
                 s * dYm.transpose() * Xm * Am.transpose(), T + K);
  }
}

TEST_CASE("the loss's gradient is softmax minus what came, times head and rows, by Eigen", "[ops][grad]") {
  const int64_t n = 150, D = 40, V = 1003;  // several chunks of rows and tiles of the head
  const StoredWeight head(DType::f32, V, D, 41);
  const Floats x = ref::normal(n * D, 42), weights = ref::normal(n, 43);
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < n; ++i) labels.push_back(int32_t(i * 7 % V));
  Floats dhead(head.panels.size() / 4), dx;
  std::vector<double> nll(static_cast<size_t>(n));
  on_tape({{head.weight.panels, dhead.data()}},
          [&](Tape& rec) {
            const View in = put(rec, x, n, D);
            token_losses(rec, nll.data(), in, head.weight, labels.data(), weights.data());
            rec.backward();
            take(rec, dx, in);
          },
          {.threads = 2});

  const Doubles X = ref::wide(x, D), W = ref::wide(head.plain.values, D), logits = X * W.transpose();
  const Eigen::VectorXd weight = ref::wide(weights, 1).col(0), most = logits.rowwise().maxCoeff();
  Doubles p = (logits.colwise() - most).array().exp();
  const Eigen::VectorXd total = p.rowwise().sum();
  p = total.cwiseInverse().asDiagonal() * p;
  Eigen::VectorXd want = most.array() + total.array().log();
  for (int64_t i = 0; i < n; ++i) {
    want[i] -= logits(i, labels[size_t(i)]);
    p(i, labels[size_t(i)]) -= 1;
  }
  const Doubles d = weight.asDiagonal() * p, dm = d.cwiseAbs(), Xm = X.cwiseAbs(), Wm = W.cwiseAbs();
  for (int64_t i = 0; i < n; ++i) CHECK(std::abs(nll[size_t(i)] - want[i]) < 1e-5);
  // A probability is off by its exponent's rounding: some 50 steps of a logit's 40 products.
  check_matrix("dx", dx, d * W, dm * Wm, V);
  check_matrix("dhead", out_of_panels(dhead, V, D), d.transpose() * X, dm.transpose() * Xm, n);
}
