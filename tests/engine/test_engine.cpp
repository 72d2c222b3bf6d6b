// The engine's promises one by one: an answer is what its request gives alone, whatever else runs, is cached, paused or
// cancelled.
#include <thread>

#include "engine/engine_support.h"
#include "puna/base/error.h"

using namespace puna;
using namespace puna::test;

namespace test_engine {
TEST_CASE("requests that run together answer as each does alone", "[engine]") {
  const char* const fixture = GENERATE("text_scout_like", "text_maverick_like", "gemma3", "mistral", "phi3", "gpt_oss");
  const bool exact = GENERATE(false, true);
  const ModelPtr model = open_text_model(fixture);
  CAPTURE(fixture, exact);
  EngineOptions options;
  options.session = {exact, 0, 32};
  Engine engine(model, options);
  std::vector<EngineRequestOptions> asked;
  std::vector<EngineRequestPtr> requests;
  for (uint32_t i = 0; i < 6; ++i) {
    asked.push_back(request_for(*model, 3 + 29 * i, 5 + 7 * i, i));
    requests.push_back(engine.submit(asked.back()));
  }
  for (int i = 0; engine.step(); ++i) REQUIRE(i < 10'000);
  for (size_t i = 0; i < requests.size(); ++i) {
    CAPTURE(i);
    Told told;
    listen(*requests[i], told);
    REQUIRE(told.ended);
    CHECK(told.last.message == "");
    const GenerateResult want = alone(model, asked[i], options.session);
    CHECK(told.tokens.at(0) == want.tokens);
    CHECK(told.text.at(0) == want.text);
    CHECK(told.ends.at(0).reason == want.reason);
    CHECK(requests[i]->answers().at(0).result.tokens == want.tokens);
  }
  CHECK(engine.stats().finished == 6);
  CHECK(engine.stats().running == 0);
}

TEST_CASE("a prompt that was read before is not read again, for every cut, and nothing changes", "[engine]") {
  const char* const fixture = GENERATE("text_scout_like", "text_maverick_like");
  const ModelPtr model = open_text_model(fixture);
  CAPTURE(fixture);
  EngineOptions options;
  options.session = {false, 0, 64};
  Engine engine(model, options);
  const EngineRequestOptions first = request_for(*model, 150, 3, 7);
  run(engine, *engine.submit(first));
  for (size_t cut = 1; cut <= 150; ++cut) {
    CAPTURE(cut);
    EngineRequestOptions r = request_for(*model, 9, 2, uint32_t(cut));
    r.prompt.tokens[0] = cut < 150 ? (first.prompt.tokens[cut] + 1) % int32_t(model->config().vocab) : 3;
    r.prompt.tokens.insert(r.prompt.tokens.begin(), first.prompt.tokens.begin(),
                           first.prompt.tokens.begin() + std::ptrdiff_t(cut));
    const EngineRequestPtr request = engine.submit(r);
    const Told told = run(engine, *request);
    CHECK(told.tokens.at(0) == alone(model, r, options.session).tokens);
    CHECK(request->info().cached_tokens == int64_t(cut));
  }
  EngineRequestOptions other = first;
  other.salt = "another user";
  const EngineRequestPtr salted = engine.submit(other);
  run(engine, *salted);
  CHECK(salted->info().cached_tokens == 0);
}

TEST_CASE("prefixes of models with sliding windows or LongRoPE change nothing, wherever they are cut", "[engine]") {
  const char* const fixture = GENERATE("gemma3", "mistral", "phi3");
  const ModelPtr model = open_text_model(fixture);
  CAPTURE(fixture);
  EngineOptions options;
  options.session = {false, 0, 64};
  Engine engine(model, options);
  const EngineRequestOptions first = request_for(*model, 200, 3, 7);
  run(engine, *engine.submit(first));
  uint64_t cached = 0;
  for (size_t cut = 1; cut <= 200; cut += 11) {
    CAPTURE(cut);
    EngineRequestOptions r = request_for(*model, 9, 2, uint32_t(cut));
    r.prompt.tokens.insert(r.prompt.tokens.begin(), first.prompt.tokens.begin(),
                           first.prompt.tokens.begin() + std::ptrdiff_t(cut));
    const EngineRequestPtr request = engine.submit(r);
    CHECK(run(engine, *request).tokens.at(0) == alone(model, r, options.session).tokens);
    cached += uint64_t(request->info().cached_tokens);
  }
  if (std::string(fixture) != "phi3") CHECK(cached > 0);
}

TEST_CASE("many that begin alike read the common part once", "[engine]") {
  const ModelPtr model = open_text_model("text_scout_like");
  EngineOptions options;
  options.session = {false, 0, 64};
  Engine engine(model, options);
  std::vector<EngineRequestOptions> asked;
  std::vector<EngineRequestPtr> requests;
  for (uint32_t i = 0; i < 20; ++i) {
    asked.push_back(request_for(*model, 160, 4, 1));
    asked.back().prompt.tokens.push_back(int32_t(i));
    asked.back().generate.sampler.seed = i;
    requests.push_back(engine.submit(asked.back()));
  }
  while (engine.step()) {}
  for (size_t i = 0; i < requests.size(); ++i) {
    Told told;
    listen(*requests[i], told);
    CHECK(told.tokens.at(0) == alone(model, asked[i], options.session).tokens);
  }
  CHECK(engine.stats().prompt_rows <= 160 + 20 * 20);
}

TEST_CASE("answers of one prompt: answer i is what seed + i gives; the best of several come first", "[engine]") {
  const ModelPtr model = open_text_model("text_scout_like");
  EngineOptions options;
  Engine engine(model, options);
  EngineRequestOptions r = request_for(*model, 40, 9, 3);
  r.n = 4;
  r.generate.log_probabilities = 1;
  const EngineRequestPtr request = engine.submit(r);
  const Told told = run(engine, *request);
  const std::vector<EngineAnswer> answers = request->answers();
  REQUIRE(answers.size() == 4);
  for (int32_t i = 0; i < 4; ++i) {
    CHECK(told.tokens.at(size_t(i)) == alone(model, r, options.session, i).tokens);
    CHECK(answers[size_t(i)].result.tokens == told.tokens[size_t(i)]);
  }
  CHECK(engine.stats().prompt_rows == 40);
  r.n = 2;
  r.best_of = 4;
  const EngineRequestPtr ranked = engine.submit(r);
  run(engine, *ranked);
  std::vector<EngineAnswer> by_rank = answers;
  std::stable_sort(by_rank.begin(), by_rank.end(),
                   [](const auto& a, const auto& b) { return a.mean_log_probability > b.mean_log_probability; });
  const std::vector<EngineAnswer> best = ranked->answers();
  REQUIRE(best.size() == 2);
  for (size_t i = 0; i < 2; ++i) CHECK(best[i].result.tokens == by_rank[i].result.tokens);
}

TEST_CASE("a cancel ends one request in every state, and touches no other", "[engine]") {
  const ModelPtr model = open_text_model("text_scout_like");
  EngineOptions options;
  options.session = {false, 0, 16};
  options.max_running = 2;
  const EngineRequestOptions kept = request_for(*model, 30, 20, 1), gone = request_for(*model, 90, 30, 2);
  const GenerateResult want = alone(model, kept, options.session);
  for (int after = 0; after < 40; ++after) {
    CAPTURE(after);
    Engine engine(model, options);
    const EngineRequestPtr a = engine.submit(kept), b = engine.submit(gone), c = engine.submit(kept);
    for (int i = 0; i < after; ++i) engine.step(i % 3 == 0 ? 1 : 0);
    b->cancel();
    engine.step(1);
    CHECK(b->ended());
    Told told, told_b, told_c;
    while (engine.step()) {}
    listen(*a, told);
    listen(*b, told_b);
    listen(*c, told_c);
    CHECK(told.tokens.at(0) == want.tokens);
    CHECK(told_c.tokens.at(0) == want.tokens);
    CHECK((told_b.last.outcome == EngineOutcome::cancelled || told_b.last.outcome == EngineOutcome::finished));
  }
}

TEST_CASE("a reader that is behind pauses its own request alone", "[engine]") {
  const ModelPtr model = open_text_model("text_scout_like");
  EngineOptions options;
  options.max_running = 1;
  Engine engine(model, options);
  EngineRequestOptions slow = request_for(*model, 12, 40, 1), other = request_for(*model, 12, 10, 2);
  slow.max_events = 4;
  const EngineRequestPtr a = engine.submit(slow), b = engine.submit(other);
  for (int i = 0; engine.step(); ++i) REQUIRE(i < 1000);
  CHECK(!a->ended());
  Told told, told_b;
  listen(*b, told_b);
  CHECK(told_b.tokens.at(0) == alone(model, other, {}).tokens);
  while (!told.ended) {
    listen(*a, told);
    engine.step();
  }
  CHECK(told.tokens.at(0) == alone(model, slow, {}).tokens);
}

TEST_CASE("the queue is bounded, deadlines end requests, and what can never run is refused at once", "[engine]") {
  const ModelPtr model = open_text_model("text_scout_like");
  EngineOptions options;
  options.max_queued = 2;
  Engine engine(model, options);
  const EngineRequestOptions r = request_for(*model, 12, 4, 1);
  const EngineRequestPtr a = engine.submit(r), b = engine.submit(r);
  CHECK(status_of([&] { engine.submit(r); }) == Status::busy);
  CHECK(engine.retry_after_us() > 0);
  CHECK(engine.stats().refused == 1);
  while (engine.step()) {}
  EngineRequestOptions late = r;
  late.deadline_us = 1;
  const EngineRequestPtr c = engine.submit(late);
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK(run(engine, *c).last.outcome == EngineOutcome::deadline);
  EngineRequestOptions bad = r;
  bad.prompt.tokens = {-1};
  CHECK(status_of([&] { engine.submit(bad); }) == Status::invalid_argument);
  bad = r;
  bad.generate.sampler.top_p = 7;
  CHECK(status_of([&] { engine.submit(bad); }) == Status::invalid_argument);
  bad = r;
  bad.prompt.tokens.resize(size_t(model->config().max_positions) + 1);
  CHECK(status_of([&] { engine.submit(bad); }) == Status::context_full);
  bad = r;
  bad.prompt.tokens.clear();
  CHECK(status_of([&] { engine.submit(bad); }) == Status::invalid_argument);
}

TEST_CASE("the engine's own thread serves readers on many threads, and sleeps when there is nothing to do",
          "[engine]") {
  const ModelPtr model = open_text_model("text_scout_like");
  EngineOptions options;
  options.max_running = 3;
  Engine engine(model, options);
  engine.start();
  CHECK(status_of([&] { engine.step(); }) == Status::wrong_state);
  CHECK(status_of([&] { engine.start(); }) == Status::wrong_state);
  std::vector<std::thread> users;
  std::vector<int> wrong(4);
  std::vector<std::vector<int32_t>> want(8);
  for (uint32_t i = 0; i < 8; ++i) want[i] = alone(model, request_for(*model, 20 + i, 12, i), {}).tokens;
  for (uint32_t u = 0; u < 4; ++u)
    users.emplace_back([&, u] {
      for (uint32_t i = 0; i < 8; ++i) {
        EngineRequestOptions o = request_for(*model, 20 + i, 12, i);
        o.max_events = 3;
        const EngineRequestPtr r = engine.submit(o);
        if ((i + u) % 5 == 4) r->cancel();
        std::vector<int32_t> tokens;
        EngineEvent e, last;
        while (r->next(e, UINT64_MAX)) {
          if (e.kind == EngineEventKind::token) tokens.push_back(e.token);
          last = e;
        }
        if (last.outcome == EngineOutcome::finished ? tokens != want[i] : last.outcome != EngineOutcome::cancelled)
          ++wrong[u];
      }
    });
  for (std::thread& u : users) u.join();
  for (const int w : wrong) CHECK(w == 0);
  engine.stop();
  engine.stop();
  CHECK(engine.stats().running == 0);
  CHECK_FALSE(engine.step());
}

TEST_CASE("a saved prefix cache is found again, and damage is an error", "[engine]") {
  const ModelPtr model = open_text_model(GENERATE("text_scout_like", "text_maverick_like"));
  EngineOptions options;
  const EngineRequestOptions r = request_for(*model, 150, 5, 7);
  std::vector<std::byte> saved;
  {
    Engine engine(model, options);
    run(engine, *engine.submit(r));
    saved = engine.save_cache();
  }
  Engine engine(model, options);
  engine.restore_cache(saved);
  CHECK(engine.stats().cache_nodes > 0);
  const EngineRequestPtr again = engine.submit(r);
  CHECK(run(engine, *again).tokens.at(0) == alone(model, r, {}).tokens);
  CHECK(again->info().cached_tokens == 149);
  Engine fresh(model, options);
  for (size_t at = 0; at < saved.size(); at += 1 + saved.size() / 97) {
    std::vector<std::byte> broken = saved;
    broken[at] ^= std::byte(0x41);
    CHECK(status_of([&] { fresh.restore_cache(broken); }) != Status::ok);
    broken.resize(at);
    CHECK(status_of([&] { fresh.restore_cache(broken); }) == Status::bad_file);
  }
  CHECK(fresh.stats().cache_nodes == 0);
  EngineOptions exact;
  exact.session.exact = true;
  Engine other(model, exact);
  CHECK(status_of([&] { other.restore_cache(saved); }) == Status::invalid_argument);
}

TEST_CASE("grammars, stop strings, drafts and log-probabilities are those of the request alone", "[engine]") {
  const ModelPtr model = Model::open(make_context({}), PUNA_SOURCE_DIR "/examples/bundled/puna-austen.gguf");
  const GrammarPtr json = grammar_from_any_json(), word = grammar_from_regex("[a-z]{3,9}( [a-z]{2,12}){0,5}\\.");
  EngineOptions options;
  options.draft = model;
  Engine engine(model, options);
  std::vector<EngineRequestOptions> asked;
  std::vector<EngineRequestPtr> requests;
  for (uint32_t i = 0; i < 12; ++i) {
    EngineRequestOptions r;
    r.prompt.tokens = encode_prompt(model->require_tokenizer(), "It is a truth universally acknowledged, that", false);
    r.prompt.tokens.resize(r.prompt.tokens.size() - i % 3);
    r.generate.max_tokens = i % 2 == 0 ? 120 : 25;
    r.generate.sampler.temperature = i % 2 == 0 ? 0.0f : 0.9f;
    r.generate.sampler.seed = i;
    r.generate.log_probabilities = int32_t(i % 3);
    if (i % 4 == 1) r.generate.grammar = json;
    if (i % 4 == 2) r.generate.grammar = word;
    if (i % 4 == 3) r.generate.stop_strings = {"e", ", a"};
    if (i % 2 == 0) r.generate.lookup_tokens = 5;
    if (i % 5 == 0) r.draft_tokens = 3;
    r.n = i % 6 == 1 ? 3 : 1;
    asked.push_back(r);
    requests.push_back(engine.submit(r));
  }
  while (engine.step()) {}
  int64_t drafted = 0;
  for (size_t i = 0; i < requests.size(); ++i)
    for (int32_t n = 0; n < asked[i].n; ++n) {
      CAPTURE(i, n);
      const GenerateResult want = alone(model, asked[i], {}, n), got = requests[i]->answers().at(size_t(n)).result;
      CHECK(got.tokens == want.tokens);
      CHECK(got.text == want.text);
      CHECK(got.reason == want.reason);
      CHECK(got.whole == want.whole);
      drafted += got.accepted_drafts;
    }
  CHECK(drafted > 0);
}

}  // namespace test_engine
