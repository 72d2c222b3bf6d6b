// What may be called when: the paragraph above puna_session in puna.h, sentence by sentence. tests/states tries them in random order.
#include <puna_train.h>

#include <functional>
#include <stdexcept>

#include "capi/fixture.h"

using namespace puna::test;

namespace {

// A model whose attention chunks are shorter than the prompts here.
std::string chunked_model() {
  static const std::string folder = goldens([](const Golden& g) { return g.has("logits_lora") && g.manifest.dump().find("moe") != std::string::npos; })[0].folder() + "/base";
  return folder;
}
int64_t chunk_of(const ModelHandle& model) {
  auto info = sized<puna_model_info>();
  ok(puna_model_get_info(model.get(), &info));
  REQUIRE(info.attention_chunk > 1);
  return info.attention_chunk;
}

// Does something in a run of parallel_for; the work itself is done on the calling thread, so it is the same run each time.
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

std::vector<int32_t> ids(size_t n, int32_t seed = 1) {
  std::vector<int32_t> tokens = some_tokens(n, seed);
  for (int32_t& t : tokens) t %= 90;
  return tokens;
}

puna_generate_options at_most(int64_t n) {
  auto o = sized<puna_generate_options>();
  o.max_tokens = n;
  o.ignore_eos = 1;
  return o;
}

GenerationHandle generation(const SessionHandle& session, const std::vector<int32_t>& prompt, const puna_generate_options& options) {
  puna_generation* made = nullptr;
  ok(puna_generation_create_tokens(session.get(), prompt.data(), prompt.size(), &options, &made));
  return GenerationHandle(made);
}

int32_t step(const GenerationHandle& g, uint64_t budget = 0) {
  int32_t state = -1;
  ok(puna_generation_step(g.get(), budget, nullptr, &state));
  return state;
}

std::vector<int32_t> rest_of(const GenerationHandle& g) {
  std::vector<int32_t> all;
  for (;;) {
    auto token = sized<puna_generated_token>();
    int32_t state = -1;
    ok(puna_generation_step(g.get(), 0, &token, &state));
    if (state == PUNA_GENERATION_ENDED) return all;
    all.push_back(token.id);
  }
}

std::vector<int32_t> held(const SessionHandle& session) {
  std::vector<int32_t> tokens(size_t(length(session)));
  size_t count = 0;
  ok(puna_session_tokens(session.get(), tokens.data(), tokens.size(), &count));
  return tokens;
}

std::string snapshot(const SessionHandle& session) {
  size_t size = 0;
  ok(puna_session_snapshot(session.get(), nullptr, 0, &size));
  std::string bytes(size, '\0');
  ok(puna_session_snapshot(session.get(), bytes.data(), size, &size));
  return bytes;
}

puna_generate_result result_of(const GenerationHandle& g) {
  auto r = sized<puna_generate_result>();
  ok(puna_generation_get_result(g.get(), &r));
  return r;
}

}  // namespace

TEST_CASE("a generation freed in its prompt drops its append, and the next one answers its own prompt", "[capi]") {
  const ModelHandle model = open_model(chunked_model());
  const std::vector<int32_t> old_prompt = ids(60), prompt = ids(9, 5);
  const std::vector<int32_t> want = rest_of(generation(make_session(model), prompt, at_most(6)));
  const SessionHandle session = make_session(model);
  {
    const GenerationHandle first = generation(session, old_prompt, at_most(6));
    REQUIRE(step(first, 1) == PUNA_GENERATION_PAUSED);
    CHECK(info_of(session).under_way == 1);
  }
  CHECK(info_of(session).under_way == 0);
  CHECK(length(session) == 0);
  const GenerationHandle second = generation(session, prompt, at_most(6));
  CHECK(rest_of(second) == want);
  CHECK(result_of(second).prompt_tokens == 9);

  const SessionHandle kept = make_session(model);  // freed later, between tokens: what was generated stays
  {
    const GenerationHandle g = generation(kept, prompt, at_most(6));
    for (int i = 0; i < 3; ++i) CHECK(step(g) == PUNA_GENERATION_TOKEN);
    REQUIRE(step(g, 1) == PUNA_GENERATION_PAUSED);
  }
  std::vector<int32_t> so_far = prompt;
  so_far.insert(so_far.end(), want.begin(), want.begin() + 2);
  CHECK(held(kept) == so_far);
}

TEST_CASE("while an append is under way everything that computes, changes or copies is refused with the way out, and nothing is dropped", "[capi]") {
  const ModelHandle model = open_model(chunked_model());
  const SessionHandle session = make_session(model);
  const std::vector<int32_t> prompt = ids(40), one = {3};
  GenerationHandle owner;
  const bool by_generation = GENERATE(false, true);
  const std::string words = by_generation ? "a generation's append is under way" : "an append is under way";
  if (by_generation) {
    owner = generation(session, prompt, at_most(2));
    REQUIRE(step(owner, 1) == PUNA_GENERATION_PAUSED);
  } else {
    int32_t finished = -1;
    ok(puna_session_begin(session.get(), prompt.data(), prompt.size()));
    ok(puna_session_step(session.get(), 1, &finished));
    REQUIRE(finished == 0);
  }
  std::vector<float> buffer(4096);
  size_t size = 0;
  puna_session* copy = nullptr;
  puna_generation* made = nullptr;
  auto result = sized<puna_generate_result>();
  puna_session* const s = session.get();
  const auto no = [&](puna_status status) {
    refused(status, PUNA_WRONG_STATE, words);
    CHECK_THAT(puna_last_error(), Catch::Matchers::Contains("truncate"));
    CHECK(info_of(session).under_way == 1);
  };
  no(puna_session_append(s, one.data(), 1));
  no(puna_session_append_logits(s, one.data(), 1, buffer.data(), buffer.size()));
  no(puna_session_begin(s, one.data(), 1));
  no(puna_session_embed(s, one.data(), 1, nullptr, buffer.data(), buffer.size()));
  no(puna_session_score(s, prompt.data(), 3, buffer.data(), buffer.size()));
  no(puna_session_use_adapter(s, nullptr));
  no(puna_session_fork(s, &copy));
  no(puna_session_snapshot(s, nullptr, 0, &size));
  no(puna_session_generate_tokens(s, one.data(), 1, nullptr, nullptr, nullptr, &result));
  no(puna_generation_create_tokens(s, one.data(), 1, nullptr, &made));
  CHECK((copy == nullptr && made == nullptr && result.prompt_tokens == 0));
  if (by_generation) {
    int32_t finished = -1;
    refused(puna_session_step(s, 0, &finished), PUNA_WRONG_STATE, "generation's");
    CHECK(rest_of(owner).size() == 2);
  } else {
    int32_t finished = 0;
    ok(puna_session_step(s, 0, &finished));
  }
  std::vector<int32_t> tokens = held(session);
  tokens.resize(prompt.size());
  CHECK(tokens == prompt);
}

TEST_CASE("a text prompt is not tokenized for a session with an append under way, and its cancel is not spent", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  const SessionHandle session = make_session(model);
  const std::vector<int32_t> prompt = some_tokens(40);
  ok(puna_session_begin(session.get(), prompt.data(), prompt.size()));
  ok(puna_session_cancel(session.get()));
  const std::string text(100000, 'x');
  puna_generation* made = nullptr;
  refused(puna_session_generate(session.get(), text.data(), text.size(), nullptr, nullptr, nullptr, nullptr), PUNA_WRONG_STATE, "under way");
  refused(puna_generation_create(session.get(), text.data(), text.size(), nullptr, &made), PUNA_WRONG_STATE, "under way");
  int32_t finished = -1;
  refused(puna_session_step(session.get(), 0, &finished), PUNA_CANCELLED, "cancel");
}

TEST_CASE("a session has one generation at a time, until it has ended or is freed", "[capi]") {
  const ModelHandle model = open_model(chunked_model());
  const SessionHandle session = make_session(model);
  const std::vector<int32_t> prompt = ids(5), other = ids(3, 4);
  GenerationHandle first = generation(session, prompt, at_most(2));
  puna_generation* made = nullptr;
  const auto second = [&] { return puna_generation_create_tokens(session.get(), other.data(), other.size(), nullptr, &made); };
  refused(second(), PUNA_WRONG_STATE, "another generation");  // that has not begun
  step(first);
  refused(second(), PUNA_WRONG_STATE, "free it");             // between its tokens
  const puna_generate_options two = at_most(2);
  refused(puna_session_generate_tokens(session.get(), other.data(), other.size(), &two, nullptr, nullptr, nullptr), PUNA_WRONG_STATE, "another generation");
  CHECK(rest_of(first).size() == 1);
  const GenerationHandle next = generation(session, other, two);  // the first has ended
  CHECK(rest_of(next).size() == 2);
  first.reset();
  CHECK(step(next) == PUNA_GENERATION_ENDED);
}

TEST_CASE("a generation whose session was changed in between says so, and is in nobody's way", "[capi]") {
  const ModelHandle model = open_model(chunked_model());
  const std::vector<int32_t> prompt = ids(12), one = {4};
  const int how = GENERATE(range(0, 5));
  CAPTURE(how);
  const SessionHandle session = make_session(model), peer = make_session(model);
  const GenerationHandle g = generation(session, prompt, at_most(8));
  for (int i = 0; i < 3; ++i) CHECK(step(g) == PUNA_GENERATION_TOKEN);
  puna_session* const s = session.get();
  if (how == 0) ok(puna_session_append(s, one.data(), 1));
  if (how == 1) ok(puna_session_truncate(s, 4));
  if (how == 2) ok(puna_session_truncate(s, 0));
  if (how == 3) {
    int32_t finished = 0;
    ok(puna_session_begin(s, one.data(), 1));
    int32_t state = -7;
    refused(puna_generation_step(g.get(), 0, nullptr, &state), PUNA_WRONG_STATE, "under way");
    ok(puna_session_step(s, 0, &finished));
  }
  if (how == 4) {
    puna_session* const both[] = {s, peer.get()};
    const int32_t* const lists[] = {one.data(), one.data()};
    const size_t counts[] = {1, 1};
    ok(puna_session_append_batch(both, lists, counts, 2));
  }
  const std::vector<int32_t> before = held(session);
  int32_t state = -7;
  for (int i = 0; i < 2; ++i) refused(puna_generation_step(g.get(), 0, nullptr, &state), PUNA_WRONG_STATE, "was changed");
  CHECK(state == -7);
  CHECK(held(session) == before);
  const puna_generate_options two = at_most(2);
  ok(puna_session_generate_tokens(s, one.data(), 1, &two, nullptr, nullptr, nullptr));
}

TEST_CASE("reading, forking, a snapshot and a truncate to its own length leave a generation what it was", "[capi]") {
  const ModelHandle model = open_model(chunked_model());
  const std::vector<int32_t> prompt = ids(12);
  const std::vector<int32_t> want = rest_of(generation(make_session(model), prompt, at_most(8)));
  const SessionHandle session = make_session(model);
  const GenerationHandle g = generation(session, prompt, at_most(8));
  std::vector<int32_t> got;
  for (int32_t state = -1; state != PUNA_GENERATION_ENDED;) {
    auto token = sized<puna_generated_token>();
    ok(puna_generation_step(g.get(), 1, &token, &state));
    if (state == PUNA_GENERATION_TOKEN) {
      got.push_back(token.id);
      snapshot(session);
      puna_session* copy = nullptr;
      ok(puna_session_fork(session.get(), &copy));
      puna_session_free(copy);
    }
    ok(puna_session_truncate(session.get(), length(session)));  // drops the append that paused: it is begun again
    if (state == PUNA_GENERATION_PAUSED) REQUIRE(step(g) == PUNA_GENERATION_TOKEN);
    if (state == PUNA_GENERATION_PAUSED) got.push_back(result_of(g).last_token);
  }
  CHECK(got == want);
}

TEST_CASE("a cancelled append that crosses the end of an attention chunk leaves the session as it was, byte for byte", "[capi]") {
  Host host;
  const puna_context_options options = host.options();
  const ContextHandle context = make_context(&options);
  const ModelHandle model = open_model(chunked_model(), context.get());
  const size_t chunk = size_t(chunk_of(model));
  const std::vector<int32_t> prompt = ids(6 * chunk);
  for (const size_t first : {chunk / 4, chunk - 1, chunk, 2 * chunk + 1}) {
    int cancelled = 0;
    for (int64_t run = 0;; run += 3) {
      CAPTURE(first, run);
      auto o = sized<puna_session_options>();
      o.prefill_chunk = int64_t(chunk) / 2 + 1;
      puna_session* made = nullptr;
      ok(puna_session_create(model.get(), &o, &made));
      const SessionHandle session(made);
      ok(puna_session_append(session.get(), prompt.data(), first));
      const std::string before = snapshot(session);
      const uint64_t kv_bytes = info_of(session).kv_bytes;
      host.act = [&] { puna_session_cancel(session.get()); };
      host.set(run);
      const puna_status status = puna_session_append(session.get(), prompt.data() + first, prompt.size() - first);
      const bool fired = host.fired;
      host.set(-1);
      if (!fired) {
        ok(status);
        break;
      }
      refused(status, PUNA_CANCELLED, "cancelled");  // in its last run, too
      ++cancelled;
      CHECK(info_of(session).kv_bytes == kv_bytes);
      REQUIRE(snapshot(session) == before);
      puna_session* again = nullptr;
      ok(puna_session_restore(model.get(), before.data(), before.size(), &again));
      puna_session_free(again);
    }
    CHECK(cancelled > 10);
  }
}

TEST_CASE("a session whose chunk was dropped to save memory has a snapshot that restores", "[capi]") {
  // The host's allocator refuses while an append has crossed a chunk's end: what was put aside gives way, and the append fails all the same.
  struct Memory {
    bool refuses = false;
    static void* alloc(void* user, size_t bytes, size_t alignment) {
      return static_cast<Memory*>(user)->refuses ? nullptr : ::operator new(bytes, std::align_val_t(alignment), std::nothrow);
    }
    static void dealloc(void*, void* memory, size_t) { ::operator delete(memory, std::align_val_t(64)); }
  } memory;
  Host host;
  puna_context_options options = host.options();
  options.alloc = Memory::alloc;
  options.dealloc = Memory::dealloc;
  options.alloc_user = &memory;
  const ContextHandle context = make_context(&options);
  const ModelHandle model = open_model(chunked_model(), context.get());
  const size_t chunk = size_t(chunk_of(model));
  const std::vector<int32_t> prompt = ids(4 * chunk);
  int refusals = 0;
  host.act = [&] { memory.refuses = true; };
  for (int64_t run = 0;; ++run) {
    auto o = sized<puna_session_options>();
    o.prefill_chunk = int64_t(chunk);
    puna_session* made = nullptr;
    ok(puna_session_create(model.get(), &o, &made));
    const SessionHandle session(made), whole = make_session(model);
    ok(puna_session_append(session.get(), prompt.data(), chunk - 2));
    host.set(run);
    const puna_status status = puna_session_append(session.get(), prompt.data() + chunk - 2, 3 * chunk);
    const bool fired = host.fired;
    host.set(-1);
    memory.refuses = false;
    if (!fired) break;
    if (status == PUNA_OK) continue;
    CHECK(status == PUNA_OUT_OF_MEMORY);
    ++refusals;
    const std::string bytes = snapshot(session);
    puna_session* again = nullptr;
    ok(puna_session_restore(model.get(), bytes.data(), bytes.size(), &again));
    const SessionHandle restored(again);
    logits_after(whole, std::vector<int32_t>(prompt.begin(), prompt.begin() + std::ptrdiff_t(chunk) - 2));
    CHECK(logits(session) == logits(whole));
    CHECK(logits(restored) == logits(whole));
    const std::vector<float> next = logits_after(whole, {7});
    CHECK(logits_after(session, {7}) == next);
    CHECK(logits_after(restored, {7}) == next);
  }
  CHECK(refusals > 3);
}

TEST_CASE("a cancel while a full context is made shorter leaves the conversation, and the answer goes on as if nothing had been", "[capi]") {
  Host host;
  const puna_context_options options = host.options();
  const ContextHandle context = make_context(&options);
  const ModelHandle model = open_model(chunked_model(), context.get());
  auto o = sized<puna_session_options>();
  o.max_positions = 40;
  const auto make = [&] {
    puna_session* made = nullptr;
    ok(puna_session_create(model.get(), &o, &made));
    return SessionHandle(made);
  };
  puna_generate_options g = at_most(30);
  g.context_policy = PUNA_CONTEXT_DROP_OLDEST;
  g.keep_prefix = 3;
  const std::vector<int32_t> prompt = ids(34);
  const std::vector<int32_t> want = rest_of(generation(make(), prompt, g));
  int heard = 0;
  for (int64_t run = 0; run < 60; run += 7) {
    const SessionHandle session = make();
    const GenerationHandle answer = generation(session, prompt, g);
    std::vector<int32_t> got;
    while (length(session) < 40) {
      step(answer);
      got.push_back(result_of(answer).last_token);
    }
    const std::vector<int32_t> before = held(session);
    const std::string bytes = snapshot(session);
    host.act = [&] { puna_session_cancel(session.get()); };
    host.set(run);
    int32_t state = -7;
    const puna_status status = puna_generation_step(answer.get(), 0, nullptr, &state);
    const bool fired = host.fired;
    host.set(-1);
    if (fired) {
      ++heard;
      refused(status, PUNA_CANCELLED, "cancelled");
      CHECK(held(session) == before);
      CHECK(snapshot(session) == bytes);
    } else {
      ok(status);
      got.push_back(result_of(answer).last_token);
    }
    const std::vector<int32_t> rest = rest_of(answer);
    got.insert(got.end(), rest.begin(), rest.end());
    CHECK(got == want);
  }
  CHECK(heard > 3);
}

TEST_CASE("an answer that a cancel, an exception or a full session ends has its result", "[capi]") {
  const ModelHandle model = open_model(chunked_model());
  const std::vector<int32_t> prompt = ids(6);
  struct Listener {
    puna_session* session;
    int calls = 0;
    bool throws = false;
    static int32_t hear(void* user, const puna_generated_token*) {
      auto* self = static_cast<Listener*>(user);
      if (++self->calls != 4) return 0;
      if (self->throws) throw std::runtime_error("from the host");
      puna_session_cancel(self->session);
      return 0;
    }
  };
  for (const bool throws : {false, true}) {
    const SessionHandle session = make_session(model);
    Listener listener{session.get(), 0, throws};
    auto result = sized<puna_generate_result>();
    result.stop_reason = 77;
    const puna_generate_options options = at_most(20);
    refused(puna_session_generate_tokens(session.get(), prompt.data(), prompt.size(), &options, Listener::hear, &listener, &result),
            throws ? PUNA_INTERNAL : PUNA_CANCELLED, throws ? "from the host" : "cancel");
    CHECK(result.prompt_tokens == 6);
    CHECK(result.generated_tokens == 4);
    CHECK(result.stop_reason == PUNA_STOP_INTERRUPTED);
    CHECK(length(session) == 6 + 3);
    // The conversation goes on with the token that the session does not hold yet.
    const std::vector<int32_t> want = rest_of(generation(make_session(model), prompt, at_most(6)));
    CHECK(result.last_token == want[3]);
    CHECK(rest_of(generation(session, {result.last_token}, at_most(2))) == std::vector<int32_t>(want.begin() + 4, want.end()));
  }
  const SessionHandle session = make_session(model);
  auto result = sized<puna_generate_result>();
  result.generated_tokens = 5;
  ok(puna_session_cancel(session.get()));
  refused(puna_session_generate_tokens(session.get(), prompt.data(), prompt.size(), nullptr, nullptr, nullptr, &result), PUNA_CANCELLED, "cancel");
  CHECK((result.prompt_tokens == 0 && result.generated_tokens == 0 && result.last_token == -1));  // the prompt is not there either
  CHECK(length(session) == 0);
}

TEST_CASE("a cancel is heard by one call that computes, unless it is forgotten before", "[capi]") {
  const ModelHandle model = open_model(chunked_model());
  const SessionHandle session = make_session(model);
  puna_session* const s = session.get();
  const std::vector<int32_t> prompt = ids(5);
  const puna_generate_options one = at_most(1);
  const int who = GENERATE(range(0, 6));
  CAPTURE(who);
  if (who == 3) ok(puna_session_append(s, prompt.data(), 5));
  const auto compute = [&]() -> puna_status {
    std::vector<float> buffer(4096);
    int32_t finished = 0;
    if (who == 0) return puna_session_append(s, prompt.data(), 5);
    if (who == 1) return puna_session_embed(s, prompt.data(), 5, nullptr, buffer.data(), buffer.size());
    if (who == 2) return puna_session_generate_tokens(s, prompt.data(), 5, &one, nullptr, nullptr, nullptr);
    if (who == 3) return puna_session_generate_tokens(s, nullptr, 0, &one, nullptr, nullptr, nullptr);  // draws only
    if (who == 4) return puna_session_score(s, prompt.data(), 5, buffer.data(), buffer.size());
    ok(puna_session_begin(s, prompt.data(), 5));
    return puna_session_step(s, 0, &finished);
  };
  ok(puna_session_cancel(s));
  const int32_t bad = -1;
  refused(puna_session_append(s, &bad, 1), PUNA_INVALID_ARGUMENT, "-1");  // computes nothing: the cancel is still there
  if (who == 4) refused(puna_session_score(s, &bad, 1, nullptr, 0), PUNA_INVALID_ARGUMENT, "count");
  refused(compute(), PUNA_CANCELLED, "cancel");
  ok(compute());  // heard once
  if (who != 3) ok(puna_session_truncate(s, 0));
  ok(puna_session_cancel(s));
  ok(puna_session_clear_cancel(s));
  ok(compute());
  if (who != 3) ok(puna_session_truncate(s, 0));
  ok(puna_session_cancel(s));
  ok(puna_session_truncate(s, length(session)));
  ok(compute());
}

TEST_CASE("a call that fails in its midst leaves its buffer untouched", "[capi]") {
  Host host;
  const puna_context_options options = host.options();
  const ContextHandle context = make_context(&options);
  const ModelHandle model = open_model(chunked_model(), context.get());
  const std::vector<int32_t> prompt = ids(30);
  auto o = sized<puna_session_options>();
  o.prefill_chunk = 4;  // the first passes have computed their rows when the call is cancelled
  auto info = sized<puna_model_info>();
  ok(puna_model_get_info(model.get(), &info));
  const int who = GENERATE(range(0, 5));
  CAPTURE(who);
  for (int64_t run = 1; run < 400; run += 40) {
    puna_session* made = nullptr;
    ok(puna_session_create(model.get(), &o, &made));
    const SessionHandle session(made);
    std::vector<float> buffer(prompt.size() * size_t(std::max(info.vocabulary, info.hidden)), 17.5f);
    const std::vector<float> before = buffer;
    auto pooling = sized<puna_embed_options>();
    pooling.pooling = who - 1;
    host.act = [&] { puna_session_cancel(session.get()); };
    host.set(run);
    const puna_status status = who == 0   ? puna_session_append_logits(session.get(), prompt.data(), prompt.size(), buffer.data(), buffer.size())
                               : who <= 3 ? puna_session_embed(session.get(), prompt.data(), prompt.size(), &pooling, buffer.data(), buffer.size())
                                          : puna_session_score(session.get(), prompt.data(), prompt.size(), buffer.data(), buffer.size());
    const bool fired = host.fired;
    host.set(-1);
    if (status == PUNA_OK) {
      CHECK(buffer != before);
      continue;
    }
    CHECK(fired);
    CHECK(status == PUNA_CANCELLED);
    CHECK(buffer == before);
    auto timings = sized<puna_session_timings>();
    ok(puna_session_get_timings(session.get(), &timings));
    CHECK(timings.prompt_tokens == 0);
    CHECK(timings.prompt_seconds > 0);
  }
}

TEST_CASE("a snapshot that cannot be is refused when its size is asked for, too", "[capi]") {
  const ModelHandle model = open_model(chunked_model());
  const SessionHandle session = make_session(model);
  puna_adapter* adapter = nullptr;
  ok(puna_adapter_open(model.get(), (chunked_model() + "/../adapter").c_str(), &adapter));
  ok(puna_session_use_adapter(session.get(), adapter));
  size_t size = 77;
  char byte = 0;
  refused(puna_session_snapshot(session.get(), nullptr, 0, &size), PUNA_UNSUPPORTED, "adapter");
  CHECK(size == 77);
  refused(puna_session_snapshot(session.get(), &byte, 1, &size), PUNA_UNSUPPORTED, "adapter");
  ok(puna_session_use_adapter(session.get(), nullptr));
  ok(puna_session_snapshot(session.get(), nullptr, 0, &size));
  puna_adapter_free(adapter);
}

TEST_CASE("tokens that do not fit a session are refused before any of them is scored", "[capi]") {
  Host host;
  host.act = [] {};
  const puna_context_options options = host.options();
  const ContextHandle context = make_context(&options);
  const ModelHandle model = open_model(chunked_model(), context.get());
  auto o = sized<puna_session_options>();
  o.max_positions = 20;
  puna_session* made = nullptr;
  ok(puna_session_create(model.get(), &o, &made));
  const SessionHandle session(made);
  const std::vector<int32_t> prompt = ids(21);
  std::vector<float> nll(20);
  host.set(-1);
  refused(puna_session_score(session.get(), prompt.data(), 21, nll.data(), 20), PUNA_CONTEXT_FULL, "do not fit");
  CHECK(host.runs == 0);
  ok(puna_session_score(session.get(), prompt.data(), 20, nll.data(), 20));
}

TEST_CASE("a callback can cancel and read the session of its call, and nothing else", "[capi]") {
  Host host;
  const puna_context_options options = host.options();
  const ContextHandle context = make_context(&options);
  const ModelHandle model = open_model(chunked_model(), context.get());
  const std::vector<int32_t> prompt = ids(20);
  const std::vector<float> want = logits_after(make_session(model), prompt);
  const SessionHandle session = make_session(model);
  struct Seen {
    puna_session* session;
    std::vector<puna_status> all;
    void look() {
      const int32_t one = 1;
      puna_session* copy = nullptr;
      size_t size = 0;
      int32_t finished = 0;
      all.push_back(puna_session_append(session, &one, 1));
      all.push_back(puna_session_truncate(session, 0));
      all.push_back(puna_session_begin(session, &one, 1));
      all.push_back(puna_session_step(session, 0, &finished));
      all.push_back(puna_session_fork(session, &copy));
      all.push_back(puna_session_snapshot(session, nullptr, 0, &size));
      all.push_back(puna_session_generate_tokens(session, &one, 1, nullptr, nullptr, nullptr, nullptr));
      puna_session_free(copy);
    }
    void check() const {
      CHECK(!all.empty());
      for (const puna_status s : all) CHECK(s == PUNA_WRONG_STATE);
    }
  } seen{session.get(), {}};
  host.act = [&] { seen.look(); };
  host.set(11);
  ok(puna_session_append(session.get(), prompt.data(), prompt.size()));
  REQUIRE(host.fired);
  host.set(-1);
  seen.check();
  CHECK(logits(session) == want);
  puna_generate_options g = at_most(3);
  g.process_logits = [](void* user, float*, uint64_t, const int32_t*, uint64_t) -> int32_t {
    static_cast<Seen*>(user)->look();
    return 0;
  };
  g.process_user = &seen;
  const puna_token_fn on_token = [](void* user, const puna_generated_token*) -> int32_t {
    static_cast<Seen*>(user)->look();
    return 0;
  };
  ok(puna_session_generate_tokens(session.get(), nullptr, 0, &g, on_token, &seen, nullptr));
  seen.check();
}
