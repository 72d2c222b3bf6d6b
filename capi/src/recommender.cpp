// recommender.cpp -- puna_recommender_*, puna_user_*: sequence recommenders, trained in the program or opened from a
// file.
#include "base/shown.h"
#include "guard.h"
#include "puna_recsys.h"
#include "translate.h"

#if PUNA_RECSYS
#include "base/shown.h"
#include "puna/recsys/interactions.h"
#include "puna/recsys/sequence_trainer.h"
#include "recsys_handles.h"

using namespace puna;
using namespace puna::capi;
using namespace puna::recsys;

struct puna_recommender {
  std::shared_ptr<const Recommender> impl;
};

namespace {

const Recommender& use_recommender(const puna_recommender* r) {
  PUNA_REQUIRE(r != nullptr, "recommender is NULL");
  r->impl->model()->context()->require_same_process();
  return *r->impl;
}

const Names& named(const Recommender& r) {
  PUNA_REQUIRE(!r.model()->item_names().empty(), "the recommender's items have no names, only numbers");
  return r.model()->item_names();
}

SequenceConfig config_of(const puna_recommender_options& o, std::span<const int32_t> items) {
  PUNA_REQUIRE(o.kind == PUNA_RECOMMENDER_HSTU || o.kind == PUNA_RECOMMENDER_SASREC,
               "kind is %d, expected PUNA_RECOMMENDER_HSTU or _SASREC", o.kind);
  int32_t largest = 0;
  for (const int32_t item : items) largest = std::max(largest, item);
  const int64_t count = or_default(o.items, largest, "items");
  SequenceConfig c = o.kind == PUNA_RECOMMENDER_HSTU ? SequenceConfig::hstu(count) : SequenceConfig::sasrec(count);
  c.max_sequence = or_default(o.max_sequence, c.max_sequence, "max_sequence");
  return c;
}

// Names that a caller gives; strings that end with a 0.
void name_items(SequenceModel& model, const puna_recommender_options& o) {
  if (!o.item_names) return;
  PUNA_REQUIRE(o.items != 0, "item_names are given, but not how many items there are");
  model.set_item_names(names_from_c(o.item_names, uint64_t(o.items), "item"));
}

SequenceTrainerOptions trainer_options(const puna_recommender_options& o) {
  SequenceTrainerOptions t;
  t.epochs = or_default(in_range(o.epochs, 0, 1 << 20, "epochs"), t.epochs, "epochs");
  t.users_per_step =
      or_default(in_range(o.users_per_step, 0, 1 << 24, "users_per_step"), t.users_per_step, "users_per_step");
  t.negatives = or_default(in_range(o.negatives, 0, 1 << 16, "negatives"), t.negatives, "negatives");
  if (number_in_range(o.learning_rate, 0, 1e3, "learning_rate") != 0) t.optimizer.learning_rate = o.learning_rate;
  t.dropout = float(number_in_range(o.dropout, 0, 0.999, "dropout"));
  t.seed = o.seed;
  return t;
}

void run(SequenceTrainer& trainer, const puna_recommender_options& o) {
  while (trainer.done_steps() < trainer.total_steps()) {
    const SequenceStep s = trainer.step();
    puna_recommender_report report{};
    report.struct_size = sizeof report;
    report.step = s.step;
    report.steps = trainer.total_steps();
    report.loss = s.loss;
    report.grad_norm = s.grad_norm;
    if (o.progress && o.progress(o.progress_user, &report) != 0)
      fail(Status::cancelled, "training was cancelled after step %jd of %jd", report.step, report.steps);
  }
}

}  // namespace

puna_status puna_recommender_train(const puna_context* context, const int64_t* users, const int32_t* items,
                                   const int64_t* times, size_t count, const puna_recommender_options* options,
                                   puna_recommender** recommender) {
  return guard([&] {
    const auto user_ids = array_view(users, count, "users");
    const auto item_ids = array_view(items, count, "items");
    const auto seconds = array_view(times, count, "times");
    PUNA_REQUIRE(recommender != nullptr, "recommender is NULL");
    const puna_recommender_options o = read_options(options, "puna_recommender_options");
    const SequenceTrainerOptions learning = trainer_options(o);  // refused before anything is computed
    const auto model = SequenceModel::create(context_or_new(context), config_of(o, item_ids), o.seed);
    name_items(*model, o);
    SequenceTrainer trainer(model, learning);
    trainer.learn(histories_of(user_ids, item_ids, seconds));
    run(trainer, o);
    *recommender = new puna_recommender{std::make_shared<const Recommender>(model)};
  });
}

puna_status puna_recommender_open(const puna_context* context, const char* path, puna_recommender** recommender) {
  return guard([&] {
    PUNA_REQUIRE(path != nullptr, "path is NULL");
    PUNA_REQUIRE(recommender != nullptr, "recommender is NULL");
    *recommender =
        new puna_recommender{std::make_shared<const Recommender>(SequenceModel::load(context_or_new(context), path))};
  });
}

puna_status puna_recommender_save(const puna_recommender* recommender, const char* path) {
  return guard([&] {
    const Recommender& r = use_recommender(recommender);
    PUNA_REQUIRE(path != nullptr, "path is NULL");
    r.model()->save(path);
  });
}

puna_status puna_recommender_get_info(const puna_recommender* recommender, puna_recommender_info* info) {
  return guard([&] {
    const SequenceConfig& c = use_recommender(recommender).model()->config();
    puna_recommender_info i{};
    i.kind = int32_t(c.kind);
    i.items = c.items;
    i.max_sequence = c.max_sequence;
    i.dim = c.dim;
    i.blocks = c.blocks;
    write_info(i, info, "puna_recommender_info");
  });
}

puna_status puna_recommender_get_item_name(const puna_recommender* recommender, int32_t item, const char** name,
                                           size_t* size) {
  return guard([&] {
    const Names& names = named(use_recommender(recommender));
    PUNA_REQUIRE(item >= 1 && item <= names.size(), "item %d, expected 1 to %jd", item, names.size());
    PUNA_REQUIRE(name != nullptr, "name is NULL");
    PUNA_REQUIRE(size != nullptr, "size is NULL");
    const std::string_view text = names[item - 1];
    *name = text.data();
    *size = text.size();
  });
}

puna_status puna_recommender_find_item(const puna_recommender* recommender, const char* name, int32_t* item) {
  return guard([&] {
    const Names& names = named(use_recommender(recommender));
    PUNA_REQUIRE(name != nullptr, "name is NULL");
    PUNA_REQUIRE(item != nullptr, "item is NULL");
    const int64_t found = names.find(name);
    PUNA_REQUIRE(found >= 0, "there is no item '%s'%s", shown(name).c_str(), names.did_you_mean(name).c_str());
    *item = int32_t(found) + 1;
  });
}

void puna_recommender_free(puna_recommender* recommender) {
  if (recommender) free_handle(recommender, *recommender->impl->model()->context());
}

puna_status puna_user_create(const puna_recommender* recommender, puna_user** user) {
  return guard([&] {
    const Recommender& r = use_recommender(recommender);
    PUNA_REQUIRE(user != nullptr, "user is NULL");
    *user = new puna_user{recommender->impl, UserState(r.model())};
  });
}

puna_status puna_user_append(puna_user* user, int32_t item, int64_t time) {
  return guard([&] { use(user).state.append({item, time}); });
}

puna_status puna_user_recommend(puna_user* user, int64_t query_time, const puna_recommend_options* options,
                                int32_t* items, float* scores, size_t capacity, size_t* found) {
  return guard([&] {
    puna_user& u = use(user);
    PUNA_REQUIRE(items != nullptr && capacity >= 1, "there is no room for items");
    PUNA_REQUIRE(found != nullptr, "found is NULL");
    const puna_recommend_options o = read_options(options, "puna_recommend_options");
    const int64_t count =
        std::min(int64_t(std::min<uint64_t>(capacity, INT32_MAX)), u.recommender->model()->config().items);
    const std::vector<Hit> hits =
        u.recommender->recommend(u.state, query_time, {count, flag(o.include_seen, "include_seen"), o.allowed});
    for (size_t i = 0; i < hits.size(); ++i) {
      items[i] = int32_t(hits[i].item);
      if (scores) scores[i] = hits[i].score;
    }
    *found = hits.size();
  });
}

void puna_user_free(puna_user* user) {
  if (user) free_handle(user, *user->recommender->model()->context());
}

#else
// A build without recommenders refuses each call and has no handles.
using namespace puna;
using namespace puna::capi;
puna_status puna_recommender_train(const puna_context*, const int64_t*, const int32_t*, const int64_t*, size_t,
                                   const puna_recommender_options*, puna_recommender**) {
  return missing("recommenders");
}
puna_status puna_recommender_open(const puna_context*, const char*, puna_recommender**) {
  return missing("recommenders");
}
puna_status puna_recommender_save(const puna_recommender*, const char*) { return missing("recommenders"); }
puna_status puna_recommender_get_info(const puna_recommender*, puna_recommender_info*) {
  return missing("recommenders");
}
puna_status puna_recommender_get_item_name(const puna_recommender*, int32_t, const char**, size_t*) {
  return missing("recommenders");
}
puna_status puna_recommender_find_item(const puna_recommender*, const char*, int32_t*) {
  return missing("recommenders");
}
void puna_recommender_free(puna_recommender*) {}
puna_status puna_user_create(const puna_recommender*, puna_user**) { return missing("recommenders"); }
puna_status puna_user_append(puna_user*, int32_t, int64_t) { return missing("recommenders"); }
puna_status puna_user_recommend(puna_user*, int64_t, const puna_recommend_options*, int32_t*, float*, size_t, size_t*) {
  return missing("recommenders");
}
void puna_user_free(puna_user*) {}
#endif
