// From candidates to a list: values, copies and caps, marginal relevance, exploring with known chances, and the whole
// pipeline while rankers change.
#include <atomic>
#include <cmath>
#include <limits>
#include <thread>

#include "puna/base/error.h"
#include "puna/recsys/pipeline.h"
#include "recsys/some_ranker.h"
#include "support/status.h"

using namespace puna;
using namespace puna::recsys;
using namespace puna::test;

namespace {

using List = std::vector<size_t>;

DiversityOptions some(int64_t count, int64_t per_category = 0, double lambda = 1) {
  return {count, per_category, lambda};
}

// Items 0 ... 59; the ranker is asked about the item as "user" % 7 and its genre.
Pipeline some_pipeline(const std::shared_ptr<const Ranker>& ranker, const PipelineOptions& options,
                       std::shared_ptr<const Catalogue> catalogue) {
  const auto retrieve = [](const PipelineRequest&, int64_t count) {
    std::vector<Hit> hits;
    for (int64_t i = 0; i < std::min<int64_t>(count, 60); ++i) hits.push_back({i, float(60 - i)});
    if (!hits.empty()) hits.push_back(hits[0]);  // a second source named it too
    return hits;
  };
  const auto describe = [](const PipelineRequest& request, std::span<const Hit> candidates, ExampleSet& to) {
    for (const Hit& h : candidates) {
      const std::vector<int64_t> user{h.item % 7}, genres{h.item % 5}, device{h.item};
      to.add(request.surface, std::vector<std::span<const int64_t>>{user, genres, device}, std::vector<float>{0, 0});
    }
  };
  ValueFormula value = ValueFormula::of(ranker->config());
  value.weights[2] = -0.5;
  return Pipeline(retrieve, describe, ranker, value, std::move(catalogue), options);
}

}  // namespace

TEST_CASE("a value is the surface's weighted sum of powers", "[recsys]") {
  const RankerConfig c = some_ranker(Interaction::concat);
  ValueFormula f = ValueFormula::of(c);
  const float p[] = {0.5f, 0.25f, 0.125f};
  CHECK(f(0, p) == 0.875);
  f.weights = {1, 2, -4, 0, 1, 0, 0, 0, 0};
  f.exponents = {1, 0.5, 2};
  CHECK(std::abs(f(0, p) - (0.5 + 2 * 0.5 - 4 * 0.015625)) < 1e-15);
  CHECK(std::abs(f(1, p) - 0.5) < 1e-15);
  CHECK(f(2, p) == 0);
  check(f, c);
  for (const double bad : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN()}) {
    ValueFormula wrong = f;
    wrong.exponents[1] = bad;
    CHECK(status_of([&] { check(wrong, c); }) == Status::invalid_argument);
  }
  f.weights[4] = std::numeric_limits<double>::infinity();
  CHECK(status_of([&] { check(f, c); }) == Status::invalid_argument);
  f.weights.pop_back();
  CHECK(status_of([&] { check(f, c); }) == Status::invalid_argument);
}

TEST_CASE("lists: by value, copies once, so many of a category", "[recsys]") {
  const std::vector<double> values{3, 5, 4, 5, 1};
  const std::vector<int64_t> groups{1, 2, 2, 3, 4};
  const std::vector<int32_t> categories{0, 7, 7, 7, 0};
  CHECK(diversify({values, {}, {}, {}, 0}, some(3)) == List{1, 3, 2});
  CHECK(diversify({values, groups, {}, {}, 0}, some(5)) == List{1, 3, 0, 4});
  CHECK(diversify({values, {}, categories, {}, 0}, some(5, 1)) == List{1, 0});
  CHECK(diversify({values, groups, categories, {}, 0}, some(3, 2)) == List{1, 3, 0});
  CHECK(diversify({values, {}, {}, {}, 0}, some(0)).empty());
  CHECK(diversify({}, some(4)).empty());
  const std::vector<double> wrong{1, std::numeric_limits<double>::quiet_NaN()};
  CHECK(status_of([&] { diversify({wrong, {}, {}, {}, 0}, some(2)); }) == Status::invalid_argument);
  CHECK(status_of([&] {
          diversify({values, std::span(groups).first(2), {}, {}, 0}, some(2));
        }) == Status::invalid_argument);
  CHECK(status_of([&] { diversify({values, {}, {}, {}, 0}, some(2, 0, 1.5)); }) == Status::invalid_argument);
}

TEST_CASE("maximal marginal relevance agrees with its formula step by step", "[recsys]") {
  ref::Random random(4);
  const size_t n = 40, D = 6;
  std::vector<double> values(n);
  std::vector<float> vectors(n * D);
  for (double& v : values) v = random.uniform();
  for (size_t i = 0; i < n; ++i) {
    double square = 0;
    for (size_t d = 0; d < D; ++d) square += std::pow(double(vectors[i * D + d] = random.normal()), 2);
    for (size_t d = 0; d < D; ++d) vectors[i * D + d] /= float(std::sqrt(square));
  }
  const List got = diversify({values, {}, {}, vectors, int64_t(D)}, some(12, 0, 0.6));
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  List want;
  while (want.size() < 12) {
    size_t best = n;
    double most = -9;
    for (size_t i = 0; i < n; ++i) {
      if (std::count(want.begin(), want.end(), i)) continue;
      double nearest = -1;
      for (const size_t j : want) {
        double cosine = 0;
        for (size_t d = 0; d < D; ++d) cosine += double(vectors[i * D + d]) * double(vectors[j * D + d]);
        nearest = std::max(nearest, cosine);
      }
      const double v = (values[i] - *low) / (*high - *low), score = want.empty() ? v : 0.6 * v - 0.4 * nearest;
      if (score > most) {
        most = score;
        best = i;
      }
    }
    want.push_back(best);
  }
  CHECK(got == want);
  CHECK(got != diversify({values, {}, {}, vectors, int64_t(D)}, some(12)));
}

TEST_CASE("exploring shows each candidate as often as its propensity", "[recsys]") {
  const std::vector<double> values{9, 8, 7, 6, 5, 4};
  const std::vector<int64_t> groups{0, 1, 2, 3, 0, 5};  // 4 is another copy of 0
  const ExploreOptions o{0.3, 1, 10, 7};
  std::map<size_t, int> shown;
  std::map<size_t, double> propensity;
  const int rounds = 20000;
  for (int r = 0; r < rounds; ++r) {
    List list{0, 1, 2};
    const Explored e = explore(list, {values, groups, {}, {}, 0}, uint64_t(r), o);
    CHECK(e.place == 1);
    ++shown[list[1]];
    propensity[list[1]] = e.propensity;
    if (list[1] != 1) CHECK(e.drawn);
  }
  CHECK(shown.size() == 3);  // 1 and, drawn, 3 and 5
  for (const auto& [i, count] : shown) CHECK(std::abs(double(count) / rounds - propensity[i]) < 0.01);
  double all = 0;
  for (const auto& [i, p] : propensity) all += p;
  CHECK(std::abs(all - 1) < 1e-12);
  List again{0, 1, 2}, same{0, 1, 2}, never{0, 1, 2}, none;
  CHECK(explore(again, {values, {}, {}, {}, 0}, 17, o).propensity ==
        explore(same, {values, {}, {}, {}, 0}, 17, o).propensity);
  CHECK(again == same);
  CHECK(explore(never, {values, {}, {}, {}, 0}, 17, {}).propensity == 1);
  CHECK(never == List{0, 1, 2});
  CHECK(explore(none, {}, 17, o).place == -1);
}

TEST_CASE("a pipeline retrieves, ranks, values and diversifies, and times each stage", "[recsys]") {
  const RankerConfig c = some_ranker(Interaction::cross);
  const auto ranker = Ranker::create(recsys_context(), c, 5);
  auto catalogue = std::make_shared<Catalogue>();
  for (int32_t i = 0; i < 60; ++i) catalogue->categories.push_back(i % 3);
  PipelineOptions o;
  o.candidates = 30;
  o.diversity = some(8, 3);
  const Pipeline pipeline = some_pipeline(ranker, o, catalogue);
  const std::vector<int64_t> exclude{2, 3, 5};
  const PipelineAnswer a = pipeline.recommend({0, 11, exclude, nullptr});
  CHECK(a.candidates == 30);
  REQUIRE(a.items.size() == 8);
  std::map<int64_t, int> seen, categories;
  const ValueFormula value{{1, 1, -0.5, 1, 1, 1, 1, 1, 1}, {1, 1, 1}};
  for (const PipelineItem& i : a.items) {
    CHECK(++seen[i.item] == 1);
    CHECK(++categories[i.item % 3] <= 3);
    CHECK(std::count(exclude.begin(), exclude.end(), i.item) == 0);
    CHECK(i.item < 33);
    CHECK(i.value == value(0, i.probabilities.data()));
  }
  for (size_t i = 1; i < a.items.size(); ++i) CHECK(a.items[i - 1].value >= a.items[i].value);
  for (const double seconds : {a.retrieve_seconds, a.rank_seconds, a.value_seconds, a.diversify_seconds})
    CHECK(seconds > 0);
  CHECK(status_of([&] { pipeline.recommend({3, 0, {}, nullptr}); }) == Status::invalid_argument);
  catalogue->categories.resize(10);
  CHECK(status_of([&] { pipeline.recommend({0, 0, {}, nullptr}); }) == Status::invalid_argument);
}

TEST_CASE("requests go on while the ranker is exchanged", "[recsys]") {
  const RankerConfig c = some_ranker(Interaction::concat);
  const auto a = Ranker::create(recsys_context(), c, 5), b = Ranker::create(recsys_context(), c, 6);
  PipelineOptions o;
  o.diversity.count = 5;
  Pipeline pipeline = some_pipeline(a, o, nullptr);
  const double of_a = pipeline.recommend({}).items[0].value;
  pipeline.use(b);
  const double of_b = pipeline.recommend({}).items[0].value;
  REQUIRE(of_a != of_b);
  std::atomic<bool> done{false};
  std::thread swaps([&] {
    for (int i = 0; i < 200; ++i) pipeline.use(i % 2 ? a : b);
    done = true;
  });
  bool good = true;
  do {
    const double v = pipeline.recommend({}).items[0].value;
    good = good && (v == of_a || v == of_b);  // all of one ranker
  } while (!done);
  swaps.join();
  CHECK(good);
  CHECK(status_of([&] { pipeline.use(Ranker::create(recsys_context(), some_ranker(Interaction::dot), 5)); }) ==
        Status::invalid_argument);
}

TEST_CASE("a pipeline's ranker is not exchanged for one of the same shape whose ids have other names", "[recsys]") {
  const RankerConfig c = some_ranker(Interaction::concat);
  const std::vector<std::string> anna{"anna"}, bela{"bela"};
  const auto a = Ranker::create(recsys_context(), c, 5), b = Ranker::create(recsys_context(), c, 6);
  a->set_vocabulary(0, {anna, "user"});
  Pipeline pipeline = some_pipeline(a, {}, nullptr);
  b->set_vocabulary(0, {bela, "user"});
  CHECK(status_of([&] { pipeline.use(b); }) == Status::invalid_argument);
  CHECK(pipeline.ranker() == a);
  b->set_vocabulary(0, {anna, "user"});
  pipeline.use(b);
  CHECK(pipeline.ranker() == b);
}
