// What a cancel, a failure or memory that is short leaves of a session and of its answer: the paragraph above
// puna_session in puna.h, continued.
#include <stdexcept>

#include "capi/session_rules.h"

using namespace puna::test;

namespace test_session_cancel {
TEST_CASE("a cancelled append that crosses the end of an attention chunk leaves the session as it was, byte for byte",
          "[capi]") {
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
      ok(puna_session_append(session.get(), prompt.data(), first, nullptr, nullptr));
      const std::string before = snapshot(session);
      const uint64_t kv_bytes = info_of(session).kv_bytes;
      host.act = [&] { puna_session_cancel(session.get()); };
      host.set(run);
      const puna_status status =
          puna_session_append(session.get(), prompt.data() + first, prompt.size() - first, nullptr, nullptr);
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
  // The host's allocator refuses while an append has crossed a chunk's end: what was put aside gives way, and the
  // append fails all the same.
  struct Memory {
    bool refuses = false;
    static void* alloc(void* user, size_t bytes, size_t alignment) {
      return static_cast<Memory*>(user)->refuses ? nullptr
                                                 : ::operator new(bytes, std::align_val_t(alignment), std::nothrow);
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
    ok(puna_session_append(session.get(), prompt.data(), chunk - 2, nullptr, nullptr));
    host.set(run);
    const puna_status status =
        puna_session_append(session.get(), prompt.data() + chunk - 2, 3 * chunk, nullptr, nullptr);
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

TEST_CASE(
    "a cancel while a full context is made shorter leaves the conversation, and the answer goes on as if nothing had "
    "been",
    "[capi]") {
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
  int cancelled = 0;
  for (int64_t run = 0; run < 60; run += 7) {
    const SessionHandle session = make();
    const GenerationHandle answer = generation(session, prompt, g);
    std::vector<int32_t> got;
    while (length(session) < 40 || info_of(session).pending) {
      auto token = sized<puna_generated_token>();
      int32_t state = -1;
      ok(puna_generation_step(answer.get(), 0, &token, &state));
      got.push_back(token.id);
    }
    const std::vector<int32_t> before = tokens_of(session);
    const std::string bytes = snapshot(session);
    host.act = [&] { puna_session_cancel(session.get()); };
    host.set(run);
    auto token = sized<puna_generated_token>();
    int32_t state = -7;
    const puna_status status = puna_generation_step(answer.get(), 0, &token, &state);
    const bool fired = host.fired;
    host.set(-1);
    if (fired) {
      ++cancelled;
      refused(status, PUNA_CANCELLED, "cancelled");
      CHECK(tokens_of(session) == before);
      CHECK(snapshot(session) == bytes);
    } else {
      ok(status);
      got.push_back(token.id);
    }
    const std::vector<int32_t> rest = rest_of(answer);
    got.insert(got.end(), rest.begin(), rest.end());
    CHECK(got == want);
  }
  CHECK(cancelled > 3);
}

TEST_CASE("an answer that a cancel, an exception or a full session ends has its result", "[capi]") {
  const ModelHandle model = open_model(chunked_model());
  const std::vector<int32_t> prompt = ids(6);
  struct Listener {
    puna_session* session;
    int calls = 0;
    bool throws = false;
    static int32_t on_token(void* user, const puna_generated_token*) {
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
    refused(puna_session_generate_tokens(session.get(), prompt.data(), prompt.size(), &options, Listener::on_token,
                                         &listener, &result),
            throws ? PUNA_INTERNAL : PUNA_CANCELLED, throws ? "from the host" : "cancel");
    CHECK(result.prompt_tokens == 6);
    CHECK(result.generated_tokens == 4);
    CHECK(result.stop_reason == PUNA_STOP_INTERRUPTED);
    CHECK(length(session) == 6 + 4);
    // The conversation goes on from what it has said.
    const std::vector<int32_t> want = rest_of(generation(make_session(model), prompt, at_most(6)));
    CHECK(tokens_of(session).back() == want[3]);
    CHECK(rest_of(generation(session, {}, at_most(2))) == std::vector<int32_t>(want.begin() + 4, want.end()));
  }
  const SessionHandle session = make_session(model);
  auto result = sized<puna_generate_result>();
  result.generated_tokens = 5;
  ok(puna_session_cancel(session.get()));
  refused(puna_session_generate_tokens(session.get(), prompt.data(), prompt.size(), nullptr, nullptr, nullptr, &result),
          PUNA_CANCELLED, "cancel");
  CHECK((result.prompt_tokens == 0 && result.generated_tokens == 0));  // the prompt is not there either
  CHECK(length(session) == 0);
}

TEST_CASE("a cancel ends one call that computes, unless clear_cancel withdraws it first", "[capi]") {
  const ModelHandle model = open_model(chunked_model());
  const SessionHandle session = make_session(model);
  puna_session* const s = session.get();
  const std::vector<int32_t> prompt = ids(5);
  const puna_generate_options one = at_most(1);
  const int who = GENERATE(range(0, 6));
  CAPTURE(who);
  if (who == 3) ok(puna_session_append(s, prompt.data(), 5, nullptr, nullptr));
  const auto compute = [&]() -> puna_status {
    std::vector<float> buffer(4096);
    int32_t finished = 0;
    if (who == 0) return puna_session_append(s, prompt.data(), 5, nullptr, nullptr);
    const puna_append_options embedded = wanting_embeddings(buffer);
    if (who == 1) return puna_session_append(s, prompt.data(), 5, &embedded, nullptr);
    if (who == 2) return puna_session_generate_tokens(s, prompt.data(), 5, &one, nullptr, nullptr, nullptr);
    if (who == 3) return puna_session_generate_tokens(s, nullptr, 0, &one, nullptr, nullptr, nullptr);  // draws only
    if (who == 4) return puna_session_score(s, prompt.data(), 5, buffer.data(), buffer.size());
    ok(puna_session_begin(s, prompt.data(), 5, nullptr));
    return puna_session_step(s, 0, &finished);
  };
  ok(puna_session_cancel(s));
  const int32_t bad = -1;
  refused(puna_session_append(s, &bad, 1, nullptr, nullptr), PUNA_INVALID_ARGUMENT,
          "-1");  // computes nothing: the cancel is still there
  if (who == 4) refused(puna_session_score(s, &bad, 1, nullptr, 0), PUNA_INVALID_ARGUMENT, "count");
  refused(compute(), PUNA_CANCELLED, "cancel");
  ok(compute());  // a cancel ends one call only
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
    const puna_append_options wanted =
        who == 0 ? wanting_logits(buffer) : wanting_embeddings(buffer, who <= 3 ? who - 1 : 0);
    host.act = [&] { puna_session_cancel(session.get()); };
    host.set(run);
    const puna_status status =
        who <= 3 ? puna_session_append(session.get(), prompt.data(), prompt.size(), &wanted, nullptr)
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

}  // namespace test_session_cancel
