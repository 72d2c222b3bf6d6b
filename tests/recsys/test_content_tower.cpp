// The content tower: the map that made the data is found again, the normal equations hold, and a ranker knows an item
// that nobody took.
#include <cmath>
#include <limits>

#include "puna/base/error.h"
#include "puna/recsys/content_tower.h"
#include "puna/recsys/metrics.h"
#include "puna/recsys/ranker_trainer.h"
#include "recsys/golden_sequence.h"
#include "ref/random.h"
#include "support/status.h"

using namespace puna;
using namespace puna::recsys;
using namespace puna::test;

TEST_CASE("a linear map is found again, offsets and all", "[recsys]") {
  const int64_t n = 80, C = 7, D = 3;
  const std::vector<float> x = ref::normal(n * C, 1), w = ref::normal(C * D, 2);
  std::vector<float> y;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t d = 0; d < D; ++d) {
      double sum = 0.5 + double(d);
      for (int64_t c = 0; c < C; ++c) sum += double(x[size_t(i * C + c)]) * double(w[size_t(c * D + d)]);
      y.push_back(float(sum));
    }
  const ContentTower tower = ContentTower::fit(x, C, y, D, 1e-9);
  const std::vector<float> got = tower.embed(x);
  for (size_t i = 0; i < y.size(); ++i) REQUIRE(std::abs(got[i] - y[i]) < 1e-5f);
}

TEST_CASE("what is left is at a right angle to the contents, but for the ridge", "[recsys]") {
  const size_t n = 60, C = 5;
  const std::vector<float> x = ref::normal(int64_t(n * C), 3), y = ref::normal(int64_t(n), 4);
  std::vector<float> weights;
  ref::Random random(5);
  for (size_t i = 0; i < n; ++i) weights.push_back(float(0.5 + random.uniform()));
  const double ridge = 0.3;
  const ContentTower tower = ContentTower::fit(x, int64_t(C), y, 1, ridge, weights);
  const std::vector<float> fitted = tower.embed(x);
  double total = 0;
  std::vector<double> mean(C), along(C), w(C);
  for (const float v : weights) total += double(v);
  for (size_t i = 0; i < n; ++i)
    for (size_t c = 0; c < C; ++c) mean[c] += double(weights[i]) / total * double(x[i * C + c]);
  for (size_t i = 0; i < n; ++i)
    for (size_t c = 0; c < C; ++c)
      along[c] += double(weights[i]) / total * (double(y[i]) - double(fitted[i])) * (double(x[i * C + c]) - mean[c]);
  for (size_t c = 0; c < C; ++c) {  // w itself: what a step of one content value changes
    std::vector<float> zero(C), unit(C);
    unit[c] = 1;
    w[c] = double(tower.embed(unit)[0]) - double(tower.embed(zero)[0]);
    CHECK(std::abs(along[c] - ridge * w[c]) < 1e-6);
  }
}

TEST_CASE("contents that a tower cannot take are refused by name", "[recsys]") {
  const std::vector<float> x{1, 2, 3, 4}, y{1, 2}, nan{1, 2, 3, std::numeric_limits<float>::quiet_NaN()};
  CHECK(status_of([&] { ContentTower::fit(x, 2, y, 1, 0); }) == Status::invalid_argument);
  CHECK(status_of([&] { ContentTower::fit(x, 3, y, 1, 1); }) == Status::invalid_argument);
  CHECK(status_of([&] { ContentTower::fit(nan, 2, y, 1, 1); }) == Status::invalid_argument);
  CHECK(status_of([&] { ContentTower::fit(x, 2, y, 1, 1, y); }) == Status::ok);
  CHECK(status_of([&] { ContentTower::fit(x, 2, y, 1, 1, std::vector<float>{0, 0}); }) == Status::invalid_argument);
  CHECK(status_of([&] { ContentTower::fit(x, 2, y, 1, 1).embed(std::vector<float>(3)); }) == Status::invalid_argument);
}

TEST_CASE("an item without interactions is ranked by its content", "[recsys]") {
  // Forty users and sixty items have a taste of two values each; an item's content is a noisy view of its taste in
  // eight values. The last fifteen items are not learned.
  constexpr int64_t kUsers = 40, kItems = 60, kKnown = 45, kContent = 8;
  const std::vector<float> users = ref::normal(kUsers * 2, 1), items = ref::normal(kItems * 2, 2),
                           view = ref::normal(kContent * 2, 3), noise = ref::normal(kItems * kContent, 4);
  std::vector<float> contents;
  for (int64_t i = 0; i < kItems; ++i)
    for (int64_t c = 0; c < kContent; ++c)
      contents.push_back(items[size_t(2 * i)] * view[size_t(2 * c)] +
                         items[size_t(2 * i + 1)] * view[size_t(2 * c + 1)] + 0.1f * noise[size_t(i * kContent + c)]);
  RankerConfig c;
  c.surfaces = {"feed"};
  c.tasks = {{"like"}};
  c.features = {{"user", kUsers, false}, {"item", kItems, false}};
  c.interaction = Interaction::fm;
  c.dim = 4;
  c.hidden.clear();
  ExampleSet known(c), cold(c);
  for (int64_t u = 0; u < kUsers; ++u)
    for (int64_t i = 0; i < kItems; ++i) {
      const std::vector<int64_t> user{u}, item{i};
      const float taste =
          users[size_t(2 * u)] * items[size_t(2 * i)] + users[size_t(2 * u + 1)] * items[size_t(2 * i + 1)];
      (i < kKnown ? known : cold)
          .add(0, std::vector<std::span<const int64_t>>{user, item}, {}, std::vector<float>{taste > 0 ? 1.0f : 0.0f},
               1);
    }
  const auto ranker = Ranker::create(recsys_context(), c, 5);
  RankerTrainerOptions o;
  o.table_rate = 0.2;
  o.table_decay = 1e-3;
  RankerTrainer trainer(ranker, o);
  for (int step = 0; step < 150; ++step) trainer.learn(known.examples(), known.outcomes());
  const auto auc = [&] {
    const std::vector<float> p = ranker->score(cold.examples());
    return evaluate_probabilities(p, std::span(cold.outcomes().values, p.size())).auc;
  };
  const double before = auc();
  std::vector<float> rows;
  for (int64_t i = 0; i < kKnown; ++i) {
    const std::vector<float> row = ranker->row(1, i);
    rows.insert(rows.end(), row.begin(), row.end());
  }
  const ContentTower tower =
      ContentTower::fit(std::span(contents).first(kKnown * kContent), kContent, rows, c.dim + 1, 1e-2);
  const std::vector<float> made = tower.embed(std::span(contents).subspan(kKnown * kContent));
  for (int64_t i = kKnown; i < kItems; ++i)
    ranker->set_row(1, i, std::span(made).subspan(size_t((i - kKnown) * (c.dim + 1)), size_t(c.dim + 1)));
  CHECK(before < 0.65);
  CHECK(auc() > 0.85);
  CHECK(status_of([&] { ranker->set_row(1, kItems, std::vector<float>(5)); }) == Status::invalid_argument);
  CHECK(status_of([&] { ranker->set_row(1, 0, std::vector<float>(4)); }) == Status::invalid_argument);
  CHECK(status_of([&] { (void)ranker->copy(DType::f16)->row(1, 0); }) == Status::invalid_argument);
}
