// puna_engine_*: what the C layer adds to the engine: options, events, handles in any order, statuses.
#include <puna_engine.h>

#include <thread>

#include "capi/fixture.h"

using namespace puna::test;

namespace test_engine_c {
namespace {

using EngineHandle = std::unique_ptr<puna_engine, Free<puna_engine_free>>;
using RequestHandle = std::unique_ptr<puna_request, Free<puna_request_free>>;
constexpr int32_t kPrompt[] = {11, 22, 33, 44, 55, 66, 77};

std::string folder() {
  return goldens([](const Golden& g) { return g.has_file("config.json") && g.has_file("tokenizer.json"); })
      .front()
      .folder();
}
EngineHandle make_engine(const ModelHandle& model, const puna_engine_options* options = nullptr) {
  puna_engine* e = nullptr;
  ok(puna_engine_create(model.get(), options, &e));
  return EngineHandle(e);
}
RequestHandle submit(const EngineHandle& engine, const puna_request_options* options) {
  puna_request* r = nullptr;
  ok(puna_engine_submit_tokens(engine.get(), kPrompt, 7, options, &r));
  return RequestHandle(r);
}
std::vector<int32_t> alone(const ModelHandle& model, const puna_generate_options& options) {
  const SessionHandle session = make_session(model);
  std::vector<int32_t> ids;
  ok(puna_session_generate_tokens(
      session.get(), kPrompt, 7, &options,
      [](void* user, const puna_generated_token* t) {
        static_cast<std::vector<int32_t>*>(user)->push_back(t->id);
        return 0;
      },
      &ids, nullptr));
  return ids;
}
void step_to_the_end(const EngineHandle& engine) {
  int32_t more = 1;
  for (int i = 0; more; ++i) {
    REQUIRE(i < 10'000);
    ok(puna_engine_step(engine.get(), i % 2 == 0 ? 0 : 200, &more));
  }
}

}  // namespace

TEST_CASE("requests are pulled or called back, and say what the same generation says", "[capi]") {
  const ModelHandle model = open_model(folder());
  const EngineHandle engine = make_engine(model);
  auto sampler = sized<puna_sampler_options>();
  sampler.temperature = 1;
  sampler.seed = 5;
  auto generate = sized<puna_generate_options>();
  generate.sampler = &sampler;
  generate.max_tokens = 12;
  generate.ignore_eos = 1;
  generate.log_probabilities = 2;
  auto options = sized<puna_request_options>();
  options.generate = &generate;
  const std::vector<int32_t> want = alone(model, generate);

  struct Heard {
    std::vector<int32_t> ids;
    std::string text;
    int ends = 0;
  } heard;
  const RequestHandle pulled = submit(engine, &options);
  options.user = &heard;
  options.on_event = [](void* user, const puna_event* e) {
    Heard& h = *static_cast<Heard*>(user);
    if (e->kind == PUNA_EVENT_TOKEN) {
      h.ids.push_back(e->id);
      h.text.append(e->text, e->size);
    }
    h.ends += e->kind == PUNA_EVENT_ENDED;
    return 0;
  };
  const RequestHandle called = submit(engine, &options);
  step_to_the_end(engine);
  CHECK(heard.ids == want);
  CHECK(heard.ends == 1);

  std::vector<int32_t> ids;
  auto event = sized<puna_event>();
  while (true) {
    ok(puna_request_next(pulled.get(), 0, &event));
    if (event.kind == PUNA_EVENT_NONE) break;
    if (event.kind != PUNA_EVENT_TOKEN) continue;
    ids.push_back(event.id);
    REQUIRE(event.probability_count == 2);
    CHECK(event.probabilities[0].token == event.id);
  }
  CHECK(ids == want);
  auto answer = sized<puna_answer>();
  ok(puna_request_get_answer(pulled.get(), 0, &answer));
  CHECK(std::vector<int32_t>(answer.tokens, answer.tokens + answer.token_count) == want);
  CHECK(std::string(answer.text, answer.size) == heard.text);
  CHECK(answer.mean_log_probability < 0);
  refused(puna_request_get_answer(pulled.get(), 1, &answer), PUNA_INVALID_ARGUMENT, "has 1 answers");
  auto info = sized<puna_engine_info>();
  ok(puna_engine_get_info(engine.get(), &info));
  CHECK(info.finished == 2);
  CHECK(info.generated_tokens == 24);
  auto about = sized<puna_request_info>();
  ok(puna_request_get_info(called.get(), &about));
  CHECK(about.ended == 1);
  CHECK(about.prompt_tokens == 7);
  CHECK(about.generated_tokens == 12);
  CHECK(about.answer_count == 1);
}

TEST_CASE("a text, a chat and ids are submitted; a prefix cache goes through a buffer", "[capi]") {
  const ModelHandle model = open_model(folder());
  auto generate = sized<puna_generate_options>();
  generate.max_tokens = 3;
  auto options = sized<puna_request_options>();
  options.generate = &generate;
  puna_buffer* saved = nullptr;
  ok(puna_buffer_create(&saved));
  {
    const EngineHandle engine = make_engine(model);
    puna_request* r = nullptr;
    ok(puna_engine_submit(engine.get(), "Once upon a time, there was a", 29, &options, &r));
    const RequestHandle text(r);
    puna_chat* c = nullptr;
    if (puna_chat_create(model.get(), R"([{"role": "user", "content": "Hi"}])", 35, nullptr, &c) == PUNA_OK) {
      const ChatHandle chat(c);
      ok(puna_engine_submit_chat(engine.get(), c, &options, &r));
      puna_request_free(r);  // which cancels it
    }
    step_to_the_end(engine);
    ok(puna_engine_save_cache(engine.get(), saved));
  }
  CHECK(puna_buffer_size(saved) > 100);
  const EngineHandle engine = make_engine(model);
  ok(puna_engine_restore_cache(engine.get(), puna_buffer_data(saved), puna_buffer_size(saved)));
  refused(puna_engine_restore_cache(engine.get(), puna_buffer_data(saved), puna_buffer_size(saved) - 1), PUNA_BAD_FILE,
          "prefix cache");
  puna_request* r = nullptr;
  ok(puna_engine_submit(engine.get(), "Once upon a time, there was a", 29, &options, &r));
  const RequestHandle again(r);
  step_to_the_end(engine);
  auto about = sized<puna_request_info>();
  ok(puna_request_get_info(again.get(), &about));
  CHECK(about.cached_tokens == about.prompt_tokens - 1);
  ok(puna_engine_clear_cache(engine.get()));
  auto info = sized<puna_engine_info>();
  ok(puna_engine_get_info(engine.get(), &info));
  CHECK(info.cache_bytes == 0);
  puna_buffer_free(saved);
}

TEST_CASE("a request says how likely its prompt was, and embeds it, as a session does", "[capi]") {
  const ModelHandle model = open_model(folder());
  const EngineHandle engine = make_engine(model);
  auto options = sized<puna_request_options>();
  options.prompt_log_probabilities = 3;
  options.prompt_only = 1;
  options.embed = 1;
  options.pooling = PUNA_POOLING_LAST;
  const RequestHandle request = submit(engine, &options);
  const puna_token_probability* likely = nullptr;
  const float* values = nullptr;
  size_t count = 0;
  refused(puna_request_get_prompt_probabilities(request.get(), 1, &likely, &count), PUNA_WRONG_STATE, "not been read");
  step_to_the_end(engine);
  float nll[6];
  const SessionHandle session = make_session(model);
  ok(puna_session_score(session.get(), kPrompt, 7, nll, 6));
  for (int64_t i = 1; i < 7; ++i) {
    ok(puna_request_get_prompt_probabilities(request.get(), i, &likely, &count));
    REQUIRE(count == 3);
    CHECK(likely[0].token == kPrompt[i]);
    CHECK(likely[0].log_probability == -nll[i - 1]);
  }
  ok(puna_request_get_embedding(request.get(), &values, &count));
  std::vector<float> want(count);
  const SessionHandle other = make_session(model);
  auto append = sized<puna_append_options>();
  append.embeddings = want.data();
  append.embeddings_capacity = count;
  append.pooling = PUNA_POOLING_LAST;
  ok(puna_session_append(other.get(), kPrompt, 7, &append, nullptr));
  CHECK(std::vector<float>(values, values + count) == want);
  auto answer = sized<puna_answer>();
  ok(puna_request_get_answer(request.get(), 0, &answer));
  CHECK(answer.token_count == 0);
  options.n = 2;
  puna_request* r = nullptr;
  refused(puna_engine_submit_tokens(engine.get(), kPrompt, 7, &options, &r), PUNA_INVALID_ARGUMENT, "prompt_only");
  options.n = 0;
  options.embed = 0;
  refused(puna_engine_submit_tokens(engine.get(), kPrompt, 7, &options, &r), PUNA_INVALID_ARGUMENT, "without embed");
}

TEST_CASE("an engine's thread answers while others wait; freeing handles in any order is right", "[capi]") {
  ModelHandle model = open_model(folder());
  auto generate = sized<puna_generate_options>();
  generate.max_tokens = 20;
  generate.ignore_eos = 1;
  auto options = sized<puna_request_options>();
  options.generate = &generate;
  const std::vector<int32_t> want = alone(model, generate);
  EngineHandle engine = make_engine(model);
  model.reset();
  ok(puna_engine_start(engine.get()));
  refused(puna_engine_step(engine.get(), 0, nullptr), PUNA_WRONG_STATE, "own thread");
  std::vector<std::thread> users;
  std::vector<int> wrong(3);
  for (size_t u = 0; u < 3; ++u)
    users.emplace_back([&, u] {
      for (int i = 0; i < 5; ++i) {
        puna_request* r = nullptr;
        if (puna_engine_submit_tokens(engine.get(), kPrompt, 7, &options, &r) != PUNA_OK) ++wrong[u];
        const RequestHandle request(r);
        if (i == 3) continue;  // freed at once
        std::vector<int32_t> ids;
        auto event = sized<puna_event>();
        do {
          if (puna_request_next(r, UINT64_MAX, &event) != PUNA_OK) ++wrong[u];
          if (event.kind == PUNA_EVENT_TOKEN) ids.push_back(event.id);
        } while (event.kind != PUNA_EVENT_ENDED);
        wrong[u] += ids != want;
      }
    });
  for (std::thread& u : users) u.join();
  for (const int w : wrong) CHECK(w == 0);
  RequestHandle left = submit(engine, &options);
  engine.reset();
  auto event = sized<puna_event>();
  do ok(puna_request_next(left.get(), 0, &event));
  while (event.kind == PUNA_EVENT_TOKEN || event.kind == PUNA_EVENT_ANSWER_ENDED);
  CHECK(event.kind == PUNA_EVENT_ENDED);
  CHECK((event.outcome == PUNA_OUTCOME_CANCELLED || event.outcome == PUNA_OUTCOME_FINISHED));
}

TEST_CASE("what an engine does not take is refused with a sentence", "[capi]") {
  const ModelHandle model = open_model(folder());
  auto engine_options = sized<puna_engine_options>();
  engine_options.max_queued = 1;
  engine_options.reserved = 1;
  puna_engine* e = nullptr;
  refused(puna_engine_create(model.get(), &engine_options, &e), PUNA_UNSUPPORTED, "reserved");
  engine_options.reserved = 0;
  engine_options.max_running = -1;
  refused(puna_engine_create(model.get(), &engine_options, &e), PUNA_INVALID_ARGUMENT, "max_running");
  engine_options.max_running = 2;
  const EngineHandle engine = make_engine(model, &engine_options);
  auto generate = sized<puna_generate_options>();
  auto options = sized<puna_request_options>();
  options.generate = &generate;
  puna_request* r = nullptr;
  const auto refuse = [&](puna_status status, const char* words) {
    refused(puna_engine_submit_tokens(engine.get(), kPrompt, 7, &options, &r), status, words);
    generate = sized<puna_generate_options>();
    options = sized<puna_request_options>();
    options.generate = &generate;
  };
  generate.keep_shared = 1;
  refuse(PUNA_INVALID_ARGUMENT, "keep_shared");
  generate.draft_tokens = 3;
  refuse(PUNA_INVALID_ARGUMENT, "draft");
  options.n = 3;
  refuse(PUNA_INVALID_ARGUMENT, "max_running");
  options.best_of = -1;
  refuse(PUNA_INVALID_ARGUMENT, "best_of");
  options.beams = -1;
  refuse(PUNA_INVALID_ARGUMENT, "beams");
  options.beams = 2;
  options.best_of = 3;
  refuse(PUNA_INVALID_ARGUMENT, "takes no best_of");
  options.length_penalty = 1;
  refuse(PUNA_INVALID_ARGUMENT, "length_penalty without beams");
  options.adapter_count = 1;
  refuse(PUNA_INVALID_ARGUMENT, "adapters is NULL");
  refused(puna_engine_submit_tokens(engine.get(), kPrompt, 0, &options, &r), PUNA_INVALID_ARGUMENT, "empty");
  const RequestHandle first = submit(engine, &options);
  refuse(PUNA_BUSY, "try again");
  CHECK(std::string(puna_status_name(PUNA_BUSY)) == "busy");
  auto answer = sized<puna_answer>();
  refused(puna_request_get_answer(first.get(), 0, &answer), PUNA_WRONG_STATE, "not ended");
}

}  // namespace test_engine_c
