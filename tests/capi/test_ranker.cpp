// Rankers from C: taught by batches and by single events, copied to serve, calibrated, saved, restored; what is wrong
// is refused by name.
#include <puna_recsys.h>

#include <cmath>
#include <limits>

#include "capi/fixture.h"
#include "support/files.h"

using namespace puna::test;

namespace {

constexpr const char* kConfig =
    R"({"surfaces": ["feed", "reels"], "tasks": [{"name": "like"}, {"name": "watched", "kind": "fraction"}],
        "features": [{"name": "user", "rows": 6}, {"name": "item", "rows": 100, "hashed": true}], "numbers": ["age"], "dim": 4, "hidden": [8]})";

struct Handle {
  puna_ranker* ranker = nullptr;
  ~Handle() { puna_ranker_free(ranker); }
};

// Users like the items that are their number modulo 3.
struct Shown {
  std::vector<int32_t> surfaces;
  std::vector<int64_t> starts{0}, ids;
  std::vector<float> numbers, values;
  explicit Shown(int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      const int64_t user = i * 7 % 6, item = i * 11 % 30;
      surfaces.push_back(int32_t(i % 2));
      ids.insert(ids.end(), {user, item});
      starts.insert(starts.end(), {2 * i + 1, 2 * i + 2});
      numbers.push_back(float(user) / 6);
      const float liked = user % 3 == item % 3 ? 1.0f : 0.0f;
      values.insert(values.end(), {liked, 0.25f + 0.5f * liked});
    }
  }
  puna_examples examples() const {
    auto e = sized<puna_examples>();
    e.count = surfaces.size();
    e.surfaces = surfaces.data();
    e.starts = starts.data();
    e.ids = ids.data();
    e.id_count = ids.size();
    e.numbers = numbers.data();
    return e;
  }
  puna_outcomes outcomes() const {
    auto o = sized<puna_outcomes>();
    o.values = values.data();
    return o;
  }
};

puna_ranker_options options() {
  auto o = sized<puna_ranker_options>();
  o.learning_rate = 1e-2;
  o.table_rate = 0.2;
  o.seed = 3;
  return o;
}

double teach(puna_ranker* ranker, const Shown& shown, int steps) {
  const puna_examples e = shown.examples();
  const puna_outcomes o = shown.outcomes();
  auto report = sized<puna_ranker_report>();
  for (int i = 0; i < steps; ++i) ok(puna_ranker_learn(ranker, &e, &o, &report, nullptr, 0));
  return report.loss;
}

std::vector<float> scores(const puna_ranker* ranker, const Shown& shown) {
  const puna_examples e = shown.examples();
  std::vector<float> p(shown.surfaces.size() * 2);
  ok(puna_ranker_score(ranker, &e, p.data(), p.size()));
  return p;
}

}  // namespace

TEST_CASE("a ranker learns, serves from a copy, is saved and opened", "[capi]") {
  const TempFolder folder;
  const Shown shown(300), event(1);
  Handle r, serving, opened;
  const puna_ranker_options o = options();
  ok(puna_ranker_create(nullptr, kConfig, &o, &r.ranker));
  const double first = teach(r.ranker, shown, 1);
  CHECK(teach(r.ranker, shown, 150) < 0.6 * first);
  ok(puna_ranker_copy(r.ranker, PUNA_RANKER_TABLE_F32, &serving.ranker));
  const std::vector<float> before = scores(serving.ranker, shown);
  std::vector<float> predicted(2);
  const puna_examples e = event.examples();
  const puna_outcomes came = event.outcomes();
  ok(puna_ranker_learn(r.ranker, &e, &came, nullptr, predicted.data(), predicted.size()));
  CHECK(predicted == scores(serving.ranker, event));
  CHECK(scores(serving.ranker, shown) == before);
  CHECK(scores(r.ranker, shown) != before);

  const std::string path = folder / "ranker.safetensors";
  ok(puna_ranker_save(r.ranker, path.c_str()));
  ok(puna_ranker_open(nullptr, path.c_str(), nullptr, &opened.ranker));
  CHECK(scores(opened.ranker, shown) == scores(r.ranker, shown));
  auto info = sized<puna_ranker_info>();
  ok(puna_ranker_get_info(r.ranker, &info));
  CHECK(info.surfaces == 2);
  CHECK(info.tasks == 2);
  CHECK(info.features == 2);
  CHECK(info.numbers == 1);
  CHECK(info.table_rows == 108);
  CHECK(info.table_bytes == 108 * 6 * 4);
  CHECK(info.steps == 152);
  const Output json;
  ok(puna_ranker_get_config(r.ranker, json));
  CHECK_THAT(json.text(), Catch::Matchers::Contains("\"watched\""));
}

TEST_CASE("smaller tables serve and do not learn; a state goes on to the same bits", "[capi]") {
  const TempFolder folder;
  const Shown shown(100);
  const puna_ranker_options o = options();
  Handle a, b, small;
  ok(puna_ranker_create(nullptr, kConfig, &o, &a.ranker));
  ok(puna_ranker_create(nullptr, kConfig, &o, &b.ranker));
  teach(a.ranker, shown, 10);
  ok(puna_ranker_save_state(a.ranker, (folder / "state").c_str()));
  teach(a.ranker, shown, 10);
  ok(puna_ranker_restore_state(b.ranker, (folder / "state").c_str()));
  teach(b.ranker, shown, 10);
  CHECK(scores(a.ranker, shown) == scores(b.ranker, shown));
  ok(puna_ranker_copy(a.ranker, PUNA_RANKER_TABLE_I8, &small.ranker));
  const puna_examples e = shown.examples();
  const puna_outcomes came = shown.outcomes();
  CHECK(puna_ranker_learn(small.ranker, &e, &came, nullptr, nullptr, 0) == PUNA_INVALID_ARGUMENT);
  const std::vector<float> p = scores(a.ranker, shown), q = scores(small.ranker, shown);
  for (size_t i = 0; i < p.size(); ++i) CHECK(std::abs(p[i] - q[i]) < 0.05f);
  const std::vector<float> one{0.2f, 0.8f}, came_true{0, 1};
  ok(puna_ranker_calibrate(small.ranker, 1, 0, PUNA_CALIBRATE_PLATT, one.data(), came_true.data(), 2));
  CHECK(scores(small.ranker, shown) != q);
  ok(puna_ranker_calibrate(small.ranker, 1, 0, PUNA_CALIBRATE_NONE, nullptr, nullptr, 0));
  CHECK(scores(small.ranker, shown) == q);
}

TEST_CASE("what a ranker cannot take is refused, and the buffer stays as it was", "[capi]") {
  const puna_ranker_options o = options();
  Handle r;
  CHECK(puna_ranker_create(nullptr, "{\"surfaces\": []}", &o, &r.ranker) == PUNA_INVALID_ARGUMENT);
  CHECK(r.ranker == nullptr);
  ok(puna_ranker_create(nullptr, kConfig, &o, &r.ranker));
  Shown shown(4);
  std::vector<float> p(8, 7.0f);
  puna_examples e = shown.examples();
  CHECK(puna_ranker_score(r.ranker, &e, p.data(), 7) == PUNA_INVALID_ARGUMENT);
  e.id_count = 5;
  CHECK(puna_ranker_score(r.ranker, &e, p.data(), 8) == PUNA_INVALID_ARGUMENT);
  e = shown.examples();
  shown.ids[6] = -1;
  CHECK(puna_ranker_score(r.ranker, &e, p.data(), 8) == PUNA_INVALID_ARGUMENT);
  CHECK(std::string(puna_last_error()).find("example 3, feature 'user': id -1") != std::string::npos);
  shown.ids[6] = 0;
  shown.starts[3] = 1;  // not ascending
  CHECK(puna_ranker_score(r.ranker, &e, p.data(), 8) == PUNA_INVALID_ARGUMENT);
  shown.starts[3] = 1000;  // beyond the ids, though the last start is not
  CHECK(puna_ranker_score(r.ranker, &e, p.data(), 8) == PUNA_INVALID_ARGUMENT);
  shown.starts[3] = 3;
  e.reserved = 1;
  CHECK(puna_ranker_score(r.ranker, &e, p.data(), 8) == PUNA_UNSUPPORTED);
  CHECK(p == std::vector<float>(8, 7.0f));
  CHECK(puna_ranker_calibrate(r.ranker, 2, 0, PUNA_CALIBRATE_PLATT, p.data(), p.data(), 8) == PUNA_INVALID_ARGUMENT);
  CHECK(puna_ranker_copy(r.ranker, 9, &r.ranker) == PUNA_INVALID_ARGUMENT);
  puna_ranker_options bad = options();
  bad.optimizer = 5;
  Handle none;
  CHECK(puna_ranker_create(nullptr, kConfig, &bad, &none.ranker) == PUNA_INVALID_ARGUMENT);
}

TEST_CASE("a ranker's ids are found by the names that were given, also after it was saved", "[capi]") {
  const puna_ranker_options o = options();
  const TempFolder folder;
  Handle r, again;
  ok(puna_ranker_create(nullptr, kConfig, &o, &r.ranker));
  int64_t id = 77;
  CHECK(puna_ranker_find_id(r.ranker, 0, "anna", &id) == PUNA_INVALID_ARGUMENT);
  CHECK(std::string(puna_last_error()).find("has no names") != std::string::npos);
  CHECK(id == 77);
  const char* const names[] = {"anna", "b\n\"", nullptr};
  ok(puna_ranker_set_names(r.ranker, 0, names, 2));
  ok(puna_ranker_save(r.ranker, (folder / "r").c_str()));
  ok(puna_ranker_open(nullptr, (folder / "r").c_str(), &o, &again.ranker));
  ok(puna_ranker_find_id(again.ranker, 0, "b\n\"", &id));
  CHECK(id == 1);
  ok(puna_ranker_find_id(again.ranker, 0, "carl", &id));
  CHECK(id == -1);
  CHECK(puna_ranker_set_names(r.ranker, 0, names, 3) == PUNA_INVALID_ARGUMENT);  // NULL
  CHECK(puna_ranker_set_names(r.ranker, 0, names, uint64_t(1) << 40) ==
        PUNA_INVALID_ARGUMENT);  // more than rows: nothing is read
  CHECK(puna_ranker_set_names(r.ranker, 99, names, 1) == PUNA_INVALID_ARGUMENT);
  ok(puna_ranker_find_id(r.ranker, 0, "anna", &id));  // a failed call leaves them as they were
  CHECK(id == 0);
}
