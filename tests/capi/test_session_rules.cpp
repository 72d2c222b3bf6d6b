// What may be called when: the paragraph above puna_session in puna.h, sentence by sentence. tests/states tries them in
// random order; test_session_cancel.cpp has what a cancel leaves.
#include <puna_train.h>

#include "capi/session_rules.h"

using namespace puna::test;

namespace test_session_rules {
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
  so_far.insert(so_far.end(), want.begin(), want.begin() + 3);
  CHECK(tokens_of(kept) == so_far);
}

TEST_CASE(
    "while an append is under way everything that computes, changes or copies is refused with the way out, and nothing "
    "is dropped",
    "[capi]") {
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
    ok(puna_session_begin(session.get(), prompt.data(), prompt.size(), nullptr));
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
  no(puna_session_append(s, one.data(), 1, nullptr, nullptr));
  const puna_append_options all_logits = wanting_logits(buffer), embedded = wanting_embeddings(buffer);
  no(puna_session_append(s, one.data(), 1, &all_logits, nullptr));
  no(puna_session_begin(s, one.data(), 1, nullptr));
  no(puna_session_append(s, one.data(), 1, &embedded, nullptr));
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
  std::vector<int32_t> tokens = tokens_of(session);
  tokens.resize(prompt.size());
  CHECK(tokens == prompt);
}

TEST_CASE("a text prompt is not tokenized for a session with an append under way, and its cancel is not spent",
          "[capi]") {
  const ModelHandle model = open_model(chat_model());
  const SessionHandle session = make_session(model);
  const std::vector<int32_t> prompt = some_tokens(40);
  ok(puna_session_begin(session.get(), prompt.data(), prompt.size(), nullptr));
  ok(puna_session_cancel(session.get()));
  const std::string text(100000, 'x');
  puna_generation* made = nullptr;
  refused(puna_session_generate(session.get(), text.data(), text.size(), nullptr, nullptr, nullptr, nullptr),
          PUNA_WRONG_STATE, "under way");
  refused(puna_generation_create(session.get(), text.data(), text.size(), nullptr, &made), PUNA_WRONG_STATE,
          "under way");
  int32_t finished = -1;
  refused(puna_session_step(session.get(), 0, &finished), PUNA_CANCELLED, "cancel");
}

TEST_CASE("a session has one generation at a time, until it has ended or is freed", "[capi]") {
  const ModelHandle model = open_model(chunked_model());
  const SessionHandle session = make_session(model);
  const std::vector<int32_t> prompt = ids(5), other = ids(3, 4);
  GenerationHandle first = generation(session, prompt, at_most(2));
  puna_generation* made = nullptr;
  const auto second = [&] {
    return puna_generation_create_tokens(session.get(), other.data(), other.size(), nullptr, &made);
  };
  refused(second(), PUNA_WRONG_STATE, "another generation");  // that has not begun
  step(first);
  refused(second(), PUNA_WRONG_STATE, "free it");  // between its tokens
  const puna_generate_options two = at_most(2);
  refused(puna_session_generate_tokens(session.get(), other.data(), other.size(), &two, nullptr, nullptr, nullptr),
          PUNA_WRONG_STATE, "another generation");
  CHECK(rest_of(first).size() == 1);
  const GenerationHandle next = generation(session, other, two);  // the first has ended
  CHECK(rest_of(next).size() == 2);
  first.reset();
  CHECK(step(next) == PUNA_GENERATION_ENDED);
}

TEST_CASE("a generation whose session was changed is Error{wrong_state}, and another may begin", "[capi]") {
  const ModelHandle model = open_model(chunked_model());
  const std::vector<int32_t> prompt = ids(12), one = {4};
  const int how = GENERATE(range(0, 5));
  CAPTURE(how);
  const SessionHandle session = make_session(model), peer = make_session(model);
  const GenerationHandle g = generation(session, prompt, at_most(8));
  for (int i = 0; i < 3; ++i) CHECK(step(g) == PUNA_GENERATION_TOKEN);
  puna_session* const s = session.get();
  if (how == 0) ok(puna_session_append(s, one.data(), 1, nullptr, nullptr));
  if (how == 1) ok(puna_session_truncate(s, 4));
  if (how == 2) ok(puna_session_truncate(s, 0));
  if (how == 3) {
    int32_t finished = 0;
    ok(puna_session_begin(s, one.data(), 1, nullptr));
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
  const std::vector<int32_t> before = tokens_of(session);
  int32_t state = -7;
  for (int i = 0; i < 2; ++i)
    refused(puna_generation_step(g.get(), 0, nullptr, &state), PUNA_WRONG_STATE, "was changed");
  CHECK(state == -7);
  CHECK(tokens_of(session) == before);
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
    if (state == PUNA_GENERATION_PAUSED) got.push_back(tokens_of(session).back());
  }
  CHECK(got == want);
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
      all.push_back(puna_session_append(session, &one, 1, nullptr, nullptr));
      all.push_back(puna_session_truncate(session, 0));
      all.push_back(puna_session_begin(session, &one, 1, nullptr));
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
  ok(puna_session_append(session.get(), prompt.data(), prompt.size(), nullptr, nullptr));
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

}  // namespace test_session_rules
