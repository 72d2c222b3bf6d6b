// What an engine says of prompts themselves, log-probabilities and embeddings: the bits are those of score() and of an
// append in a session of its own, whatever else runs, is paused or is cached.
#include <cstring>
#include <thread>

#include "engine/engine_support.h"
#include "puna/base/error.h"

using namespace puna;
using namespace puna::test;

namespace test_engine_prompts {
namespace {

EngineRequestOptions scored(const Model& model, size_t prompt, uint32_t seed, int32_t each) {
  EngineRequestOptions r;
  r.prompt.tokens = made_up_tokens(model, prompt, seed);
  r.prompt_log_probabilities = each;
  r.prompt_only = true;
  return r;
}

void check_scores(const ModelPtr& model, const SessionOptions& mode, const EngineRequestOptions& asked,
                  const EngineRequest& request) {
  SessionOptions options = mode;
  if (!asked.adapters.empty()) options.adapter = asked.adapters[0].adapter;
  Session session(model, options);
  const std::vector<int32_t>& ids = asked.prompt.tokens;
  const std::vector<float> want = score(session, ids);
  const size_t each = size_t(std::min<int64_t>(asked.prompt_log_probabilities, model->config().vocab));
  for (size_t i = 1; i < ids.size(); ++i) {
    CAPTURE(i);
    const auto got = request.prompt_probabilities(int64_t(i));
    REQUIRE(got.size() == each);
    CHECK(got[0].token == ids[i]);
    const float nll = -got[0].log_probability;
    CHECK(memcmp(&nll, &want[i - 1], sizeof nll) == 0);
  }
}

std::vector<float> embedded(const ModelPtr& model, const SessionOptions& mode, const EngineRequestOptions& asked) {
  Session session(model, mode);
  const size_t vectors = asked.pooling == Pooling::none ? asked.prompt.tokens.size() : 1;
  std::vector<float> out(vectors * size_t(model->config().hidden));
  AppendOptions options;
  options.embeddings = out;
  options.pooling = asked.pooling;
  options.normalise = asked.normalise;
  session.append(asked.prompt, options);
  return out;
}

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

}  // namespace

TEST_CASE("prompts' log-probabilities are those of score(), beside answers and each other", "[engine]") {
  const char* const fixture = GENERATE("text_scout_like", "text_maverick_like", "gemma3", "gpt_oss");
  const bool exact = GENERATE(false, true);
  const ModelPtr model = open_text_model(fixture);
  CAPTURE(fixture, exact);
  EngineOptions options;
  options.session = {exact, 0, 32};
  Engine engine(model, options);
  std::vector<EngineRequestOptions> asked;
  std::vector<EngineRequestPtr> requests;
  for (uint32_t i = 0; i < 6; ++i) {
    asked.push_back(scored(*model, 2 + 31 * i, i, int32_t(i % 3 + 1)));
    asked.back().prompt_only = i % 2 == 0;
    asked.back().generate.max_tokens = 9;
    asked.back().generate.ignore_eos = true;
    if (i == 4) asked.back().prompt.tokens = asked[3].prompt.tokens;  // which was, or is being, read
    requests.push_back(engine.submit(asked.back()));
    engine.step(300);
  }
  while (engine.step()) {}
  for (size_t i = 0; i < requests.size(); ++i) {
    CAPTURE(i);
    check_scores(model, options.session, asked[i], *requests[i]);
    CHECK(requests[i]->info().cached_tokens == 0);
    const std::vector<EngineAnswer> answers = requests[i]->answers();
    REQUIRE(answers.size() == 1);
    if (asked[i].prompt_only)
      CHECK(answers[0].result.tokens.empty());
    else
      CHECK(answers[0].result.tokens == alone(model, asked[i], options.session).tokens);
  }
  CHECK(engine.stats().finished == 6);
}

TEST_CASE("the most likely others at a prompt's place are those of the next token drawn there", "[engine]") {
  const ModelPtr model = open_text_model("text_scout_like");
  Engine engine(model, {});
  const EngineRequestOptions all = scored(*model, 12, 5, 6);
  const EngineRequestPtr request = engine.submit(all);
  run(engine, *request);
  for (size_t i = 1; i < 12; ++i) {
    Session session(model, {});
    GenerateOptions g;
    g.max_tokens = 1;
    g.log_probabilities = 6;
    std::vector<TokenProbability> drawn;
    generate(session, Prompt{{all.prompt.tokens.begin(), all.prompt.tokens.begin() + std::ptrdiff_t(i)}, {}}, g,
             [&](const GeneratedToken& t) {
               drawn.assign(t.probabilities.begin(), t.probabilities.end());
               return true;
             });
    const auto got = request->prompt_probabilities(int64_t(i));
    std::vector<TokenProbability> others(got.begin() + 1, got.end());
    // Greedy: the drawn one is the likeliest. Here it stands first among the others, unless it is the prompt's own.
    std::vector<TokenProbability> want;
    for (const TokenProbability& p : drawn)
      if (p.token != got[0].token) want.push_back(p);
    want.resize(std::min(want.size(), others.size()), {});
    for (size_t k = 0; k < want.size(); ++k) {
      CHECK(others[k].token == want[k].token);
      CHECK(others[k].log_probability == want[k].log_probability);
    }
  }
}

TEST_CASE("embeddings are those of an append, in every pooling, beside answers", "[engine]") {
  const char* const fixture = GENERATE("text_scout_like", "gemma3", "phi3");
  const ModelPtr model = open_text_model(fixture);
  CAPTURE(fixture);
  EngineOptions options;
  options.session = {false, 0, 32};
  Engine engine(model, options);
  std::vector<EngineRequestOptions> asked;
  std::vector<EngineRequestPtr> requests;
  for (uint32_t i = 0; i < 9; ++i) {
    EngineRequestOptions r;
    r.prompt.tokens = made_up_tokens(*model, 1 + 17 * i, i % 7);
    r.generate.max_tokens = 5;
    r.generate.ignore_eos = true;
    r.embed = i % 4 != 3;
    r.prompt_only = r.embed && i % 2 == 0;
    r.pooling = r.embed ? Pooling(i % 3) : Pooling::mean;
    r.normalise = r.embed && i >= 4;
    if (i == 5) r.prompt_log_probabilities = 2;
    asked.push_back(r);
    requests.push_back(engine.submit(r));
  }
  while (engine.step()) {}
  for (size_t i = 0; i < requests.size(); ++i) {
    CAPTURE(i);
    if (asked[i].embed) CHECK(same_bits(requests[i]->embedding(), embedded(model, options.session, asked[i])));
    if (asked[i].prompt_log_probabilities > 0) check_scores(model, options.session, asked[i], *requests[i]);
    if (!asked[i].prompt_only)
      CHECK(requests[i]->answers().at(0).result.tokens == alone(model, asked[i], options.session).tokens);
  }
}

TEST_CASE("small steps, pauses for memory and little room change no score and no embedding", "[engine]") {
  const ModelPtr free_model = open_text_model("text_scout_like");
  EngineOptions options;
  options.session = {false, 0, 16};
  uint64_t used = 0;
  {
    Engine probe(free_model, options);
    used = free_model->context().allocator()->used();
  }
  uint64_t pauses = 0;
  for (const uint64_t room : {uint64_t(300) << 10, uint64_t(600) << 10, uint64_t(2) << 20}) {
    const ModelPtr model = open_text_model("text_scout_like", 2, used + room);
    Engine engine(model, options);
    std::vector<EngineRequestOptions> asked;
    std::vector<EngineRequestPtr> requests;
    for (uint32_t i = 0; i < 8; ++i) {
      asked.push_back(scored(*model, 40 + 9 * i, i, 2));
      if (i % 2 == 1) asked.back().prompt_log_probabilities = 0, asked.back().embed = true;
      asked.back().prompt_only = i % 3 != 0;
      asked.back().generate.max_tokens = 40;
      asked.back().generate.ignore_eos = true;
      try {
        requests.push_back(engine.submit(asked.back()));
      } catch (const Error& e) {
        REQUIRE(e.status() == Status::out_of_memory);
        asked.pop_back();
      }
    }
    for (int steps = 0; engine.step(50); ++steps) REQUIRE(steps < 200'000);
    for (size_t i = 0; i < requests.size(); ++i) {
      CAPTURE(room, i);
      const EngineRequestInfo info = requests[i]->info();
      REQUIRE(info.ended);
      if (info.outcome != EngineOutcome::finished) {
        CHECK(info.status == Status::out_of_memory);
        continue;
      }
      if (asked[i].embed)
        CHECK(same_bits(requests[i]->embedding(), embedded(free_model, options.session, asked[i])));
      else
        check_scores(free_model, options.session, asked[i], *requests[i]);
    }
    pauses += engine.stats().pauses;
    if (room == uint64_t(2) << 20) CHECK(engine.stats().finished > 0);
  }
  CHECK(pauses > 0);
}

TEST_CASE("what is asked of a prompt is refused where it cannot be, and not there too early", "[engine]") {
  const ModelPtr model = open_text_model("text_scout_like");
  Engine engine(model, {});
  EngineRequestOptions r = scored(*model, 1, 1, 1);
  CHECK(status_of([&] { engine.submit(r); }) == Status::invalid_argument);
  r = scored(*model, 20, 1, -1);
  CHECK(status_of([&] { engine.submit(r); }) == Status::invalid_argument);
  r = scored(*model, 20, 1, 1);
  r.n = 2;
  CHECK(status_of([&] { engine.submit(r); }) == Status::invalid_argument);
  r.n = 1;
  const EngineRequestPtr early = engine.submit(r);
  CHECK(status_of([&] { (void)early->prompt_probabilities(1); }) == Status::wrong_state);
  CHECK(status_of([&] { (void)early->embedding(); }) == Status::invalid_argument);
  run(engine, *early);
  CHECK(status_of([&] { (void)early->prompt_probabilities(0); }) == Status::invalid_argument);
  CHECK(status_of([&] { (void)early->prompt_probabilities(20); }) == Status::invalid_argument);
  CHECK(early->prompt_probabilities(19).size() == 1);
  const EngineRequestPtr gone = engine.submit(r);
  gone->cancel();
  engine.step();
  CHECK(gone->ended());
  CHECK(status_of([&] { (void)gone->prompt_probabilities(1); }) == Status::wrong_state);
}

TEST_CASE("a callback finds the prompt's log-probabilities with the first token", "[engine]") {
  const ModelPtr model = open_text_model("text_scout_like");
  Engine engine(model, {});
  EngineRequestOptions r = scored(*model, 30, 3, 1);
  r.prompt_only = false;
  r.generate.max_tokens = 3;
  r.generate.ignore_eos = true;
  EngineRequestPtr request;
  int found = 0, tokens = 0;
  r.on_event = [&](const EngineEvent& e) {
    if (e.kind != EngineEventKind::token) return true;
    ++tokens;
    found += request->prompt_probabilities(29).size() == 1;
    return true;
  };
  request = engine.submit(r);
  while (engine.step()) {}
  CHECK(tokens == 3);
  CHECK(found == 3);
}

}  // namespace test_engine_prompts
