// Recommenders from C: trained with progress and cancel, saved, opened, asked user by user; the same bits for any
// number of threads.
#include <puna_recsys.h>

#include "capi/fixture.h"
#include "support/files.h"

using namespace puna::test;

namespace {

struct Handles {
  puna_context* context = nullptr;
  puna_recommender* recommender = nullptr;
  puna_user* user = nullptr;
  ~Handles() {  // parents first: children keep them alive
    puna_context_free(context);
    puna_recommender_free(recommender);
    puna_user_free(user);
  }
};

// Sixty users who walk round twelve items.
struct Walks {
  std::vector<int64_t> users, times;
  std::vector<int32_t> items;
  Walks() {
    for (int64_t i = 9; i >= 0; --i)  // the latest first: order is the library's work
      for (int64_t u = 0; u < 60; ++u) {
        users.push_back(u);
        items.push_back(int32_t(1 + (u + i) % 12));
        times.push_back(100 * i);
      }
  }
  puna_status train(const puna_context* context, const puna_recommender_options& o, puna_recommender** out) const {
    return puna_recommender_train(context, users.data(), items.data(), times.data(), users.size(), &o, out);
  }
};

puna_recommender_options options_of(int32_t kind, int64_t epochs) {
  auto o = sized<puna_recommender_options>();
  o.kind = kind;
  o.epochs = epochs;
  o.max_sequence = 16;
  o.users_per_step = 16;
  o.negatives = 8;
  o.learning_rate = 3e-3;
  return o;
}

std::vector<int32_t> ask(puna_user* user, int64_t time, uint64_t count, std::vector<float>* scores = nullptr,
                         const puna_recommend_options* options = nullptr) {
  std::vector<int32_t> items(count);
  std::vector<float> cosines(count);
  uint64_t found = 0;
  ok(puna_user_recommend(user, time, options, items.data(), cosines.data(), count, &found));
  items.resize(found);
  cosines.resize(found);
  if (scores) *scores = cosines;
  return items;
}

}  // namespace

TEST_CASE("a recommender learns, is saved and opened, and answers the same on any number of threads", "[capi]") {
  const Walks walks;
  const TempFolder folder;
  for (const int32_t kind : {PUNA_RECOMMENDER_HSTU, PUNA_RECOMMENDER_SASREC}) {
    Handles one, three;
    auto threads = sized<puna_context_options>();
    threads.threads = 3;
    ok(puna_context_create(&threads, &three.context));
    ok(walks.train(nullptr, options_of(kind, 40), &one.recommender));
    ok(puna_recommender_save(one.recommender, (folder / "model").c_str()));
    ok(puna_recommender_open(three.context, (folder / "model").c_str(), &three.recommender));
    auto info = sized<puna_recommender_info>();
    ok(puna_recommender_get_info(three.recommender, &info));
    CHECK(info.kind == kind);
    CHECK(info.items == 12);
    CHECK(info.max_sequence == 16);
    std::vector<float> scores[2];
    for (Handles* h : {&one, &three}) {
      ok(puna_user_create(h->recommender, &h->user));
      for (int32_t i = 0; i < 3; ++i) ok(puna_user_append(h->user, 5 + i, 100 * i));
      const std::vector<int32_t> best = ask(h->user, 300, 20, &scores[h == &three]);
      CHECK(best.size() == 9);  // what was seen is out
      CHECK(best[0] == 8);
    }
    CHECK(scores[0] == scores[1]);
    auto options = sized<puna_recommend_options>();
    const uint64_t allowed = 1u << 2 | 1u << 6 | 1u << 11;
    options.allowed = &allowed;
    CHECK(ask(one.user, 300, 20, nullptr, &options).size() == 2);
    options.include_seen = 1;
    CHECK(ask(one.user, 300, 20, nullptr, &options).size() == 3);
    CHECK(ask(one.user, 300, 1, nullptr, &options).size() == 1);
  }
}

TEST_CASE("training a recommender can be cancelled, and errors name the wrong option", "[capi]") {
  const Walks walks;
  Handles h;
  auto o = options_of(PUNA_RECOMMENDER_HSTU, 40);
  int64_t steps = 0;
  o.progress_user = &steps;
  o.progress = [](void* user, const puna_recommender_report* r) {
    return int32_t((*static_cast<int64_t*>(user) = r->step) == 3);
  };
  refused(walks.train(nullptr, o, &h.recommender), PUNA_CANCELLED, "after step 3 of 160");
  CHECK(h.recommender == nullptr);
  o = options_of(2, 1);
  refused(walks.train(nullptr, o, &h.recommender), PUNA_INVALID_ARGUMENT, "kind");
  o = options_of(PUNA_RECOMMENDER_HSTU, -1);
  refused(walks.train(nullptr, o, &h.recommender), PUNA_INVALID_ARGUMENT, "epochs");
  o = options_of(PUNA_RECOMMENDER_HSTU, 1);
  o.items = 11;
  refused(walks.train(nullptr, o, &h.recommender), PUNA_INVALID_ARGUMENT, "item 12, expected 1 to 11");
  refused(puna_recommender_open(nullptr, "/no/such/file", &h.recommender), PUNA_IO, "/no/such/file");
  o.items = 0;
  ok(walks.train(nullptr, o, &h.recommender));
  ok(puna_user_create(h.recommender, &h.user));
  int32_t item = 0;
  uint64_t found = 0;
  refused(puna_user_recommend(h.user, 0, nullptr, &item, nullptr, 1, &found), PUNA_INVALID_ARGUMENT, "no events");
  refused(puna_user_append(h.user, 13, 0), PUNA_INVALID_ARGUMENT, "item 13, expected 1 to 12");
  ok(puna_user_append(h.user, 3, 7));
  refused(puna_user_append(h.user, 3, 6), PUNA_INVALID_ARGUMENT, "time 6");
  refused(puna_user_recommend(h.user, 6, nullptr, &item, nullptr, 1, &found), PUNA_INVALID_ARGUMENT, "query time 6");
  refused(puna_user_recommend(h.user, 7, nullptr, nullptr, nullptr, 0, &found), PUNA_INVALID_ARGUMENT, "room");
  ok(puna_user_recommend(h.user, 7, nullptr, &item, nullptr, 1, &found));
  CHECK(found == 1);
}

TEST_CASE("a recommender's items keep their names in its file, and are found by them", "[capi]") {
  const Walks walks;
  const TempFolder folder;
  Handles h, again;
  std::vector<std::string> texts;
  std::vector<const char*> names;
  for (int i = 0; i < 12; ++i) texts.push_back("item " + std::to_string(i));
  for (const std::string& text : texts) names.push_back(text.c_str());
  auto o = options_of(PUNA_RECOMMENDER_HSTU, 1);
  o.item_names = names.data();
  refused(walks.train(nullptr, o, &h.recommender), PUNA_INVALID_ARGUMENT, "how many items");
  o.items = 12;
  ok(walks.train(nullptr, o, &h.recommender));
  ok(puna_recommender_save(h.recommender, (folder / "model").c_str()));
  ok(puna_recommender_open(nullptr, (folder / "model").c_str(), &again.recommender));
  for (int32_t i = 1; i <= 12; ++i) {
    const char* text = nullptr;
    size_t size = 0;
    int32_t item = 0;
    ok(puna_recommender_get_item_name(again.recommender, i, &text, &size));
    CHECK(std::string(text, size) == texts[size_t(i) - 1]);
    ok(puna_recommender_find_item(again.recommender, texts[size_t(i) - 1].c_str(), &item));
    CHECK(item == i);
  }
  int32_t item = 77;
  const char* name = nullptr;
  size_t size = 0;
  refused(puna_recommender_find_item(again.recommender, "itme 7", &item), PUNA_INVALID_ARGUMENT,
          "did you mean 'item 7'?");
  CHECK(item == 77);
  refused(puna_recommender_get_item_name(again.recommender, 0, &name, &size), PUNA_INVALID_ARGUMENT,
          "item 0, expected 1 to 12");
  refused(puna_recommender_get_item_name(again.recommender, 13, &name, &size), PUNA_INVALID_ARGUMENT, "item 13");
  Handles other;
  names[5] = names[4];
  refused(walks.train(nullptr, o, &other.recommender), PUNA_INVALID_ARGUMENT, "both called 'item 4'");
  names[5] = nullptr;
  refused(walks.train(nullptr, o, &other.recommender), PUNA_INVALID_ARGUMENT, "item 5 is NULL");
  o.item_names = nullptr;
  ok(walks.train(nullptr, o, &other.recommender));
  refused(puna_recommender_get_item_name(other.recommender, 1, &name, &size), PUNA_INVALID_ARGUMENT, "no names");
}
