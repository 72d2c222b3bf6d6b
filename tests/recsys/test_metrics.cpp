// Metrics and calibration: scikit-learn's numbers (golden/probabilities.py prints them), numbers made by hand, and what
// is refused.
#include <cmath>
#include <limits>

#include "puna/base/error.h"
#include "puna/recsys/calibrate.h"
#include "puna/recsys/metrics.h"
#include "ref/random.h"
#include "support/catch.h"
#include "support/status.h"

using namespace puna;
using namespace puna::recsys;
using namespace puna::test;

namespace {

struct Data {
  std::vector<float> p, y;
};

Data golden_data() {
  Data d;
  for (int64_t i = 0; i < 400; ++i) {
    d.p.push_back(float((double((37 * i + 11) % 100) + 0.5) / 101.0));
    const double p = double(d.p.back());
    d.y.push_back(double((7919 * i + 13 * i * i) % 1000) / 1000.0 < 0.15 + 0.6 * p * p ? 1.0f : 0.0f);
  }
  return d;
}

bool close(double got, double want, double bound = 1e-12) {
  return std::abs(got - want) <= bound * std::max(1.0, std::abs(want));
}

}  // namespace

TEST_CASE("metrics have scikit-learn's values", "[recsys]") {
  const Data d = golden_data();
  const ProbabilityReport r = evaluate_probabilities(d.p, d.y);
  CHECK(r.examples == 400);
  CHECK(close(r.auc, 0.7162433155080213));
  CHECK(close(r.log_loss, 0.6997276051076706));
  CHECK(close(r.base_rate, 0.34));
  CHECK(close(r.ne, 1.0915583134657583));
  CHECK(close(r.predicted_over_observed, 1.45602795313222));
  CHECK(close(r.rmse, 0.4837710276026767));
  CHECK(close(r.ece, 0.18514851388987155));
  CHECK(r.bins.size() == 10);
}

TEST_CASE("metrics by hand: ties count half, fractions are that much of a positive, certainty stays finite",
          "[recsys]") {
  // Pairs (positive, negative): .8 over .8 a tie, .8 over .1 in order, .3 under .8, .3 over .1: 2.5 of 4
  const ProbabilityReport r =
      evaluate_probabilities(std::vector<float>{0.8f, 0.8f, 0.3f, 0.1f}, std::vector<float>{1, 0, 1, 0});
  CHECK(r.auc == 0.625);
  CHECK(close(r.log_loss, -(std::log(0.8) + std::log(0.2) + std::log(0.3) + std::log(0.9)) / 4, 1e-7));
  CHECK(close(r.ne, r.log_loss / std::log(2)));
  CHECK(r.bins.size() == 4);
  // Half a positive and half a negative at .4, a negative at .2: (half a tie + in order) of .5 * 1.5
  CHECK(close(evaluate_probabilities(std::vector<float>{0.4f, 0.2f}, std::vector<float>{0.5f, 0}).auc,
              (0.5 * 0.25 + 0.5) / 0.75));
  const ProbabilityReport sure = evaluate_probabilities(std::vector<float>{1, 0}, std::vector<float>{0, 1});
  CHECK(close(sure.log_loss, 24 * std::log(2), 1e-6));
  CHECK(sure.auc == 0);
  const ProbabilityReport same = evaluate_probabilities(std::vector<float>{0.5f, 0.7f}, std::vector<float>{1, 1});
  CHECK(std::isnan(same.auc));
  CHECK(std::isnan(same.ne));
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), 1.5f, -0.1f}) {
    CHECK(status_of([&] {
            evaluate_probabilities(std::vector<float>{0.5f, bad}, std::vector<float>{1, 0});
          }) == Status::invalid_argument);
    CHECK(status_of([&] {
            evaluate_probabilities(std::vector<float>{0.5f, 0.5f}, std::vector<float>{1, bad});
          }) == Status::invalid_argument);
  }
  CHECK(status_of([] { evaluate_probabilities({}, {}); }) == Status::invalid_argument);
}

TEST_CASE("Platt's fit is scikit-learn's", "[recsys]") {
  const Data d = golden_data();
  const Calibrator c = Calibrator::platt(d.p, d.y);
  CHECK(close(double(c.x()[0]), 0.4720436722390901, 1e-5));  // scikit-learn stops at a gradient of 1e-6 or so
  CHECK(close(double(c.y()[0]), -0.7341240096090649, 1e-5));
  // Outcomes that probabilities tell apart: his targets keep the slope finite.
  const Calibrator apart =
      Calibrator::platt(std::vector<float>{0.1f, 0.2f, 0.8f, 0.9f}, std::vector<float>{0, 0, 1, 1});
  CHECK(std::abs(apart(0.9f) - 0.75f) < 0.05f);
}

TEST_CASE("isotonic regression is scikit-learn's, and its calibrator follows the steps", "[recsys]") {
  const Data d = golden_data();
  std::vector<double> values(100), weights(100, 4.0);
  for (size_t i = 0; i < 400; ++i) values[size_t(std::lround(double(d.p[i]) * 101 - 0.5))] += double(d.y[i]) / 4;
  const std::vector<double> fitted = pool_adjacent_violators(values, weights);
  for (const auto& [at, want] :
       {std::pair<size_t, double>(0, 0.0), {20, 0.15625}, {40, 0.2}, {60, 0.3875}, {80, 0.5}, {99, 0.875}})
    CHECK(close(fitted[at], want));
  double squares = 0;
  for (const double v : fitted) squares += v * v;
  CHECK(close(squares, 15.272531114718612));
  const Calibrator c = Calibrator::isotonic(d.p, d.y);
  CHECK(c.x().size() == 11);
  for (size_t k = 1; k + 1 < c.x().size(); ++k)
    CHECK(std::abs(double(c.y()[k]) - fitted[size_t(std::lround(double(c.x()[k]) * 101 - 0.5))]) < 1e-6);
  CHECK(c(0.0f) == 0.5f / 401);  // never quite never
  for (int i = 0; i < 1000; ++i) REQUIRE(c(float(i + 1) / 1000) >= c(float(i) / 1000));
}

TEST_CASE("pooled values are the best non-decreasing ones", "[recsys]") {
  CHECK(pool_adjacent_violators(std::vector<double>{3, 1, 2}, std::vector<double>{1, 1, 1}) ==
        std::vector<double>{2, 2, 2});
  CHECK(pool_adjacent_violators(std::vector<double>{1, 3, 2}, std::vector<double>{5, 1, 3}) ==
        std::vector<double>{1, 2.25, 2.25});
  CHECK(pool_adjacent_violators({}, {}).empty());
  // Any other non-decreasing values are farther away.
  ref::Random random(3);
  for (int round = 0; round < 50; ++round) {
    std::vector<double> v, w, other;
    for (int i = 0; i < 30; ++i) {
      v.push_back(random.uniform());
      w.push_back(0.1 + random.uniform());
      other.push_back((other.empty() ? 0.0 : other.back()) + 0.06 * random.uniform());
    }
    const std::vector<double> best = pool_adjacent_violators(v, w);
    double distance = 0, along = 0;
    for (size_t i = 0; i < v.size(); ++i) {
      if (i > 0) REQUIRE(best[i] >= best[i - 1]);
      distance += w[i] * (v[i] - best[i]) * best[i];
      along += w[i] * (v[i] - best[i]) * other[i];
    }
    CHECK(std::abs(distance) < 1e-9);  // a projection on a cone: the rest is at a right angle,
    CHECK(along < 1e-9);               // and turned away from everything in it
  }
}

TEST_CASE("a calibrator learned on one half comes true on the other", "[recsys]") {
  ref::Random random(5);
  std::vector<float> p[2], y[2];
  for (int i = 0; i < 20000; ++i) {
    const double q = random.uniform();
    p[i % 2].push_back(float(q));
    y[i % 2].push_back(random.uniform() < 0.02 + 0.5 * q * q ? 1.0f : 0.0f);
  }
  const ProbabilityReport before = evaluate_probabilities(p[1], y[1]);
  for (const bool isotonic : {false, true}) {
    const Calibrator c = isotonic ? Calibrator::isotonic(p[0], y[0]) : Calibrator::platt(p[0], y[0]);
    std::vector<float> after = p[1];
    for (float& v : after) v = c(v);
    const ProbabilityReport r = evaluate_probabilities(after, y[1]);
    CHECK(before.ece > 0.2);
    CHECK(r.ece < (isotonic ? 0.015 : 0.04));
    CHECK(r.ne < before.ne);
    CHECK(r.auc > before.auc - 0.002);
    CHECK(std::abs(r.predicted_over_observed - 1) < 0.05);
  }
}

TEST_CASE("left-out negatives are put back", "[recsys]") {
  CHECK(with_all_negatives(0.5, 1.0) == 0.5);
  CHECK(close(with_all_negatives(0.5, 0.1), 1.0 / 11));  // one positive to one negative kept of ten
  CHECK(with_all_negatives(0, 0.1) == 0);
  CHECK(with_all_negatives(1, 0.1) == 1);
}

TEST_CASE("calibrators that are none are refused", "[recsys]") {
  using Kind = Calibrator::Kind;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto refused = [](Kind kind, std::vector<float> x, std::vector<float> y) {
    return status_of([&] { Calibrator::of(kind, x, y); }) == Status::invalid_argument;
  };
  CHECK(refused(Kind::platt, {}, {}));
  CHECK(refused(Kind::platt, {1, 2}, {1, 2}));
  CHECK(refused(Kind::platt, {nan}, {0}));
  CHECK(refused(Kind::isotonic, {}, {}));
  CHECK(refused(Kind::isotonic, {0.5f, 0.5f}, {0.1f, 0.2f}));
  CHECK(refused(Kind::isotonic, {0.2f, 0.5f}, {0.3f, 0.2f}));
  CHECK(refused(Kind::isotonic, {0.2f, 1.5f}, {0.3f, 0.4f}));
  CHECK(refused(Kind::isotonic, {0.2f}, {0.3f, 0.4f}));
  CHECK(refused(Kind(7), {0.2f}, {0.3f}));
  CHECK(Calibrator()(0.3f) == 0.3f);
}
