// Fits and figures of recommenders against other ways to them, by Eigen: least squares by QR instead of normal
// equations, Platt's fit by reweighted least squares, metrics over all pairs and as one expression each.
#include "puna/recsys/calibrate.h"
#include "puna/recsys/content_tower.h"
#include "puna/recsys/metrics.h"
#include "ref/compare.h"
#include "ref/eigen.h"
#include "ref/least_squares.h"
#include "ref/random.h"
#include "support/catch.h"

using namespace puna;
using namespace puna::recsys;
using ref::Doubles;

namespace {

bool near_to(double got, double want, double bound) {
  return std::abs(got - want) <= bound * std::max(1.0, std::abs(want));
}

struct Predictions {
  std::vector<float> p, y;
};

// Probabilities with ties; every third outcome is a fraction.
Predictions predictions(int64_t n, uint64_t seed) {
  ref::Random random(seed);
  Predictions o;
  for (int64_t i = 0; i < n; ++i) {
    o.p.push_back(float(random.between(1, 98)) / 99);
    const double chance = 0.1 + 0.7 * double(o.p.back()) * double(o.p.back());
    o.y.push_back(i % 3 == 0 ? float(chance) : random.uniform() < chance ? 1.0f : 0.0f);
  }
  return o;
}

}  // namespace

TEST_CASE("a content tower is the least squares of its rows and the ridge's, by QR", "[recsys]") {
  for (const auto& [n, C, D] : {std::array<int64_t, 3>{40, 9, 3}, {200, 64, 17}, {30, 50, 4}}) {  // fewer items too
    CAPTURE(n, C, D);
    const std::vector<float> x = ref::normal(n * C, 61), y = ref::normal(n * D, 62), unseen = ref::normal(20 * C, 63);
    std::vector<float> weights;
    ref::Random random(64);
    for (int64_t i = 0; i < n; ++i) weights.push_back(i % 11 == 0 ? 0.0f : float(0.25 + random.uniform()));
    const double ridge = 0.05;

    const Eigen::VectorXd share = ref::wide(weights, 1).col(0) / ref::wide(weights, 1).sum();
    const Doubles X = ref::wide(x, C), Y = ref::wide(y, D);
    const Eigen::RowVectorXd mean_x = share.transpose() * X, mean_y = share.transpose() * Y;
    const Eigen::VectorXd root = share.cwiseSqrt();
    Eigen::MatrixXd rows = Eigen::MatrixXd::Zero(n + C, C), right = Eigen::MatrixXd::Zero(n + C, D);
    rows.topRows(n) = root.asDiagonal() * (X.rowwise() - mean_x);
    rows.bottomRows(C) = std::sqrt(ridge) * Eigen::MatrixXd::Identity(C, C);
    right.topRows(n) = root.asDiagonal() * (Y.rowwise() - mean_y);
    const Eigen::MatrixXd map = ref::least_squares(rows, right);
    const Doubles want = ((ref::wide(unseen, C).rowwise() - mean_x) * map).rowwise() + mean_y;

    const std::vector<float> got = ContentTower::fit(x, C, y, D, ridge, weights).embed(unseen);
    ref::check_within(got, ref::values_of(want),
                      [&](size_t i) { return 2 * ref::kRound * std::abs(want.data()[i]) + 1e-9; });
  }
}

TEST_CASE("Platt's fit is where reweighted least squares end", "[recsys]") {
  for (const uint64_t seed : {71, 72, 73}) {
    const Predictions o = predictions(700, seed);
    const Eigen::ArrayXd p = ref::wide(o.p, 1).col(0), y = ref::wide(o.y, 1).col(0);
    const double positives = y.sum(), n = double(y.size());
    const Eigen::ArrayXd target = y * (positives + 1) / (positives + 2) + (1 - y) / (n - positives + 2);
    Eigen::MatrixXd X(y.size(), 2);
    X.col(0) = (p / (1 - p)).log();
    X.col(1).setOnes();
    Eigen::VectorXd b(2);
    b << 1, 0;
    for (int i = 0; i < 50; ++i) {
      const Eigen::ArrayXd z = X * b, s = 1 / (1 + (-z).exp()), curve = s * (1 - s);
      const Eigen::VectorXd working = z + (target - s) / curve, root = curve.sqrt();
      b = ref::least_squares(root.asDiagonal() * X, root.asDiagonal() * working);
    }
    const Calibrator c = Calibrator::platt(o.p, o.y);
    CHECK(near_to(double(c.x()[0]), b[0], 1e-6));
    CHECK(near_to(double(c.y()[0]), b[1], 1e-6));
  }
}

TEST_CASE("metrics are what their definitions over all pairs and all examples give", "[recsys]") {
  for (const int64_t n : {2, 17, 400, 1003}) {
    CAPTURE(n);
    const Predictions o = predictions(n, 81 + uint64_t(n));
    const Eigen::ArrayXd p = ref::wide(o.p, 1).col(0), y = ref::wide(o.y, 1).col(0);
    const ProbabilityReport r = evaluate_probabilities(o.p, o.y);
    const double log_loss = -(y * p.log() + (1 - y) * (1 - p).log()).mean(), base = y.mean(),
                 entropy = -(base * std::log(base) + (1 - base) * std::log(1 - base));
    CHECK(near_to(r.log_loss, log_loss, 1e-12));
    CHECK(near_to(r.base_rate, base, 1e-12));
    CHECK(near_to(r.ne, log_loss / entropy, 1e-12));
    CHECK(near_to(r.rmse, std::sqrt((p - y).square().mean()), 1e-12));
    CHECK(near_to(r.predicted_over_observed, p.mean() / base, 1e-12));
    // AUC: of example i as that much of a positive, and j as that much of a negative; of itself it is half right.
    const Eigen::ArrayXXd higher = p.replicate(1, n), lower = p.transpose().replicate(n, 1);
    const Eigen::ArrayXXd right = (higher > lower).cast<double>() + 0.5 * (higher == lower).cast<double>(),
                          share = (y.matrix() * (1 - y).matrix().transpose()).array();
    CHECK(near_to(r.auc, (right * share).sum() / share.sum(), 1e-12));
  }
}

TEST_CASE("isotonic values are the largest of the smallest means around them", "[recsys]") {
  for (const int64_t n : {1, 2, 30, 77}) {
    CAPTURE(n);
    ref::Random random(91 + uint64_t(n));
    Eigen::VectorXd v(n), w(n);
    for (int64_t i = 0; i < n; ++i) {
      v[i] = double(i) / double(n) + 0.5 * double(random.normal());
      w[i] = 0.1 + random.uniform();
    }
    // Mean over [a, b] for every a <= b, then max over a <= i of min over b >= i (Robertson, Wright and Dykstra 1988).
    Eigen::MatrixXd mean = Eigen::MatrixXd::Constant(n, n, 0);
    for (int64_t a = 0; a < n; ++a)
      for (int64_t b = a; b < n; ++b)
        mean(a, b) = v.segment(a, b - a + 1).dot(w.segment(a, b - a + 1)) / w.segment(a, b - a + 1).sum();
    const std::vector<double> got = pool_adjacent_violators({v.data(), size_t(n)}, {w.data(), size_t(n)});
    REQUIRE(int64_t(got.size()) == n);
    for (int64_t i = 0; i < n; ++i)
      CHECK(near_to(got[size_t(i)], mean.block(0, i, i + 1, n - i).rowwise().minCoeff().maxCoeff(), 1e-12));
  }
}
