// Pipelines from C: a list is what the stages say when they are called one by one; copies, caps, exploring, exchange;
// what is wrong is refused by name.
#include <puna_recsys.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <map>
#include <thread>

#include "capi/fixture.h"

using namespace puna::test;

namespace test_pipeline {
namespace {

constexpr int64_t kItems = 13;  // those of the recommender are 1 ... 12
constexpr size_t kTasks = 2;
constexpr const char* kConfig =
    R"({"surfaces": ["feed", "reels"], "tasks": [{"name": "like"}, {"name": "skip"}],
        "features": [{"name": "user", "rows": 60}, {"name": "item", "rows": 13}, {"name": "kinds", "rows": 4}], "numbers": ["hour", "length"], "dim": 4, "hidden": [8]})";

struct Handles {
  puna_recommender* recommender = nullptr;
  puna_user* user = nullptr;
  puna_ranker *ranker = nullptr, *other = nullptr;
  puna_pipeline* pipeline = nullptr;
  ~Handles() {  // parents first: children keep them alive
    puna_recommender_free(recommender);
    puna_user_free(user);
    puna_ranker_free(ranker);
    puna_ranker_free(other);
    puna_pipeline_free(pipeline);
  }
};

// Examples and the arrays they lie in.
struct Described {
  std::vector<int32_t> surfaces;
  std::vector<int64_t> starts{0}, ids;
  std::vector<float> numbers;
  void add(int32_t surface, const std::vector<std::vector<int64_t>>& features, std::vector<float> values) {
    surfaces.push_back(surface);
    for (const auto& f : features) {
      ids.insert(ids.end(), f.begin(), f.end());
      starts.push_back(int64_t(ids.size()));
    }
    numbers.insert(numbers.end(), values.begin(), values.end());
  }
  puna_examples examples(bool with_surfaces = true) const {
    auto e = sized<puna_examples>();
    e.count = surfaces.size();
    e.surfaces = with_surfaces ? surfaces.data() : nullptr;
    e.starts = starts.data();
    e.ids = ids.data();
    e.id_count = ids.size();
    e.numbers = numbers.data();
    return e;
  }
};

std::vector<int64_t> kinds_of(int64_t item) {
  return item % 3 == 0 ? std::vector<int64_t>{} : std::vector<int64_t>{item % 3, 3};
}
float length_of(int64_t item) { return float(item) / 13; }

// Users walk round the items; the ranker has random weights, which is all that is needed to tell items apart.
struct Scene : Handles {
  Described items, about;
  std::vector<int32_t> categories;
  puna_examples of_items{}, of_request{};
  puna_catalogue catalogue = sized<puna_catalogue>();
  puna_pipeline_options options = sized<puna_pipeline_options>();
  puna_pipeline_request request = sized<puna_pipeline_request>();
  std::vector<double> weights{1, -0.5, 2, 0}, exponents{1, 0.5};

  Scene() {
    std::vector<int64_t> users, times;
    std::vector<int32_t> taken;
    for (int64_t u = 0; u < 60; ++u)
      for (int64_t i = 0; i < 8; ++i) {
        users.push_back(u);
        taken.push_back(int32_t(1 + (u + i) % 12));
        times.push_back(100 * i);
      }
    auto o = sized<puna_recommender_options>();
    o.epochs = 3;
    o.max_sequence = 16;
    o.negatives = 8;
    ok(puna_recommender_train(nullptr, users.data(), taken.data(), times.data(), users.size(), &o, &recommender));
    ok(puna_user_create(recommender, &user));
    for (int32_t i = 0; i < 3; ++i) ok(puna_user_append(user, 4 + i, 100 * i));
    auto seeded = sized<puna_ranker_options>();
    ok(puna_ranker_create(nullptr, kConfig, &seeded, &ranker));
    seeded.seed = 1;
    ok(puna_ranker_create(nullptr, kConfig, &seeded, &other));
    for (int64_t i = 0; i < kItems; ++i) {
      items.add(0, {{}, {i}, kinds_of(i)}, {0, length_of(i)});
      categories.push_back(int32_t(i % 3));
    }
    about.add(0, {{7}, {}, {1}}, {0.25f, 0});
    of_items = items.examples(false);
    of_request = about.examples(false);
    catalogue.items = &of_items;
    options.value_weights = weights.data();
    options.value_exponents = exponents.data();
    request.surface = 1;
    request.about = &of_request;
    request.user = user;
    request.query_time = 300;
  }
  void make() { ok(puna_pipeline_create(ranker, &catalogue, &options, &pipeline)); }
};

struct Answer {
  std::vector<int64_t> items = std::vector<int64_t>(10, -7);
  std::vector<double> values = std::vector<double>(10, -7), propensities = values;
  std::vector<float> scores = std::vector<float>(10, -7), probabilities = std::vector<float>(10 * kTasks, -7);
  puna_pipeline_answer c = sized<puna_pipeline_answer>();
  Answer() {
    c.capacity = 10;
    c.items = items.data();
    c.values = values.data();
    c.propensities = propensities.data();
    c.scores = scores.data();
    c.probabilities = probabilities.data();
  }
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;
  std::vector<int64_t> list() const { return {items.begin(), items.begin() + int64_t(c.found)}; }
};

}  // namespace

TEST_CASE("a pipeline's list agrees with its stages run one by one", "[capi]") {
  Scene s;
  s.make();
  const std::vector<int64_t> own{0, 12, 0},
      exclude{9};  // item 0 is unknown to the recommender; named twice it counts once
  const std::vector<float> own_scores{5, 4, 3};
  s.request.candidates = own.data();
  s.request.scores = own_scores.data();
  s.request.candidate_count = own.size();
  s.request.exclude = exclude.data();
  s.request.exclude_count = 1;
  Answer a;
  ok(puna_pipeline_recommend(s.pipeline, &s.request, &a.c));

  int32_t found_items[12];
  float cosines[12];
  uint64_t found = 0;
  ok(puna_user_recommend(s.user, 300, nullptr, found_items, cosines, 12, &found));
  std::vector<std::pair<int64_t, float>> candidates{{0, 5.0f}, {12, 4.0f}};
  for (size_t i = 0; i < found; ++i)
    if (found_items[i] != 9 && found_items[i] != 12) candidates.emplace_back(found_items[i], cosines[i]);
  Described shown;
  for (const auto& [item, score] : candidates) {
    std::vector<int64_t> kinds{1};
    for (const int64_t k : kinds_of(item)) kinds.push_back(k);
    shown.add(1, {{7}, {item}, kinds}, {0.25f, length_of(item)});
  }
  const puna_examples e = shown.examples();
  std::vector<float> p(candidates.size() * kTasks);
  ok(puna_ranker_score(s.ranker, &e, p.data(), p.size()));
  std::vector<std::pair<double, size_t>> by_value;
  for (size_t i = 0; i < candidates.size(); ++i)
    by_value.emplace_back(-2 * double(p[i * kTasks]), i);  // surface 1: 2 like^1 + 0 skip^0.5
  std::sort(by_value.begin(), by_value.end());

  CHECK(a.c.candidates == int64_t(candidates.size()));
  REQUIRE(a.c.found == std::min<size_t>(10, candidates.size()));
  for (size_t place = 0; place < a.c.found; ++place) {
    CAPTURE(place);
    const size_t i = by_value[place].second;
    CHECK(a.items[place] == candidates[i].first);
    CHECK(a.scores[place] == candidates[i].second);
    CHECK(a.values[place] == -by_value[place].first);
    CHECK(a.propensities[place] == 1);
    for (size_t t = 0; t < kTasks; ++t) CHECK(a.probabilities[place * kTasks + t] == p[i * kTasks + t]);
  }
  CHECK(a.c.explored == -1);
  for (const double seconds : {a.c.retrieve_seconds, a.c.rank_seconds, a.c.value_seconds, a.c.diversify_seconds})
    CHECK((seconds > 0 && seconds < 60));

  Answer bare;  // without what one does not ask for; the same list
  bare.c.values = bare.c.propensities = nullptr;
  bare.c.scores = bare.c.probabilities = nullptr;
  ok(puna_pipeline_recommend(s.pipeline, &s.request, &bare.c));
  CHECK(bare.list() == a.list());
  const uint64_t only_five = uint64_t(1) << 7 | 1 << 8 | 1 << 10 | 1 << 11 | 1 << 4;  // 4 is among the user's events
  s.request.candidates = nullptr;
  s.request.candidate_count = 0;
  s.request.scores = nullptr;
  s.request.allowed = &only_five;
  ok(puna_pipeline_recommend(s.pipeline, &s.request, &a.c));
  CHECK(a.c.found == 4);
  s.request.include_seen = 1;
  ok(puna_pipeline_recommend(s.pipeline, &s.request, &a.c));
  CHECK(a.c.found == 5);
}

TEST_CASE("a list from C shows copies once, caps categories, explores with known chances", "[capi]") {
  Scene s;
  std::vector<int64_t> groups(kItems), all(kItems);
  for (int64_t i = 0; i < kItems; ++i) all[size_t(i)] = groups[size_t(i)] = i;
  groups[5] = groups[6];
  s.catalogue.groups = groups.data();
  s.catalogue.categories = s.categories.data();
  s.options.count = 6;
  s.options.per_category = 2;
  s.options.explore = 0.5;
  s.options.explore_place = 5;
  s.request.user = nullptr;
  s.request.candidates = all.data();
  s.request.candidate_count = all.size();
  s.make();
  std::map<int64_t, int> shown;
  std::map<int64_t, double> propensity;
  const int rounds = 4000;
  Answer a, again;
  for (int r = 0; r < rounds; ++r) {
    s.request.number = uint64_t(r);
    ok(puna_pipeline_recommend(s.pipeline, &s.request, &a.c));
    REQUIRE(a.c.found == 6);
    std::map<int64_t, int> of_category;
    for (size_t i = 0; i < 5; ++i) REQUIRE(++of_category[a.items[i] % 3] <= 2);
    REQUIRE(std::count_if(a.items.begin(), a.items.begin() + 6, [](int64_t i) { return i == 5 || i == 6; }) <= 1);
    REQUIRE((a.c.explored == -1 || a.c.explored == 5));
    ++shown[a.items[5]];
    propensity[a.items[5]] = a.propensities[5];
  }
  CHECK(shown.size() >= 6);
  for (const auto& [item, times] : shown) CHECK(std::abs(double(times) / rounds - propensity[item]) < 0.03);
  ok(puna_pipeline_recommend(s.pipeline, &s.request, &again.c));
  CHECK(again.list() == a.list());

  puna_pipeline_free(s.pipeline);
  const std::vector<float> alike(size_t(kItems), 1.0f);
  s.catalogue.vectors = alike.data();
  s.catalogue.dim = 1;
  s.options.explore = 0;
  s.options.diversity = 0.3;  // all are alike: nothing changes
  s.make();
  ok(puna_pipeline_recommend(s.pipeline, &s.request, &a.c));
  for (size_t i = 1; i < a.c.found; ++i) CHECK(a.values[i - 1] >= a.values[i]);
}

TEST_CASE("rankers are exchanged while other threads ask", "[capi]") {
  Scene s;
  const std::vector<int64_t> all{1, 2, 3, 4, 5};
  s.request.user = nullptr;
  s.request.candidates = all.data();
  s.request.candidate_count = all.size();
  s.make();
  Answer of_first, of_second;
  ok(puna_pipeline_recommend(s.pipeline, &s.request, &of_first.c));
  ok(puna_pipeline_use(s.pipeline, s.other));
  ok(puna_pipeline_recommend(s.pipeline, &s.request, &of_second.c));
  REQUIRE(of_first.values != of_second.values);
  std::atomic<bool> done{false}, good{true};
  std::thread asks([&] {
    while (!done) {
      Answer a;
      good = good && puna_pipeline_recommend(s.pipeline, &s.request, &a.c) == PUNA_OK &&
             (a.values == of_first.values || a.values == of_second.values);
    }
  });
  for (int i = 0; i < 100; ++i) ok(puna_pipeline_use(s.pipeline, i % 2 ? s.other : s.ranker));
  done = true;
  asks.join();
  CHECK(good);
}

TEST_CASE("what a pipeline cannot take is refused, and the answer is as it was", "[capi]") {
  Scene s;
  const auto not_made = [&](const std::string& words) {
    refused(puna_pipeline_create(s.ranker, &s.catalogue, &s.options, &s.pipeline), PUNA_INVALID_ARGUMENT, words);
  };
  s.options.diversity = 1.5;
  not_made("diversity is 1.5");
  s.options.diversity = std::numeric_limits<double>::quiet_NaN();
  not_made("diversity is nan");
  s.options.diversity = 0;
  s.options.explore = 2;
  not_made("explore is 2");
  s.options.explore = 0;
  s.options.explore_place = -1;
  not_made("explore_place is -1");
  s.options.explore_place = 0;
  s.options.candidates = int64_t(1) << 40;
  not_made("candidates is 1099511627776");
  s.options.candidates = 0;
  s.options.count = int64_t(1) << 40;
  not_made("count is 1099511627776");
  s.options.count = 0;
  s.exponents[1] = 0;
  not_made("exponent of 'skip'");
  s.exponents[1] = 0.5;
  s.catalogue.items = nullptr;
  not_made("examples is NULL");
  s.catalogue.items = &s.of_items;
  s.catalogue.vectors = s.items.numbers.data();
  not_made("dim is 0");
  s.catalogue.vectors = nullptr;
  s.items.ids[5] = 99;
  not_made("example 2, feature 'kinds': id 99");
  s.items.ids[5] = 2;
  s.options.reserved = 1;
  CHECK(puna_pipeline_create(s.ranker, &s.catalogue, &s.options, &s.pipeline) == PUNA_UNSUPPORTED);
  s.options.reserved = 0;
  REQUIRE(s.pipeline == nullptr);
  s.make();

  Answer a;
  const auto refuses = [&](const std::string& words, puna_status status = PUNA_INVALID_ARGUMENT) {
    refused(puna_pipeline_recommend(s.pipeline, &s.request, &a.c), status, words);
    CHECK(a.items == std::vector<int64_t>(10, -7));
    CHECK(a.c.found == 0);
  };
  const puna_pipeline_request good = s.request;
  s.request.surface = 2;
  refuses("surface 2");
  s.request = good;
  s.request.user = nullptr;
  refuses("neither a user nor candidates");
  s.request = good;
  s.request.query_time = 0;
  refuses("query time 0, expected the last event");
  s.request = good;
  const int64_t unknown = kItems;
  s.request.candidates = &unknown;
  s.request.candidate_count = 1;
  refuses("candidate 13 is none of the catalogue's 13 items");
  s.request = good;
  s.request.exclude_count = 1;
  refuses("exclude is NULL");
  s.request = good;
  s.about.ids[0] = 60;
  refuses("feature 'user': id 60");
  s.about.ids[0] = 7;
  s.about.numbers[0] = std::numeric_limits<float>::infinity();
  refuses("'hour' is not finite");
  s.about.numbers[0] = 0;
  s.request.about = &s.of_items;
  refuses("13 examples say what is known of the request");
  s.request = good;
  s.of_request.count = 0;
  refuses("0 examples say what is known of the request");
  s.of_request.count = 1;
  s.request.include_seen = 2;
  refuses("include_seen is 2");
  s.request = good;
  s.request.reserved = 1;
  refuses("reserved", PUNA_UNSUPPORTED);
  s.request = good;
  a.c.capacity = 9;
  refuses("room for 9 items, a list has up to 10");
  a.c.capacity = 10;
  a.c.struct_size = 9;
  refuses("struct_size is 9");
  a.c.struct_size = sizeof a.c;

  puna_ranker* another = nullptr;
  ok(puna_ranker_create(
      nullptr,
      R"({"surfaces": ["feed"], "tasks": [{"name": "like"}], "features": [{"name": "item", "rows": 13}], "dim": 4, "hidden": [8]})",
      nullptr, &another));
  refused(puna_pipeline_use(s.pipeline, another), PUNA_INVALID_ARGUMENT, "another configuration");
  puna_ranker_free(another);
  ok(puna_pipeline_recommend(s.pipeline, &s.request, &a.c));
  CHECK(a.c.found > 0);
}

}  // namespace test_pipeline
