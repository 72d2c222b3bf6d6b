// Slices of time: an append and an answer in steps give the bits of an uninterrupted call, whatever the budget, and a
// session in the middle of one says so instead of breaking.
#include "capi/fixture.h"

using namespace puna::test;

namespace test_step {
namespace {

// Steps until the append is finished; returns how many steps that took.
int steps(const SessionHandle& session, uint64_t budget_us) {
  int n = 0;
  for (int32_t finished = 0; !finished; ++n) ok(puna_session_step(session.get(), budget_us, &finished));
  return n;
}

SessionHandle chunked_session(const ModelHandle& model, int64_t prefill_chunk) {
  auto options = sized<puna_session_options>();
  options.prefill_chunk = prefill_chunk;
  puna_session* s = nullptr;
  ok(puna_session_create(model.get(), &options, &s));
  return SessionHandle(s);
}

struct Answer {
  std::vector<int32_t> ids;
  std::string text;
  int pauses = 0;
  puna_generate_result result{};
};

Answer pull(const SessionHandle& session, const std::vector<int32_t>& prompt, const puna_generate_options& options,
            uint64_t budget_us) {
  puna_generation* made = nullptr;
  ok(puna_generation_create_tokens(session.get(), prompt.data(), prompt.size(), &options, &made));
  const GenerationHandle generation(made);
  Answer answer;
  for (;;) {
    auto token = sized<puna_generated_token>();
    int32_t state = -1;
    ok(puna_generation_step(generation.get(), budget_us, &token, &state));
    if (state == PUNA_GENERATION_ENDED) break;
    if (state == PUNA_GENERATION_PAUSED) {
      ++answer.pauses;
      continue;
    }
    answer.ids.push_back(token.id);
    answer.text.append(token.text, size_t(token.size));
    CHECK(token.probability_count == uint64_t(options.log_probabilities));
  }
  answer.result = sized<puna_generate_result>();
  ok(puna_generation_get_result(generation.get(), &answer.result));
  return answer;
}

Answer push(const SessionHandle& session, const std::vector<int32_t>& prompt, const puna_generate_options& options) {
  Answer answer;
  answer.result = sized<puna_generate_result>();
  const puna_token_fn keep = [](void* user, const puna_generated_token* token) -> int32_t {
    auto* a = static_cast<Answer*>(user);
    a->ids.push_back(token->id);
    a->text.append(token->text, size_t(token->size));
    return 0;
  };
  ok(puna_session_generate_tokens(session.get(), prompt.data(), prompt.size(), &options, keep, &answer,
                                  &answer.result));
  return answer;
}

}  // namespace

TEST_CASE("an append in steps gives the bits of one call, with any budget and chunk", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  const std::vector<int32_t> prompt = some_tokens(90), more = some_tokens(1, 4);
  const SessionHandle whole = make_session(model);
  const std::vector<float> after_prompt = logits_after(whole, prompt), after_more = logits_after(whole, more);
  for (const int64_t chunk : {7, 256}) {
    const SessionHandle session = chunked_session(model, chunk);
    ok(puna_session_begin(session.get(), prompt.data(), prompt.size(), nullptr));
    CHECK(steps(session, 1) > 30);  // a microsecond is over after every tile
    CHECK(logits(session) == after_prompt);
    ok(puna_session_begin(session.get(), more.data(), more.size(), nullptr));
    CHECK(steps(session, 1) > 10);
    CHECK(logits(session) == after_more);
    const SessionHandle unhurried = chunked_session(model, chunk);
    ok(puna_session_begin(unhurried.get(), prompt.data(), prompt.size(), nullptr));
    CHECK(steps(unhurried, 0) == 1);
    CHECK(logits(unhurried) == after_prompt);
  }
}

TEST_CASE("until its last step an append has changed nothing, and what would disturb it is refused", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  const SessionHandle session = make_session(model), other = make_session(model);
  const std::vector<int32_t> first = some_tokens(20), second = some_tokens(30, 5);
  int32_t finished = -1;
  refused(puna_session_step(session.get(), 0, &finished), PUNA_WRONG_STATE, "begin");
  const std::vector<float> before = logits_after(session, first);
  ok(puna_session_begin(session.get(), second.data(), second.size(), nullptr));
  ok(puna_session_step(session.get(), 1, &finished));
  CHECK(finished == 0);
  CHECK(info_of(session).under_way == 1);
  CHECK(length(session) == 20);
  CHECK(logits(session) == before);

  puna_session* made = nullptr;
  size_t size = 0;
  refused(puna_session_begin(session.get(), first.data(), 1, nullptr), PUNA_WRONG_STATE, "under way");
  refused(puna_session_append(session.get(), first.data(), 1, nullptr, nullptr), PUNA_WRONG_STATE, "under way");
  refused(puna_session_fork(session.get(), &made), PUNA_WRONG_STATE, "under way");
  refused(puna_session_snapshot(session.get(), nullptr, 0, &size), PUNA_WRONG_STATE, "under way");
  puna_session* const both[] = {other.get(), session.get()};
  const int32_t* const lists[] = {first.data(), first.data()};
  const size_t counts[] = {1, 1};
  refused(puna_session_append_batch(both, lists, counts, 2), PUNA_WRONG_STATE, "under way");
  CHECK(made == nullptr);
  CHECK(length(other) == 0);

  SECTION("it goes on as if nothing had happened") {
    steps(session, 50);
    const SessionHandle whole = make_session(model);
    logits_after(whole, first);
    CHECK(logits(session) == logits_after(whole, second));
    CHECK(info_of(session).under_way == 0);
  }
  SECTION("truncate drops it, to the session's own length too") {
    ok(puna_session_truncate(session.get(), 20));
    CHECK(info_of(session).under_way == 0);
    CHECK(logits(session) == before);
    const SessionHandle whole = make_session(model);
    logits_after(whole, first);
    CHECK(logits_after(session, {3, 4}) == logits_after(whole, {3, 4}));
  }
  SECTION("cancel drops it in the next step") {
    ok(puna_session_cancel(session.get()));
    refused(puna_session_step(session.get(), 0, &finished), PUNA_CANCELLED, "cancel");
    CHECK(info_of(session).under_way == 0);
    CHECK(length(session) == 20);
    ok(puna_session_append(session.get(), second.data(), second.size(), nullptr, nullptr));
  }
  SECTION("it may be freed") {}
}

TEST_CASE("a batch in steps gives the bits of one call, and its sessions stand and fall together", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  SessionHandle a = make_session(model), b = chunked_session(model, 13);
  const std::vector<int32_t> long_prompt = some_tokens(70), short_prompt = some_tokens(9, 6), one = {17};
  const std::vector<float> want_a = logits_after(make_session(model), long_prompt),
                           want_b = logits_after(make_session(model), short_prompt);
  const auto begin = [&](const std::vector<int32_t>& x, const std::vector<int32_t>& y) {
    puna_session* const sessions[] = {a.get(), b.get()};
    const int32_t* const lists[] = {x.data(), y.data()};
    const size_t counts[] = {x.size(), y.size()};
    return puna_session_begin_batch(sessions, lists, counts, 2);
  };
  ok(begin(long_prompt, short_prompt));
  CHECK((info_of(a).under_way == 1 && info_of(b).under_way == 1));
  refused(begin(one, one), PUNA_WRONG_STATE, "under way");
  refused(puna_session_append(b.get(), one.data(), 1, nullptr, nullptr), PUNA_WRONG_STATE, "under way");

  SECTION("stepped to its end through either of them") {
    int32_t finished = 0;
    int n = 0;
    for (; !finished; ++n) ok(puna_session_step(n % 2 ? a.get() : b.get(), 1, &finished));
    CHECK(n > 30);
    CHECK(logits(a) == want_a);
    CHECK(logits(b) == want_b);
    CHECK((info_of(a).under_way == 0 && info_of(b).under_way == 0));
    refused(puna_session_step(a.get(), 0, &finished), PUNA_WRONG_STATE, "begin");
    ok(begin(one, one));
    CHECK(steps(b, 0) == 1);
    const SessionHandle whole = make_session(model);
    logits_after(whole, long_prompt);
    CHECK(logits(a) == logits_after(whole, one));
  }
  SECTION("dropped by a cancel of one, a truncate of one, the end of one") {
    int32_t finished = 0;
    for (int i = 0; i < 3; ++i) ok(puna_session_step(a.get(), 1, &finished));
    const int how = GENERATE(0, 1, 2);
    if (how == 0) {
      ok(puna_session_cancel(b.get()));
      refused(puna_session_step(a.get(), 0, &finished), PUNA_CANCELLED, "cancel");
    }
    if (how == 1) ok(puna_session_truncate(b.get(), 0));
    if (how == 2) b.reset();
    CHECK(info_of(a).under_way == 0);
    CHECK(length(a) == 0);
    CHECK(logits_after(a, long_prompt) == want_a);
    if (b) CHECK(logits_after(b, short_prompt) == want_b);
  }
  SECTION("what a batch cannot hold is refused and changes nothing") {
    ok(puna_session_truncate(a.get(), 0));
    puna_session* const twice[] = {a.get(), a.get()};
    const int32_t* const lists[] = {one.data(), one.data()};
    const size_t counts[] = {1, 1};
    refused(puna_session_begin_batch(twice, lists, counts, 2), PUNA_INVALID_ARGUMENT, "twice");
    refused(puna_session_begin_batch(nullptr, nullptr, nullptr, 0), PUNA_INVALID_ARGUMENT, "no sessions");
    const int32_t bad[] = {-1};
    const int32_t* const wrong[] = {one.data(), bad};
    puna_session* const both[] = {a.get(), b.get()};
    refused(puna_session_begin_batch(both, wrong, counts, 2), PUNA_INVALID_ARGUMENT, "-1");
    CHECK((info_of(a).under_way == 0 && info_of(b).under_way == 0));
  }
}

TEST_CASE("an answer pulled in slices has the tokens, text and end of one that is pushed", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  auto sampler = sized<puna_sampler_options>();
  sampler.temperature = 0.8f;
  sampler.top_p = 0.9f;
  sampler.seed = 11;
  auto options = sized<puna_generate_options>();
  options.sampler = &sampler;
  options.max_tokens = 12;
  options.log_probabilities = 3;
  const std::vector<int32_t> prompt = some_tokens(40);
  const Answer want = push(make_session(model), prompt, options);
  CHECK(want.ids.size() > 1);
  for (const uint64_t budget : {uint64_t(0), uint64_t(1), uint64_t(300)}) {
    CAPTURE(budget);
    const SessionHandle session = make_session(model);
    const Answer got = pull(session, prompt, options, budget);
    CHECK(got.ids == want.ids);
    CHECK(got.text == want.text);
    CHECK(got.result.stop_reason == want.result.stop_reason);
    CHECK(got.result.prompt_tokens == 40);
    CHECK(tokens_of(session).back() == want.ids.back());
    CHECK(length(session) == 40 + int64_t(want.ids.size()));
    if (budget == 0) CHECK(got.pauses == 0);
    if (budget == 1) CHECK(got.pauses > 100);
  }
}

TEST_CASE("a pulled answer outlives its session's handle, repeats a cancelled step, and copies its options", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  const std::vector<int32_t> prompt = some_tokens(9);
  const Answer want = push(make_session(model), prompt, [] {
    auto o = sized<puna_generate_options>();
    o.max_tokens = 4;
    return o;
  }());
  SessionHandle session = make_session(model);
  puna_generation* made = nullptr;
  {
    auto options = sized<puna_generate_options>();
    options.max_tokens = 4;
    std::vector<int32_t> gone = prompt;
    ok(puna_generation_create_tokens(session.get(), gone.data(), gone.size(), &options, &made));
  }
  const GenerationHandle generation(made);
  int32_t state = -1;
  ok(puna_session_cancel(session.get()));
  refused(puna_generation_step(generation.get(), 0, nullptr, &state), PUNA_CANCELLED, "cancel");
  session.reset();
  std::vector<int32_t> ids;
  while (state != PUNA_GENERATION_ENDED) {
    auto token = sized<puna_generated_token>();
    ok(puna_generation_step(generation.get(), 0, &token, &state));
    if (state == PUNA_GENERATION_TOKEN) ids.push_back(token.id);
  }
  CHECK(ids == want.ids);
  ok(puna_generation_step(generation.get(), 0, nullptr, &state));
  CHECK(state == PUNA_GENERATION_ENDED);
}

TEST_CASE("timings count what was computed", "[capi]") {
  const SessionHandle session = make_session(open_model(chat_model()));
  logits_after(session, some_tokens(10));
  for (int i = 0; i < 3; ++i) logits_after(session, {1});
  const int32_t bad = -1;
  refused(puna_session_append(session.get(), &bad, 1, nullptr, nullptr), PUNA_INVALID_ARGUMENT, "-1");
  auto timings = sized<puna_session_timings>();
  ok(puna_session_get_timings(session.get(), &timings));
  CHECK(timings.prompt_tokens == 10);
  CHECK(timings.decoded_tokens == 3);
  CHECK(timings.prompt_seconds > 0);
  CHECK(timings.decode_seconds > 0);
}

}  // namespace test_step
