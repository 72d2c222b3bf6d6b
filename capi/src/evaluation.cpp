// evaluation.cpp -- puna_model_score, puna_evaluation_*, puna_compare_samples.
#include <atomic>
#include <chrono>
#include <cmath>

#include "buffer.h"
#include "handles.h"
#include "puna/runtime/continuations.h"
#include "puna_eval.h"
#include "session_mode.h"
#include "translate.h"

#if PUNA_EVAL
#include "puna/eval/compare.h"
#include "puna/eval/evaluation.h"
#endif

using namespace puna;
using namespace puna::capi;

namespace {

constexpr int64_t kMostRows = 1 << 16;

// exact, max_positions, kv_type, rows and adapter, which both structs have.
template <class Options>
SessionOptions session_from_c(const Options& o, const Model& model) {
  SessionOptions s{.prefill_chunk = ContinuationOptions().session.prefill_chunk};
  read_mode(s, o.exact, o.kv_type);
  s.max_positions = o.max_positions;
  if (o.rows != 0) s.prefill_chunk = in_range(o.rows, 0, kMostRows, "rows");
  if (o.adapter) {
    capi::use(o.adapter);
    PUNA_REQUIRE(o.adapter->model.get() == &model, "the adapter was made for another model");
    s.adapter = o.adapter->impl;
  }
  return s;
}

}  // namespace

puna_status puna_model_score(const puna_model* model, const int32_t* tokens, const uint64_t* lengths,
                             const uint64_t* scored, uint64_t count, const puna_score_options* options,
                             double* log_likelihoods, int32_t* greedy) {
  return guard([&] {
    const Model& m = capi::use(model);
    const puna_score_options o = read_options(options, "puna_score_options");
    const auto sizes = array_view(lengths, count, "lengths"), ends = array_view(scored, count, "scored");
    PUNA_REQUIRE(log_likelihoods != nullptr || count == 0, "log_likelihoods is NULL");
    ContinuationOptions c;
    c.session = session_from_c(o, m);
    c.share = !flag(o.unshared, "unshared");
    std::vector<Continuation> requests;
    uint64_t at = 0;
    for (size_t i = 0; i < sizes.size(); ++i) {
      PUNA_REQUIRE(sizes[i] <= uint64_t(INT32_MAX) && ends[i] < sizes[i] && ends[i] > 0,
                   "request %zu scores %ju of its %ju tokens, expected one at least, and one before it", i, ends[i],
                   sizes[i]);
      PUNA_REQUIRE(tokens != nullptr, "tokens is NULL");
      const std::span<const int32_t> ids(tokens + at, size_t(sizes[i]));
      requests.push_back({{ids.begin(), ids.end()}, int64_t(ends[i])});
      at += sizes[i];
    }
    uint64_t done = 0;
    score_continuations(model->impl, requests, c, [&](size_t index, const ContinuationScore& s) {
      if (!std::isfinite(s.log_likelihood))
        fail(Status::bad_file, "request %zu: a log-probability is no finite number", index);
      log_likelihoods[index] = s.log_likelihood;
      if (greedy) greedy[index] = s.greedy;
      ++done;
      return !o.progress || o.progress(o.progress_user, done, count) == 0;
    });
  });
}

#if PUNA_EVAL
struct puna_evaluation {
  ModelPtr model;
  std::unique_ptr<eval::Evaluation> impl;
  eval::RunFacts facts;
  int64_t items = 0;
  std::atomic<bool> cancelled{false};
};

namespace {

template <class Handle>
Handle& use_evaluation(Handle* e) {
  PUNA_REQUIRE(e != nullptr, "evaluation is NULL");
  e->model->context().require_same_process();
  return *e;
}

eval::EvaluationOptions evaluation_options(const puna_evaluation_options& o, const Model& model) {
  eval::EvaluationOptions e;
  e.session = session_from_c(o, model);
  e.share = !flag(o.unshared, "unshared");
  e.limit = o.limit;
  if (o.num_fewshot != 0) e.num_fewshot = std::max<int64_t>(0, in_range(o.num_fewshot, -1, 1000, "num_fewshot"));
  e.chat = flag(o.chat, "chat");
  e.multiturn = flag(o.multiturn, "multiturn");
  if (o.parallel != 0) e.parallel = int32_t(in_range(o.parallel, 1, 1024, "parallel"));
  if (o.seed != 0) e.seed = o.seed;
  e.system = text_or_empty(o.system);
  e.date = text_or_empty(o.date);
  e.cluster = text_or_empty(o.cluster);
  return e;
}

}  // namespace

puna_status puna_evaluation_create(const puna_model* model, const char* task, size_t task_bytes, const char* items,
                                   size_t items_bytes, const char* shots, size_t shots_bytes,
                                   const puna_evaluation_options* options, puna_evaluation** evaluation) {
  return guard([&] {
    PUNA_REQUIRE(evaluation != nullptr, "evaluation is NULL");
    const Model& m = capi::use(model);
    const puna_evaluation_options o = read_options(options, "puna_evaluation_options");
    const eval::EvaluationOptions e = evaluation_options(o, m);
    eval::Task t;
    eval::read_task(t, text_view(task, task_bytes, "task"), "task");
    eval::finish_task(t);
    std::vector<std::string> rows = eval::read_documents(text_view(items, items_bytes, "items"), "items");
    std::vector<std::string> examples = eval::read_documents(text_view(shots, shots_bytes, "shots"), "shots");
    if (examples.empty() && e.num_fewshot.value_or(t.num_fewshot) > 0) examples = rows;
    auto out = std::make_unique<puna_evaluation>();
    out->model = model->impl;
    out->items = e.limit > 0 ? std::min(e.limit, int64_t(rows.size())) : int64_t(rows.size());
    out->facts.model = text_or_empty(o.name);
    out->impl = std::make_unique<eval::Evaluation>(model->impl, std::move(t), std::move(rows), std::move(examples), e);
    *evaluation = out.release();
  });
}

void puna_evaluation_free(puna_evaluation* evaluation) {
  if (evaluation) free_handle(evaluation, evaluation->model->context());
}

puna_status puna_evaluation_get_info(const puna_evaluation* evaluation, puna_evaluation_info* info) {
  return guard([&] {
    const puna_evaluation& e = use_evaluation(evaluation);
    puna_evaluation_info i{};
    i.items = e.items;
    i.requests = e.impl->requests();
    i.answered = e.impl->answered();
    i.fingerprint = e.impl->fingerprint();
    write_info(i, info, "puna_evaluation_info");
  });
}

puna_status puna_evaluation_run(puna_evaluation* evaluation, puna_answer_fn on_answer, void* user) {
  return guard([&] {
    puna_evaluation& e = use_evaluation(evaluation);
    const auto start = std::chrono::steady_clock::now();
    const auto stop = [&] { return e.cancelled.load(std::memory_order_relaxed); };
    const struct Ended {  // a cancel ends one run
      puna_evaluation& e;
      std::chrono::steady_clock::time_point start;
      ~Ended() {
        e.cancelled.store(false, std::memory_order_relaxed);
        e.facts.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      }
    } ended{e, start};
    e.impl->run(
        [&](const std::string& answer) {  // told first: it counts, whoever ends the run
          const bool go_on = !on_answer || on_answer(user, answer.data(), answer.size()) == 0;
          return go_on && !stop();
        },
        stop);
  });
}

puna_status puna_evaluation_cancel(puna_evaluation* evaluation) {
  return guard([&] {
    PUNA_REQUIRE(evaluation != nullptr, "evaluation is NULL");
    evaluation->cancelled.store(true, std::memory_order_relaxed);
  });
}

puna_status puna_evaluation_restore(puna_evaluation* evaluation, const char* json, size_t bytes, int32_t* taken) {
  return guard([&] {
    puna_evaluation& e = use_evaluation(evaluation);
    const std::vector<std::string> rows = eval::read_documents(text_view(json, bytes, "json"), "answer");
    PUNA_REQUIRE(rows.size() == 1, "%zu answers, expected one", rows.size());
    const bool was_taken = e.impl->restore(rows[0]);
    e.facts.restored += was_taken;
    if (taken) *taken = was_taken;
  });
}

puna_status puna_evaluation_result(const puna_evaluation* evaluation, puna_buffer* json) {
  return guard([&] {
    puna_buffer& out = capi::use(json, "json");
    const puna_evaluation& e = use_evaluation(evaluation);
    out.store(e.impl->json(e.impl->result(), e.facts));
  });
}

puna_status puna_evaluation_samples(const puna_evaluation* evaluation, puna_buffer* lines) {
  return guard([&] {
    puna_buffer& out = capi::use(lines, "lines");
    out.store(use_evaluation(evaluation).impl->samples());
  });
}

puna_status puna_evaluation_report(const puna_evaluation* evaluation, puna_buffer* html) {
  return guard([&] {
    puna_buffer& out = capi::use(html, "html");
    const puna_evaluation& e = use_evaluation(evaluation);
    out.store(e.impl->html(e.impl->result(), e.facts));
  });
}

puna_status puna_compare_samples(const char* a, size_t a_bytes, const char* b, size_t b_bytes,
                                 const puna_compare_options* options, puna_buffer* json) {
  return guard([&] {
    puna_buffer& out = capi::use(json, "json");
    const puna_compare_options o = read_options(options, "puna_compare_options");
    const eval::RunOptions read{text_or_empty(o.metric), text_or_empty(o.filter), text_or_empty(o.cluster)};
    eval::CompareOptions c;
    c.lower_is_better = flag(o.lower_is_better, "lower_is_better");
    if (o.level != 0) c.level = number_in_range(o.level, 0.5, 0.9999, "level");
    if (o.draws != 0) c.bootstrap.draws = in_range(o.draws, 100, 10'000'000, "draws");
    if (o.seed != 0) c.bootstrap.seed = o.seed;
    const std::vector<eval::Run> runs = {eval::read_run_text(text_view(a, a_bytes, "a"), "A", "task", read),
                                         eval::read_run_text(text_view(b, b_bytes, "b"), "B", "task", read)};
    out.store(eval::json_of(eval::compare_runs(runs, c), c));
  });
}

#else

puna_status puna_evaluation_create(const puna_model*, const char*, size_t, const char*, size_t, const char*, size_t,
                                   const puna_evaluation_options*, puna_evaluation**) {
  return missing("evaluation");
}
void puna_evaluation_free(puna_evaluation*) {}
puna_status puna_evaluation_get_info(const puna_evaluation*, puna_evaluation_info*) { return missing("evaluation"); }
puna_status puna_evaluation_run(puna_evaluation*, puna_answer_fn, void*) { return missing("evaluation"); }
puna_status puna_evaluation_cancel(puna_evaluation*) { return missing("evaluation"); }
puna_status puna_evaluation_restore(puna_evaluation*, const char*, size_t, int32_t*) { return missing("evaluation"); }
puna_status puna_evaluation_result(const puna_evaluation*, puna_buffer*) { return missing("evaluation"); }
puna_status puna_evaluation_samples(const puna_evaluation*, puna_buffer*) { return missing("evaluation"); }
puna_status puna_evaluation_report(const puna_evaluation*, puna_buffer*) { return missing("evaluation"); }
puna_status puna_compare_samples(const char*, size_t, const char*, size_t, const puna_compare_options*, puna_buffer*) {
  return missing("evaluation");
}

#endif
