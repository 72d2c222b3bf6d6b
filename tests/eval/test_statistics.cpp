// Statistics against scipy and statsmodels (golden/statistics.py), and what must hold whatever the numbers are.
#include <cmath>

#include "base/json.h"
#include "base/os.h"
#include "puna/eval/statistics.h"
#include "support/catch.h"
#include "support/status.h"

using namespace puna;
using namespace puna::eval;
using namespace puna::test;

namespace {

constexpr double kGolden = 1e-9;

const Json& golden() {
  static const Json all =
      parse_json(os::read_file(PUNA_SOURCE_DIR "/tests/data/eval/statistics.json", 1 << 24), "statistics.json");
  return all;
}

bool near(double got, double wanted, double relative = kGolden) {
  return std::fabs(got - wanted) <= relative * std::max(1e-300, std::fabs(wanted));
}

std::vector<double> scores_of(const Json& json) { return json["scores"].get<std::vector<double>>(); }

}  // namespace

TEST_CASE("Student's t, the normal and McNemar's binomial agree with scipy", "[eval][golden]") {
  for (const Json& row : golden()["t"]) {
    CAPTURE(row.dump());
    CHECK(near(t_two_sided(row[0].get<double>(), row[1].get<double>()), row[2].get<double>()));
  }
  for (const Json& row : golden()["t_quantile"]) {
    CAPTURE(row.dump());
    CHECK(near(t_quantile(row[0].get<double>(), row[1].get<double>()), row[2].get<double>()));
  }
  for (const Json& row : golden()["normal"]) CHECK(near(normal_quantile(row[0].get<double>()), row[1].get<double>()));
  for (const Json& row : golden()["mcnemar"]) {
    CAPTURE(row.dump());
    CHECK(near(mcnemar_exact(row[0].get<int64_t>(), row[1].get<int64_t>()), row[2].get<double>()));
  }
}

TEST_CASE("Wilson's interval, Holm's correction and clustered errors agree with statsmodels", "[eval][golden]") {
  for (const Json& row : golden()["wilson"]) {
    CAPTURE(row.dump());
    const Interval i = wilson_interval(row[0].get<int64_t>(), row[1].get<int64_t>());
    CHECK(std::fabs(i.low - row[2].get<double>()) < kGolden);
    CHECK(std::fabs(i.high - row[3].get<double>()) < kGolden);
  }
  for (const Json& row : golden()["holm"]) {
    const auto wanted = row[1].get<std::vector<double>>(), got = holm(row[0].get<std::vector<double>>());
    REQUIRE(got.size() == wanted.size());
    for (size_t i = 0; i < got.size(); ++i) CHECK(near(got[i], wanted[i]));
  }
  for (const Json& c : golden()["clustered"]) {
    const MeanEstimate e = clustered_mean(scores_of(c), c["clusters"].get<std::vector<int64_t>>());
    CHECK(near(e.mean, c["mean"].get<double>()));
    CHECK(near(e.error, c["error"].get<double>()));
    CHECK(near(e.interval.low, c["low"].get<double>(), 1e-8));  // a difference of two numbers
    CHECK(near(e.interval.high, c["high"].get<double>()));
    CHECK(near(e.p, c["p"].get<double>(), 1e-8));
  }
  const Json& plain = golden()["plain"];
  const MeanEstimate e = clustered_mean(scores_of(plain), {});
  CHECK(near(e.error, plain["error"].get<double>()));
  CHECK(near(e.p, plain["p"].get<double>(), 1e-8));
  CHECK(near(detectable_effect(1), golden()["detectable"].get<double>(), 1e-5));  // theirs counts the other tail
}

TEST_CASE("clusters of one item each are no clusters, whatever they are called", "[eval]") {
  const std::vector<double> scores = scores_of(golden()["plain"]);
  std::vector<int64_t> names;
  for (size_t i = 0; i < scores.size(); ++i) names.push_back(int64_t(scores.size() - i) * 1000);
  const MeanEstimate a = clustered_mean(scores, {}), b = clustered_mean(scores, names);
  CHECK(near(a.error, b.error, 1e-14));
  CHECK(a.clusters == b.clusters);
}

TEST_CASE("items that are there twice, as one cluster, tell no more than once", "[eval]") {
  const std::vector<double> scores = scores_of(golden()["plain"]);
  std::vector<double> twice;
  std::vector<int64_t> clusters;
  for (size_t i = 0; i < scores.size(); ++i)
    for (int k = 0; k < 2; ++k) {
      twice.push_back(scores[i]);
      clusters.push_back(int64_t(i));
    }
  CHECK(near(clustered_mean(twice, clusters).error, clustered_mean(scores, {}).error, 1e-12));
  CHECK(clustered_mean(twice, {}).error < 0.75 * clustered_mean(scores, {}).error);
}

TEST_CASE("the bootstrap's interval ends within 5 % of the t interval's width, and comes out again", "[eval]") {
  for (const Json& c : golden()["clustered"]) {
    const std::vector<double> scores = scores_of(c);
    if (scores.size() < 200) continue;
    for (const bool clustered : {false, true}) {
      const auto clusters = clustered ? c["clusters"].get<std::vector<int64_t>>() : std::vector<int64_t>();
      const Interval t = clustered_mean(scores, clusters).interval;
      const Interval b = cluster_bootstrap(scores, clusters);
      CHECK(std::fabs(b.low - t.low) < 0.05 * (t.high - t.low));
      CHECK(std::fabs(b.high - t.high) < 0.05 * (t.high - t.low));
      const Interval again = cluster_bootstrap(scores, clusters);
      CHECK((again.low == b.low && again.high == b.high));
    }
  }
}

TEST_CASE("another seed draws other samples", "[eval]") {
  const std::vector<double> scores = scores_of(golden()["plain"]);
  BootstrapOptions other;
  other.seed = 5;
  CHECK(cluster_bootstrap(scores, {}, other).low != cluster_bootstrap(scores, {}).low);
}

TEST_CASE("the bootstrap of few clusters lies between the smallest and the largest mean", "[eval]") {
  const std::vector<double> scores = {0, 0, 1};
  const std::vector<int64_t> clusters = {1, 1, 2};
  BootstrapOptions options;
  options.level = 0.999;
  const Interval b = cluster_bootstrap(scores, clusters, options);
  CHECK((b.low == 0 && b.high == 1));
}

TEST_CASE("what items detect is what as many items detect: four times as many halve it", "[eval]") {
  CHECK(near(detectable_effect(0.01) / 0.01, 1.959964 + 0.841621, 1e-6));
  CHECK(items_needed(1000, 0.02, 0.01) == 4000);
  CHECK(items_needed(1000, 0.02, -0.02) == 1000);
  CHECK(std::isinf(items_needed(10, 0.1, 0)));
  CHECK(near(predicted_paired_error(0.5, 0.5, 0, 100), std::sqrt(0.5 / 100), 1e-12));
  CHECK(predicted_paired_error(0.5, 0.5, 1, 100) == 0);
}

TEST_CASE("calibration compares confidence with what came true, in bins of as many items", "[eval]") {
  const std::vector<double> sure = {0.9, 0.9, 0.1, 0.1}, right = {1, 1, 0, 0};
  CHECK(near(calibration_error(sure, right, 2), 0.1, 1e-12));
  CHECK(calibration_error(right, right) == 0);
  const std::vector<double> wrong = {0, 0, 1, 1};
  CHECK(calibration_error(right, wrong, 4) == 1);
  // One bin: the means alone count, so errors that cancel are not seen.
  CHECK(near(calibration_error(right, wrong, 1), 0, 1e-12));
}

TEST_CASE("what has no answer is refused in a sentence", "[eval]") {
  const std::vector<double> one = {1}, two = {0, 1}, broken = {0, NAN};
  const std::vector<int64_t> same = {4, 4}, few = {1};
  CHECK(status_of([&] { clustered_mean(one, {}); }) == Status::invalid_argument);
  CHECK(message_of([&] { clustered_mean(two, same); }).find("1 clusters") != std::string::npos);
  CHECK(status_of([&] { clustered_mean(two, few); }) == Status::invalid_argument);
  CHECK(status_of([&] { clustered_mean(broken, {}); }) == Status::invalid_argument);
  CHECK(status_of([&] { cluster_bootstrap(one, {}); }) == Status::invalid_argument);
  CHECK(status_of([&] { wilson_interval(3, 2); }) == Status::invalid_argument);
  CHECK(status_of([&] { t_two_sided(1, 0); }) == Status::invalid_argument);
  CHECK(status_of([&] { normal_quantile(1); }) == Status::invalid_argument);
  const std::vector<double> alike = {1, 1, 1};
  const MeanEstimate e = clustered_mean(alike, {});
  CHECK((e.error == 0 && e.p == 0));
}
