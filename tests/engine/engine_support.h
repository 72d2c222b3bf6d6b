// engine_support.h -- models, requests and what they answer alone: the oracle of every engine test is the same request
// in a fresh session.
#pragma once
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
