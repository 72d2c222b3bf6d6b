// engine_support.h -- models, requests and what they answer alone: the oracle of every engine test is the same request
// in a fresh session.
#pragma once
#include <random>
#include <string>
#include <vector>

#include "puna/runtime/engine.h"
#include "support/catch.h"
#include "support/golden.h"
#include "support/status.h"

namespace puna::test {

inline Golden text_model(const char* fixture) {
  static const char* wanted = nullptr;
  wanted = fixture;
  return goldens([](const Golden& g) { return g.fixture() == wanted && g.has_file("config.json"); }).front();
}

inline ModelPtr open_text_model(const char* fixture, int threads = 2, uint64_t memory_limit = 0) {
  ContextOptions options;
  options.threads = threads;
  options.memory_limit = memory_limit;
  return Model::open(make_context(options), text_model(fixture).folder());
}

inline std::vector<int32_t> made_up_tokens(const Model& model, size_t count, uint32_t seed) {
  std::vector<int32_t> ids(count);
  for (size_t i = 0; i < count; ++i) {
    seed = seed * 1664525u + 1013904223u;
    ids[i] = int32_t(seed >> 8) % int32_t(model.config().vocab);
  }
  return ids;
}

inline EngineRequestOptions request_for(const Model& model, size_t prompt, int64_t tokens, uint32_t seed) {
  EngineRequestOptions r;
  r.prompt.tokens = made_up_tokens(model, prompt, seed);
  r.generate.max_tokens = tokens;
  r.generate.ignore_eos = true;
  r.generate.sampler.temperature = 1;
  r.generate.sampler.seed = seed;
  return r;
}

// Its B is not zero, so it changes what the model says.
inline std::shared_ptr<Adapter> made_up_adapter(const Model& model, int64_t rank, uint64_t seed, float size = 0.3f) {
  AdapterOptions options;
  options.rank = rank;
  options.alpha = double(rank);
  options.targets = {"all"};
  if (!model.config().tied) options.targets.push_back("lm_head");
  options.seed = seed;
  const std::shared_ptr<Adapter> adapter = Adapter::create(model.context(), model.llama(), options);
  std::mt19937 random{uint32_t(seed)};
  for (const Adapter::Block& b : adapter->blocks())
    for (int64_t i = 0; i < b.count; ++i) b.values[i] = size * (float(random() % 2001) / 1000 - 1);
  return adapter;
}

// What a request says alone, in a fresh session; answer i of several has seed + i.
inline GenerateResult alone(const ModelPtr& model, const EngineRequestOptions& request, const SessionOptions& mode,
                            int32_t answer = 0) {
  SessionOptions options = mode;
  if (!request.adapters.empty()) options.adapter = request.adapters[0].adapter;
  Session session(model, options);
  GenerateOptions g = request.generate;
  g.sampler.seed += uint64_t(answer);
  return generate(session, request.prompt, g);
}

struct Told {
  std::vector<std::vector<int32_t>> tokens;
  std::vector<std::string> text;
  std::vector<EngineEvent> ends;
  EngineEvent last;
  bool ended = false;
};

// Takes the events that are there.
inline void listen(EngineRequest& request, Told& told) {
  EngineEvent e;
  while (request.next(e)) {
    const size_t i = size_t(e.answer);
    if (told.tokens.size() <= i) told.tokens.resize(i + 1);
    if (told.text.size() <= i) told.text.resize(i + 1);
    if (e.kind == EngineEventKind::token) {
      told.tokens[i].push_back(e.token);
      told.text[i] += e.text;
    } else if (e.kind == EngineEventKind::answer_ended) {
      told.ends.push_back(e);
    } else {
      told.last = e;
      told.ended = true;
    }
  }
}

inline Told run(Engine& engine, EngineRequest& request) {
  Told told;
  for (int steps = 0; !told.ended; ++steps) {
    REQUIRE(steps < 100'000);
    engine.step();
    listen(request, told);
  }
  return told;
}

}  // namespace puna::test
