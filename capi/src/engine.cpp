// engine.cpp -- puna_engine_*, puna_request_*: many answers at once, in C's terms.
#include "puna/runtime/engine.h"

#include "answer.h"
#include "buffer.h"
#include "chat_handle.h"
#include "handles.h"
#include "puna/runtime/prompt.h"
#include "puna_engine.h"
#include "session_mode.h"
#include "translate.h"

using namespace puna;
using namespace puna::capi;

struct puna_engine {
  ModelPtr model;
  Engine impl;
};

struct puna_request {
  ModelPtr model;
  EngineRequestPtr impl;
  EngineEvent event;  // the last handed out: its pointers live in here
  std::vector<puna_token_probability> probabilities;
  std::vector<EngineAnswer> answers;  // once it has ended
};

namespace {

static_assert(PUNA_EVENT_TOKEN == int(EngineEventKind::token) &&
              PUNA_EVENT_ANSWER_ENDED == int(EngineEventKind::answer_ended) &&
              PUNA_EVENT_ENDED == int(EngineEventKind::ended));
static_assert(PUNA_OUTCOME_FINISHED == int(EngineOutcome::finished) &&
              PUNA_OUTCOME_CANCELLED == int(EngineOutcome::cancelled) &&
              PUNA_OUTCOME_DEADLINE == int(EngineOutcome::deadline) &&
              PUNA_OUTCOME_FAILED == int(EngineOutcome::failed));

Engine& use_engine(const puna_engine* engine) {
  PUNA_REQUIRE(engine != nullptr, "engine is NULL");
  engine->model->context().require_same_process();
  return const_cast<puna_engine*>(engine)->impl;
}

template <class Handle>  // puna_request, const or not
Handle& use_request(Handle* request) {
  PUNA_REQUIRE(request != nullptr, "request is NULL");
  request->model->context().require_same_process();
  return *request;
}

std::string text_of(const char* text) { return text ? text : ""; }

// Borrows from both.
puna_event event_to_c(const EngineEvent& e, std::vector<puna_token_probability>& probabilities) {
  probabilities.clear();
  for (const TokenProbability& p : e.probabilities) probabilities.push_back({p.token, p.log_probability});
  puna_event c{};
  c.struct_size = sizeof c;
  c.kind = int32_t(e.kind);
  c.answer = e.answer;
  c.id = e.token;
  c.text = e.text.data();
  c.size = e.text.size();
  c.probabilities = probabilities.empty() ? nullptr : probabilities.data();
  c.probability_count = probabilities.size();
  c.stop_reason = int32_t(e.reason);
  c.outcome = int32_t(e.outcome);
  c.status = int32_t(e.status);
  c.message = e.message.c_str();
  return c;
}

EngineRequestOptions request_from_c(const puna_request_options& o) {
  EngineRequestOptions r;
  puna_generate_options g = read_options(o.generate, "puna_generate_options");
  if (g.process_logits || g.draft || g.keep_shared || g.context_policy != PUNA_CONTEXT_ERROR || g.keep_prefix != 0)
    fail(Status::invalid_argument,
         "a request takes no process_logits, draft, keep_shared, context_policy or keep_prefix");
  r.draft_tokens = int32_t(in_range(g.draft_tokens, 0, 64, "draft_tokens"));
  g.draft_tokens = 0;
  r.generate = generate_options_from_c(g);
  const auto adapters = array_view(o.adapters, o.adapter_count, "adapters");
  const auto weights = o.weights ? array_view(o.weights, o.adapter_count, "weights") : std::span<const float>();
  for (size_t i = 0; i < adapters.size(); ++i) {
    (void)use(adapters[i]);
    r.adapters.push_back({adapters[i]->impl, weights.empty() ? 1.0f : weights[i]});
  }
  r.priority = o.priority;
  r.deadline_us = o.deadline_us;
  r.key = text_of(o.key);
  r.salt = text_of(o.salt);
  r.cache = !flag(o.no_cache, "no_cache");
  in_range(o.n, 0, 1 << 20, "n");
  in_range(o.max_events, 0, INT32_MAX, "max_events");
  if (o.n != 0) r.n = o.n;
  r.best_of = o.best_of;
  r.beams = o.beams;
  r.length_penalty = o.length_penalty;
  if (o.max_events != 0) r.max_events = o.max_events;
  require_reserved(o.reserved, "puna_request_options");
  r.prompt_log_probabilities = o.prompt_log_probabilities;
  r.embed = flag(o.embed, "embed");
  r.pooling = Pooling(in_range(o.pooling, PUNA_POOLING_MEAN, PUNA_POOLING_NONE, "pooling"));
  r.normalise = flag(o.normalize, "normalize");
  PUNA_REQUIRE(r.embed || (o.pooling == 0 && !r.normalise), "pooling or normalize without embed");
  r.prompt_only = flag(o.prompt_only, "prompt_only");
  if (o.on_event)
    r.on_event = [call = o.on_event, user = o.user](const EngineEvent& e) {
      std::vector<puna_token_probability> probabilities;
      const puna_event c = event_to_c(e, probabilities);
      return call(user, &c) == 0;
    };
  return r;
}

template <class Ids>
puna_status submit(puna_engine* engine, const puna_request_options* theirs, puna_request** request, Ids&& ids) {
  return guard([&] {
    Engine& e = use_engine(engine);
    PUNA_REQUIRE(request != nullptr, "request is NULL");
    const puna_request_options o = read_options(theirs, "puna_request_options");
    EngineRequestOptions r = request_from_c(o);
    for (const AdapterShare& a : r.adapters)
      for (uint64_t i = 0; i < o.adapter_count; ++i)
        if (o.adapters[i]->impl == a.adapter)
          PUNA_REQUIRE(o.adapters[i]->model == engine->model, "an adapter belongs to another model than the engine's");
    const puna_generate_options g = read_options(o.generate, "puna_generate_options");
    const std::vector<int32_t> tokens = ids(*engine->model, g);
    r.prompt = prompt_with_images(*engine->model, tokens, images_from_c(g.images, g.image_count));
    auto handle = std::make_unique<puna_request>();
    handle->model = engine->model;
    handle->impl = e.submit(std::move(r));
    *request = handle.release();
  });
}

}  // namespace

puna_status puna_engine_create(const puna_model* model, const puna_engine_options* options, puna_engine** engine) {
  return guard([&] {
    (void)use(model);
    PUNA_REQUIRE(engine != nullptr, "engine is NULL");
    const puna_engine_options o = read_options(options, "puna_engine_options");
    require_reserved(o.reserved, "puna_engine_options");
    EngineOptions e;
    read_mode(e.session, o.exact, o.kv_type);
    in_range(o.max_positions, 0, model->impl->config().max_positions, "max_positions");
    in_range(o.prompt_rows, 0, 1 << 16, "prompt_rows");
    in_range(o.max_running, 0, 4096, "max_running");
    in_range(o.max_queued, 0, 1'000'000, "max_queued");
    number_in_range(o.prompt_share, 0, 1000, "prompt_share");
    e.session.max_positions = o.max_positions;
    if (o.prompt_rows != 0) e.session.prefill_chunk = o.prompt_rows;
    if (o.max_running != 0) e.max_running = o.max_running;
    if (o.max_queued != 0) e.max_queued = o.max_queued;
    if (o.prompt_share != 0) e.prompt_share = o.prompt_share;
    if (o.cache_bytes != 0) e.cache_bytes = o.cache_bytes == PUNA_ENGINE_NO_CACHE ? 0 : o.cache_bytes;
    if (o.draft) {
      (void)use(o.draft);
      e.draft = o.draft->impl;
    }
    *engine = new puna_engine{model->impl, Engine(model->impl, e)};
  });
}

void puna_engine_free(puna_engine* engine) {
  if (engine) free_handle(engine, engine->model->context());
}

puna_status puna_engine_step(puna_engine* engine, uint64_t budget_us, int32_t* more) {
  return guard([&] {
    const bool left = use_engine(engine).step(budget_us);
    if (more) *more = left;
  });
}

puna_status puna_engine_start(puna_engine* engine) {
  return guard([&] { use_engine(engine).start(); });
}

puna_status puna_engine_stop(puna_engine* engine) {
  return guard([&] { use_engine(engine).stop(); });
}

puna_status puna_engine_submit(puna_engine* engine, const char* prompt, size_t bytes,
                               const puna_request_options* options, puna_request** request) {
  return submit(engine, options, request, [&](const Model& model, const puna_generate_options& g) {
    return encode_prompt(model.require_tokenizer(), text_view(prompt, bytes, "prompt"),
                         flag(g.parse_special, "parse_special"));
  });
}

puna_status puna_engine_submit_tokens(puna_engine* engine, const int32_t* prompt, size_t count,
                                      const puna_request_options* options, puna_request** request) {
  return submit(engine, options, request, [&](const Model&, const puna_generate_options&) {
    const auto ids = array_view(prompt, count, "prompt");
    return std::vector<int32_t>(ids.begin(), ids.end());
  });
}

puna_status puna_engine_submit_chat(puna_engine* engine, const puna_chat* chat, const puna_request_options* options,
                                    puna_request** request) {
  return submit(engine, options, request, [&](const Model& model, const puna_generate_options&) {
    const puna_chat& c = use(chat);
    PUNA_REQUIRE(c.model.get() == &model, "the chat was rendered for another model than the engine's");
    model.require_tokenizer();
    return c.tokens;
  });
}

void puna_request_free(puna_request* request) {
  if (request) free_handle(request, request->model->context());
}

puna_status puna_request_next(puna_request* request, uint64_t timeout_us, puna_event* event) {
  return guard([&] {
    puna_request& r = use_request(request);
    PUNA_REQUIRE(event != nullptr, "puna_event is NULL");
    checked_struct_size(event->struct_size, "puna_event");
    if (r.impl->next(r.event, timeout_us)) {
      write_info(event_to_c(r.event, r.probabilities), event, "puna_event");
    } else {
      puna_event none{};
      none.text = none.message = "";
      write_info(none, event, "puna_event");
    }
  });
}

puna_status puna_request_cancel(puna_request* request) {
  return guard([&] { use_request(request).impl->cancel(); });
}

puna_status puna_request_get_info(const puna_request* request, puna_request_info* info) {
  return guard([&] {
    const puna_request& r = use_request(request);
    const EngineRequestInfo from = r.impl->info();
    puna_request_info i{};
    i.ended = from.ended;
    i.prompt_tokens = from.prompt_tokens;
    i.cached_tokens = from.cached_tokens;
    i.generated_tokens = from.generated_tokens;
    i.queued_seconds = from.queued_seconds;
    i.first_token_seconds = from.first_token_seconds;
    i.total_seconds = from.total_seconds;
    i.pauses = from.pauses;
    i.answer_count = from.ended ? int32_t(r.impl->answers().size()) : 0;
    write_info(i, info, "puna_request_info");
  });
}

puna_status puna_request_get_answer(puna_request* request, int32_t index, puna_answer* answer) {
  return guard([&] {
    puna_request& r = use_request(request);
    PUNA_REQUIRE(answer != nullptr, "puna_answer is NULL");
    if (r.answers.empty()) r.answers = r.impl->answers();
    PUNA_REQUIRE(index >= 0 && size_t(index) < r.answers.size(), "index is %d, the request has %zu answers", index,
                 r.answers.size());
    const EngineAnswer& from = r.answers[size_t(index)];
    puna_answer a{};
    a.stop_reason = int32_t(from.result.reason);
    a.tokens = from.result.tokens.data();
    a.token_count = from.result.tokens.size();
    a.text = from.result.text.c_str();
    a.size = from.result.text.size();
    a.mean_log_probability = from.mean_log_probability;
    a.accepted_drafts = from.result.accepted_drafts;
    a.rejected_drafts = from.result.rejected_drafts;
    a.incomplete = !from.result.whole;
    write_info(a, answer, "puna_answer");
  });
}

puna_status puna_request_get_prompt_probabilities(puna_request* request, int64_t position,
                                                  const puna_token_probability** probabilities, size_t* count) {
  return guard([&] {
    puna_request& r = use_request(request);
    PUNA_REQUIRE(probabilities != nullptr && count != nullptr, "%s is NULL", probabilities ? "count" : "probabilities");
    r.probabilities.clear();
    for (const TokenProbability& p : r.impl->prompt_probabilities(position))
      r.probabilities.push_back({p.token, p.log_probability});
    *probabilities = r.probabilities.data();
    *count = r.probabilities.size();
  });
}

puna_status puna_request_get_embedding(const puna_request* request, const float** values, size_t* count) {
  return guard([&] {
    const puna_request& r = use_request(request);
    PUNA_REQUIRE(values != nullptr, "values is NULL");
    const std::span<const float> embedding = r.impl->embedding();
    *values = embedding.data();
    if (count) *count = embedding.size();
  });
}

puna_status puna_engine_get_info(const puna_engine* engine, puna_engine_info* info) {
  return guard([&] {
    const Engine& e = use_engine(engine);
    const EngineStats s = e.stats();
    puna_engine_info i{};
    i.queued = s.queued;
    i.running = s.running;
    i.paused = s.paused;
    i.stalled = s.stalled;
    i.submitted = s.submitted;
    i.finished = s.finished;
    i.cancelled = s.cancelled;
    i.timed_out = s.timed_out;
    i.failed = s.failed;
    i.refused = s.refused;
    i.passes = s.passes;
    i.decode_rows = s.decode_rows;
    i.prompt_rows = s.prompt_rows;
    i.generated_tokens = s.generated_tokens;
    i.pauses = s.pauses;
    i.pass_seconds = s.pass_seconds;
    i.cache_lookups = s.cache_lookups;
    i.cache_hits = s.cache_hits;
    i.cache_hit_tokens = s.cache_hit_tokens;
    i.cache_evictions = s.cache_evictions;
    i.cache_bytes = s.cache_bytes;
    i.cache_pages = s.cache_nodes;
    i.retry_after_us = e.retry_after_us();
    write_info(i, info, "puna_engine_info");
  });
}

puna_status puna_engine_clear_cache(puna_engine* engine) {
  return guard([&] { use_engine(engine).clear_cache(); });
}

puna_status puna_engine_save_cache(puna_engine* engine, puna_buffer* bytes) {
  return guard([&] {
    Engine& e = use_engine(engine);
    puna_buffer& out = use(bytes, "bytes");
    const std::vector<std::byte> saved = e.save_cache();
    out.store(std::string_view(reinterpret_cast<const char*>(saved.data()), saved.size()));
  });
}

puna_status puna_engine_restore_cache(puna_engine* engine, const void* bytes, size_t size) {
  return guard([&] {
    Engine& e = use_engine(engine);
    PUNA_REQUIRE(bytes != nullptr, "bytes is NULL");
    e.restore_cache({static_cast<const std::byte*>(bytes), size});
  });
}
