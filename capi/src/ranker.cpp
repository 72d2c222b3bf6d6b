// ranker.cpp -- puna_ranker_*: one model of tasks and surfaces: training in batches or event by event, and inference.
#include "buffer.h"
#include "guard.h"
#include "puna_recsys.h"
#include "translate.h"

#if PUNA_RECSYS
#include "recsys_handles.h"

using namespace puna;
using namespace puna::capi;
using namespace puna::recsys;

namespace {

RankerTrainer& trainer_of(puna_ranker& r) {
  if (!r.trainer) r.trainer = std::make_unique<RankerTrainer>(r.impl, r.options);
  return *r.trainer;
}

// The caller's text, not a file: what is wrong with it is an argument's fault.
RankerConfig config_from_c(const char* json) {
  try {
    return ranker_config(json);
  } catch (const Error& e) {
    if (e.status() != Status::bad_file) throw;
    fail(Status::invalid_argument, "%s", e.what());
  }
}

RankerTrainerOptions options_from_c(const puna_ranker_options& o) {
  RankerTrainerOptions t;
  PUNA_REQUIRE(o.optimizer == PUNA_RANKER_ADAMW || o.optimizer == PUNA_RANKER_ADAGRAD,
               "optimizer is %d, expected PUNA_RANKER_ADAMW or _ADAGRAD", o.optimizer);
  t.optimizer.kind = o.optimizer == PUNA_RANKER_ADAMW ? train::OptimizerKind::adamw : train::OptimizerKind::adagrad;
  if (number_in_range(o.learning_rate, 0, 1e3, "learning_rate") != 0) t.optimizer.learning_rate = o.learning_rate;
  t.optimizer.weight_decay = number_in_range(o.weight_decay, 0, 1e3, "weight_decay");
  if (number_in_range(o.table_rate, 0, 1e3, "table_rate") != 0) t.table_rate = o.table_rate;
  t.table_decay = number_in_range(o.table_decay, 0, 1e3, "table_decay");
  t.dropout = float(number_in_range(o.dropout, 0, 0.999, "dropout"));  // as a float below 1 too
  t.seed = o.seed;
  return t;
}

}  // namespace

Examples puna::capi::examples_from_c(const RankerConfig& c, const puna_examples* theirs, bool with_surfaces) {
  PUNA_REQUIRE(theirs != nullptr, "examples is NULL");
  const puna_examples e = read_options(theirs, "puna_examples");
  require_reserved(e.reserved, "puna_examples");
  constexpr uint64_t kMost = uint64_t(1) << 31;
  PUNA_REQUIRE(e.count <= kMost && e.id_count <= kMost, "%ju examples with %ju ids, expected at most 2^31", e.count,
               e.id_count);
  PUNA_REQUIRE(e.count == 0 || ((e.surfaces || !with_surfaces) && e.starts && (e.ids || e.id_count == 0)),
               "examples: surfaces, starts or ids is NULL");
  PUNA_REQUIRE(e.count == 0 || (e.starts[e.count * c.features.size()] >= 0 &&
                                uint64_t(e.starts[e.count * c.features.size()]) <= e.id_count),
               "the examples' starts end at %jd, but there are %ju ids",
               e.count == 0 ? int64_t(0) : e.starts[e.count * c.features.size()], e.id_count);
  return {int64_t(e.count), e.surfaces, e.starts, e.ids, e.numbers};
}

puna_status puna_ranker_create(const puna_context* context, const char* config, const puna_ranker_options* options,
                               puna_ranker** ranker) {
  return guard([&] {
    PUNA_REQUIRE(config != nullptr, "config is NULL");
    PUNA_REQUIRE(ranker != nullptr, "ranker is NULL");
    const RankerTrainerOptions o = options_from_c(read_options(options, "puna_ranker_options"));
    *ranker = new puna_ranker{Ranker::create(context_or_new(context), config_from_c(config), o.seed), o, nullptr};
  });
}

puna_status puna_ranker_open(const puna_context* context, const char* path, const puna_ranker_options* options,
                             puna_ranker** ranker) {
  return guard([&] {
    PUNA_REQUIRE(path != nullptr, "path is NULL");
    PUNA_REQUIRE(ranker != nullptr, "ranker is NULL");
    const RankerTrainerOptions o = options_from_c(read_options(options, "puna_ranker_options"));
    *ranker = new puna_ranker{Ranker::load(context_or_new(context), path), o, nullptr};
  });
}

puna_status puna_ranker_save(const puna_ranker* ranker, const char* path) {
  return guard([&] {
    const puna_ranker& r = use(ranker);
    PUNA_REQUIRE(path != nullptr, "path is NULL");
    r.impl->save(path);
  });
}

puna_status puna_ranker_copy(const puna_ranker* ranker, int32_t table, puna_ranker** copy) {
  return guard([&] {
    const puna_ranker& r = use(ranker);
    PUNA_REQUIRE(copy != nullptr, "copy is NULL");
    PUNA_REQUIRE(table >= PUNA_RANKER_TABLE_F32 && table <= PUNA_RANKER_TABLE_I8,
                 "table is %d, expected PUNA_RANKER_TABLE_...", table);
    constexpr DType kTypes[] = {DType::f32, DType::f16, DType::i8};
    *copy = new puna_ranker{r.impl->copy(kTypes[table]), r.options, nullptr};
  });
}

puna_status puna_ranker_get_info(const puna_ranker* ranker, puna_ranker_info* info) {
  return guard([&] {
    const puna_ranker& r = use(ranker);
    const RankerConfig& c = r.impl->config();
    puna_ranker_info i{};
    i.table = r.impl->table_type() == DType::f32   ? PUNA_RANKER_TABLE_F32
              : r.impl->table_type() == DType::f16 ? PUNA_RANKER_TABLE_F16
                                                   : PUNA_RANKER_TABLE_I8;
    i.surfaces = int64_t(c.surfaces.size());
    i.tasks = int64_t(c.tasks.size());
    i.features = int64_t(c.features.size());
    i.numbers = int64_t(c.numbers.size());
    i.table_rows = c.table_rows();
    i.table_bytes = int64_t(r.impl->table_bytes());
    i.steps = r.trainer ? r.trainer->steps() : 0;
    write_info(i, info, "puna_ranker_info");
  });
}

puna_status puna_ranker_get_config(const puna_ranker* ranker, puna_buffer* json) {
  return guard([&] { use(json, "json").store(json_of(use(ranker).impl->config())); });
}

puna_status puna_ranker_score(const puna_ranker* ranker, const puna_examples* examples, float* probabilities,
                              size_t capacity) {
  return guard([&] {
    const puna_ranker& r = use(ranker);
    const Examples e = examples_from_c(r.impl->config(), examples);
    const uint64_t values = uint64_t(e.count) * r.impl->config().tasks.size();
    PUNA_REQUIRE(probabilities != nullptr || values == 0, "probabilities is NULL");
    (void)output_array(probabilities, capacity, size_t(values), 1, "probabilities");
    const std::vector<float> p = r.impl->score(e);  // a call that fails leaves the caller's buffer as it was
    std::copy(p.begin(), p.end(), probabilities);
  });
}

puna_status puna_ranker_learn(puna_ranker* ranker, const puna_examples* examples, const puna_outcomes* outcomes,
                              puna_ranker_report* report, float* predicted, size_t capacity) {
  return guard([&] {
    puna_ranker& r = use(ranker);
    const Examples e = examples_from_c(r.impl->config(), examples);
    PUNA_REQUIRE(outcomes != nullptr, "outcomes is NULL");
    const puna_outcomes o = read_options(outcomes, "puna_outcomes");
    require_reserved(o.reserved, "puna_outcomes");
    if (report) checked_struct_size(report->struct_size, "puna_ranker_report");
    const std::vector<uint32_t> all(o.known ? 0 : size_t(e.count), ~0u);
    const std::span<float> wanted =
        output_array(predicted, capacity, size_t(e.count), r.impl->config().tasks.size(), "predicted");
    std::vector<float> probabilities(wanted.size());  // copied when nothing can fail any more
    const RankerStep step = trainer_of(r).learn(e, {o.values, o.known ? o.known : all.data(), o.weights},
                                                predicted ? probabilities.data() : nullptr);
    std::copy(probabilities.begin(), probabilities.end(), predicted);
    if (report) write_info({0, 0, step.step, step.loss, step.grad_norm}, report, "puna_ranker_report");
  });
}

puna_status puna_ranker_save_state(puna_ranker* ranker, const char* path) {
  return guard([&] {
    puna_ranker& r = use(ranker);
    PUNA_REQUIRE(path != nullptr, "path is NULL");
    trainer_of(r).save(path);
  });
}

puna_status puna_ranker_restore_state(puna_ranker* ranker, const char* path) {
  return guard([&] {
    puna_ranker& r = use(ranker);
    PUNA_REQUIRE(path != nullptr, "path is NULL");
    trainer_of(r).resume(path);
  });
}

puna_status puna_ranker_calibrate(puna_ranker* ranker, size_t surface, size_t task, int32_t kind,
                                  const float* probabilities, const float* outcomes, size_t count) {
  return guard([&] {
    puna_ranker& r = use(ranker);
    PUNA_REQUIRE(kind >= PUNA_CALIBRATE_NONE && kind <= PUNA_CALIBRATE_ISOTONIC,
                 "kind is %d, expected PUNA_CALIBRATE_...", kind);
    Calibrator c;
    if (kind != PUNA_CALIBRATE_NONE) {
      const auto p = array_view(probabilities, count, "probabilities"), y = array_view(outcomes, count, "outcomes");
      c = kind == PUNA_CALIBRATE_PLATT ? Calibrator::platt(p, y) : Calibrator::isotonic(p, y);
    }
    r.impl->set_calibrator(surface, task, std::move(c));
  });
}

puna_status puna_ranker_find_id(const puna_ranker* ranker, size_t feature, const char* name, int64_t* id) {
  return guard([&] {
    const puna_ranker& r = use(ranker);
    PUNA_REQUIRE(name != nullptr, "name is NULL");
    PUNA_REQUIRE(id != nullptr, "id is NULL");
    *id = r.impl->id(feature, name);
  });
}

puna_status puna_ranker_set_names(puna_ranker* ranker, size_t feature, const char* const* names, size_t count) {
  return guard([&] {
    puna_ranker& r = use(ranker);
    PUNA_REQUIRE(names != nullptr || count == 0, "names is NULL");
    PUNA_REQUIRE(feature < r.impl->config().features.size(), "feature %zu of %zu", feature,
                 r.impl->config().features.size());
    const Feature& f = r.impl->config().features[feature];
    PUNA_REQUIRE(count <= uint64_t(f.rows), "feature '%s': %zu names, expected up to %jd", f.name.c_str(), count,
                 f.rows);
    r.impl->set_vocabulary(feature, names_from_c(names, count, f.name.c_str()));
  });
}

void puna_ranker_free(puna_ranker* ranker) {
  if (ranker) free_handle(ranker, *ranker->impl->context());
}

#else
// A build without recommenders refuses each call and has no handles.
using namespace puna;
using namespace puna::capi;
puna_status puna_ranker_create(const puna_context*, const char*, const puna_ranker_options*, puna_ranker**) {
  return missing("recommenders");
}
puna_status puna_ranker_open(const puna_context*, const char*, const puna_ranker_options*, puna_ranker**) {
  return missing("recommenders");
}
puna_status puna_ranker_save(const puna_ranker*, const char*) { return missing("recommenders"); }
puna_status puna_ranker_copy(const puna_ranker*, int32_t, puna_ranker**) { return missing("recommenders"); }
puna_status puna_ranker_get_info(const puna_ranker*, puna_ranker_info*) { return missing("recommenders"); }
puna_status puna_ranker_get_config(const puna_ranker*, puna_buffer*) { return missing("recommenders"); }
puna_status puna_ranker_score(const puna_ranker*, const puna_examples*, float*, size_t) {
  return missing("recommenders");
}
puna_status puna_ranker_learn(puna_ranker*, const puna_examples*, const puna_outcomes*, puna_ranker_report*, float*,
                              size_t) {
  return missing("recommenders");
}
puna_status puna_ranker_save_state(puna_ranker*, const char*) { return missing("recommenders"); }
puna_status puna_ranker_restore_state(puna_ranker*, const char*) { return missing("recommenders"); }
puna_status puna_ranker_calibrate(puna_ranker*, size_t, size_t, int32_t, const float*, const float*, size_t) {
  return missing("recommenders");
}
puna_status puna_ranker_find_id(const puna_ranker*, size_t, const char*, int64_t*) { return missing("recommenders"); }
puna_status puna_ranker_set_names(puna_ranker*, size_t, const char* const*, size_t) { return missing("recommenders"); }
void puna_ranker_free(puna_ranker*) {}
#endif
