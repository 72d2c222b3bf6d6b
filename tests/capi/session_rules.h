// session_rules.h -- what the tests of sessions' rules share: a model with short attention chunks, a host that acts in
// the middle of a call, answers, state.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "capi/fixture.h"

namespace puna::test {

// A model whose attention chunks are shorter than the prompts here.
inline std::string chunked_model() {
  static const std::string folder = goldens([](const Golden& g) {
                                      return g.has("logits_lora") && g.manifest.dump().find("moe") != std::string::npos;
                                    })[0]
                                        .folder() +
                                    "/base";
  return folder;
}
inline int64_t chunk_of(const ModelHandle& model) {
  auto info = sized<puna_model_info>();
  ok(puna_model_get_info(model.get(), &info));
  REQUIRE(info.attention_chunk > 1);
  return info.attention_chunk;
}

// Does something in a run of parallel_for; the work itself is done on the calling thread, so it is the same run each
// time.
struct Host {
  int64_t at = -1, runs = 0;
  bool fired = false;
  std::function<void()> act;
  puna_context_options options() {
    auto o = sized<puna_context_options>();
    o.executor_user = this;
    o.executor_threads = 2;
    o.parallel_for = [](void* user, int64_t n, void (*task)(void*, int64_t), void* data) {
      auto* h = static_cast<Host*>(user);
      for (int64_t i = 0; i < n; ++i) task(data, i);
      if (h->runs++ != h->at) return;
      h->fired = true;
      h->act();
    };
    return o;
  }
  void set(int64_t run) {
    at = run;
    runs = 0;
    fired = false;
  }
};

inline std::vector<int32_t> ids(size_t n, int32_t seed = 1) {
  std::vector<int32_t> tokens = some_tokens(n, seed);
  for (int32_t& t : tokens) t %= 90;
  return tokens;
}

inline puna_generate_options at_most(int64_t n) {
  auto o = sized<puna_generate_options>();
  o.max_tokens = n;
  o.ignore_eos = 1;
  return o;
}

inline GenerationHandle generation(const SessionHandle& session, const std::vector<int32_t>& prompt,
                                   const puna_generate_options& options) {
  puna_generation* made = nullptr;
  ok(puna_generation_create_tokens(session.get(), prompt.data(), prompt.size(), &options, &made));
  return GenerationHandle(made);
}

inline int32_t step(const GenerationHandle& g, uint64_t budget = 0) {
  int32_t state = -1;
  ok(puna_generation_step(g.get(), budget, nullptr, &state));
  return state;
}

inline std::vector<int32_t> rest_of(const GenerationHandle& g) {
  std::vector<int32_t> all;
  for (;;) {
    auto token = sized<puna_generated_token>();
    int32_t state = -1;
    ok(puna_generation_step(g.get(), 0, &token, &state));
    if (state == PUNA_GENERATION_ENDED) return all;
    all.push_back(token.id);
  }
}

inline std::string snapshot(const SessionHandle& session) {
  size_t size = 0, again = 0;
  ok(puna_session_snapshot(session.get(), nullptr, 0, &size));
  std::string bytes(size, '\0');
  refused(puna_session_snapshot(session.get(), bytes.data(), size - 1, &again), PUNA_INVALID_ARGUMENT, "are needed");
  ok(puna_session_snapshot(session.get(), bytes.data(), size, &again));
  CHECK(again == size);
  return bytes;
}

inline puna_generate_result result_of(const GenerationHandle& g) {
  auto r = sized<puna_generate_result>();
  ok(puna_generation_get_result(g.get(), &r));
  return r;
}

}  // namespace puna::test
