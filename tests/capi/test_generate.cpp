// Generation and the sampler: streaming, every way to stop, callbacks, zero as the default.
#include <cmath>
#include <map>

#include "capi/fixture.h"
#include "capi/session_rules.h"

using namespace puna::test;

namespace {

struct Answer {
  std::vector<int32_t> tokens;
  std::string text;
  std::vector<std::vector<puna_token_probability>> probabilities;
  size_t stop_after = SIZE_MAX;
  puna_status status = PUNA_INTERNAL;
  puna_generate_result result = sized<puna_generate_result>();

  static int32_t receive(void* user, const puna_generated_token* token) {
    auto* self = static_cast<Answer*>(user);
    CHECK(token->struct_size == sizeof(puna_generated_token));
    self->tokens.push_back(token->id);
    self->text.append(token->text, token->size);
    self->probabilities.emplace_back(token->probabilities, token->probabilities + token->probability_count);
    return self->tokens.size() >= self->stop_after;
  }
};

Answer generate(const SessionHandle& session, const std::string& prompt, puna_generate_options options,
                size_t stop_after = SIZE_MAX) {
  Answer answer;
  answer.stop_after = stop_after;
  options.struct_size = sizeof options;
  answer.status = puna_session_generate(session.get(), prompt.data(), prompt.size(), &options, Answer::receive, &answer,
                                        &answer.result);
  return answer;
}

}  // namespace

TEST_CASE("a greedy answer streams, counts and repeats", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  const Answer first = generate(make_session(model), "Hello", at_most(12));
  ok(first.status);
  CHECK(first.tokens.size() == 12);
  CHECK(first.result.generated_tokens == 12);
  CHECK(first.result.prompt_tokens >= 1);
  CHECK(first.result.stop_reason == PUNA_STOP_MAX_TOKENS);
  CHECK(first.result.prompt_seconds > 0);
  CHECK(first.result.generate_seconds >= 0);

  const SessionHandle session = make_session(model);
  const Answer again = generate(session, "Hello", at_most(12));
  CHECK(again.tokens == first.tokens);
  CHECK(again.text == first.text);
  CHECK(length(session) == again.result.prompt_tokens + 12);
  CHECK(tokens_of(session).back() == again.tokens.back());
  CHECK(info_of(session).pending == 1);

  // Going on is one longer answer.
  const Answer longer = generate(make_session(model), "Hello", at_most(15));
  const Answer rest = generate(session, "", at_most(3));
  ok(rest.status);
  CHECK(rest.tokens == std::vector<int32_t>(longer.tokens.begin() + 12, longer.tokens.end()));

  // The same by hand: the largest logit, lowest id on a tie.
  const SessionHandle by_hand = make_session(model);
  auto options = sized<puna_encode_options>();
  options.add_bos = 1;
  std::vector<int32_t> ids = encode(model, "Hello", &options);
  for (const int32_t wanted : first.tokens) {
    const std::vector<float> l = logits_after(by_hand, ids);
    const auto best = int32_t(std::max_element(l.begin(), l.end()) - l.begin());
    CHECK(best == wanted);
    ids = {best};
  }
}

TEST_CASE("prompts of tokens are taken literally", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  const SessionHandle session = make_session(model);
  const std::vector<int32_t> prompt = {72, 101, 108};
  const puna_generate_options options = at_most(3);
  auto result = sized<puna_generate_result>();
  ok(puna_session_generate_tokens(session.get(), prompt.data(), prompt.size(), &options, nullptr, nullptr, &result));
  CHECK(result.prompt_tokens == 3);
  CHECK(result.generated_tokens == 3);
  const std::vector<int32_t> held = tokens_of(session);
  CHECK(held.size() == 6);
  CHECK(std::equal(prompt.begin(), prompt.end(), held.begin()));
  ok(puna_session_generate_tokens(session.get(), nullptr, 0, &options, nullptr, nullptr,
                                  nullptr));  // goes on from its logits
}

TEST_CASE("an answer ends for the reason it gives", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  const Answer whole = generate(make_session(model), "Once", at_most(24));
  ok(whole.status);

  SECTION("the callback") {
    const SessionHandle session = make_session(model);
    const Answer cut = generate(session, "Once", at_most(24), /*stop_after=*/5);
    refused(cut.status, PUNA_CANCELLED, "callback");
    CHECK(cut.tokens == std::vector<int32_t>(whole.tokens.begin(), whole.tokens.begin() + 5));
    CHECK(cut.result.stop_reason == PUNA_STOP_CALLBACK);
    CHECK(cut.result.generated_tokens == 5);
    CHECK(length(session) > 0);
    ok(puna_session_append(session.get(), &whole.tokens[5], 1, nullptr, nullptr));  // the session goes on
  }
  SECTION("a stop token") {
    puna_generate_options options = at_most(24);
    options.stop_tokens = &whole.tokens[7];
    options.stop_token_count = 1;
    const Answer cut = generate(make_session(model), "Once", options);
    ok(cut.status);
    CHECK(cut.result.stop_reason == PUNA_STOP_TOKEN);
    CHECK(cut.tokens.size() <= 8);
  }
  SECTION("a stop string, no part of which is streamed") {
    REQUIRE(whole.text.size() >= 4);
    const std::string stop = whole.text.substr(whole.text.size() / 2, 2);
    const char* strings[] = {stop.c_str()};
    puna_generate_options options = at_most(24);
    options.stop_strings = strings;
    options.stop_string_count = 1;
    const Answer cut = generate(make_session(model), "Once", options);
    ok(cut.status);
    CHECK(cut.result.stop_reason == PUNA_STOP_STRING);
    CHECK(cut.text == whole.text.substr(0, whole.text.find(stop)));
  }
  SECTION("a full context") {
    auto few = sized<puna_session_options>();
    few.max_positions = 16;
    puna_session* created = nullptr;
    ok(puna_session_create(model.get(), &few, &created));
    const SessionHandle session(created);
    const Answer full = generate(session, "Once", at_most(0));
    ok(full.status);
    CHECK(full.result.stop_reason == PUNA_STOP_CONTEXT_FULL);
    ok(puna_session_truncate(session.get(), 0));
    CHECK(generate(session, std::string(100, 'x'), at_most(4)).status == PUNA_CONTEXT_FULL);
  }
}

TEST_CASE("logits can be edited on the way", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  int32_t favourite = 65;
  puna_generate_options options = at_most(4);
  options.process_user = &favourite;
  options.process_logits = [](void* user, float* logits, uint64_t vocabulary, const int32_t* history,
                              uint64_t history_count) {
    CHECK(history_count > 0);
    CHECK(history != nullptr);
    CHECK(vocabulary > 65);
    logits[*static_cast<int32_t*>(user)] = 1e6f;
    return int32_t(0);
  };
  CHECK(generate(make_session(model), "Hello", options).tokens == std::vector<int32_t>(4, 65));
  options.process_logits = [](void*, float*, uint64_t, const int32_t*, uint64_t) { return int32_t(1); };
  refused(generate(make_session(model), "Hello", options).status, PUNA_CANCELLED, "process_logits");

  const int32_t banned[] = {generate(make_session(model), "Hello", at_most(1)).tokens.at(0)};
  const float never[] = {-INFINITY};
  auto sampler = sized<puna_sampler_options>();
  sampler.bias_tokens = banned;
  sampler.bias_values = never;
  sampler.bias_count = 1;
  options = at_most(1);
  options.sampler = &sampler;
  CHECK(generate(make_session(model), "Hello", options).tokens.at(0) != banned[0]);
}

TEST_CASE("log-probabilities come with the tokens when asked for", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  puna_generate_options options = at_most(5);
  CHECK(generate(make_session(model), "Hello", options).probabilities.at(0).empty());
  options.log_probabilities = 3;
  const Answer answer = generate(make_session(model), "Hello", options);
  ok(answer.status);
  for (size_t i = 0; i < answer.tokens.size(); ++i) {
    REQUIRE(answer.probabilities[i].size() == 3);
    CHECK(answer.probabilities[i][0].token == answer.tokens[i]);
    for (const auto& p : answer.probabilities[i]) CHECK(p.log_probability <= 0);
    CHECK(answer.probabilities[i][1].log_probability >= answer.probabilities[i][2].log_probability);
  }
}

TEST_CASE("the same seed draws the same answer, another seed another", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  auto sampler = sized<puna_sampler_options>();
  sampler.temperature = 1.5f;
  puna_generate_options options = at_most(20);
  options.sampler = &sampler;
  const auto draw = [&](uint64_t seed) {
    sampler.seed = seed;
    const Answer answer = generate(make_session(model), "Hello", options);
    ok(answer.status);
    return answer.tokens;
  };
  CHECK(draw(1) == draw(1));
  CHECK(draw(1) != draw(2));
}

TEST_CASE("generate options are checked and named", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  const SessionHandle session = make_session(model);
  const auto refuse = [&](auto&& change, const char* field) {
    puna_generate_options options = at_most(4);
    change(options);
    refused(generate(session, "x", options).status, PUNA_INVALID_ARGUMENT, field);
    CHECK(length(session) == 0);
  };
  auto sampler = sized<puna_sampler_options>();
  sampler.top_p = 2;
  const char* no_string[] = {nullptr};
  refuse([](auto& o) { o.max_tokens = -1; }, "max_tokens");
  refuse([](auto& o) { o.ignore_eos = 7; }, "ignore_eos");
  refuse([](auto& o) { o.keep_special = -1; }, "keep_special");
  refuse([](auto& o) { o.parse_special = 2; }, "parse_special");
  refuse([](auto& o) { o.log_probabilities = -1; }, "log_probabilities");
  refuse([](auto& o) { o.context_policy = 2; }, "context_policy");
  refuse([](auto& o) { o.keep_prefix = -1; }, "keep_prefix");
  refuse([](auto& o) { o.stop_token_count = 1; }, "stop_tokens");
  refuse([&](auto& o) { o.stop_strings = no_string, o.stop_string_count = 1; }, "stop_strings[0]");
  refuse([&](auto& o) { o.sampler = &sampler; }, "top_p");
  puna_generate_result result{};
  refused(puna_session_generate(session.get(), "x", 1, nullptr, nullptr, nullptr, &result), PUNA_INVALID_ARGUMENT,
          "struct_size");
  CHECK(length(session) == 0);
}

TEST_CASE("zero means off for every sampler option", "[capi]") {
  const std::vector<float> logits = {0.5f, 2.0f, -1.0f, 2.0f, 0.0f};
  const std::vector<int32_t> history = {1, 1, 3};
  const auto create = [](const puna_sampler_options* options) {
    puna_sampler* s = nullptr;
    ok(puna_sampler_create(options, &s));
    return SamplerHandle(s);
  };
  const SamplerHandle greedy = create(nullptr);
  int32_t token = -1;
  ok(puna_sampler_sample(greedy.get(), logits.data(), logits.size(), history.data(), history.size(), 0, &token,
                         nullptr));
  CHECK(token == 1);  // the lower id of the tie; no penalty although it was seen

  auto options = sized<puna_sampler_options>();
  options.temperature = 1;  // top_p, typical_p and repetition_penalty stay 0: off
  const SamplerHandle plain = create(&options);
  std::vector<float> out(logits.size());
  ok(puna_sampler_distribution(plain.get(), logits.data(), logits.size(), history.data(), history.size(), out.data()));
  double sum = 0;
  for (const float v : logits) sum += std::exp(double(v));
  for (size_t i = 0; i < logits.size(); ++i) CHECK(out[i] == Approx(double(logits[i]) - std::log(sum)).margin(1e-6));

  float log_probability = 1;
  std::map<int32_t, int> drawn;
  for (uint64_t i = 0; i < 200; ++i) {
    ok(puna_sampler_sample(plain.get(), logits.data(), logits.size(), nullptr, 0, i, &token, &log_probability));
    CHECK(log_probability == Approx(out[size_t(token)]).margin(1e-6));
    ++drawn[token];
  }
  CHECK(drawn.size() >= 3);  // it really draws

  options.top_k = 2;
  ok(puna_sampler_distribution(create(&options).get(), logits.data(), logits.size(), nullptr, 0, out.data()));
  CHECK(std::isinf(out[0]));
  CHECK(out[1] == Approx(std::log(0.5)));

  puna_sampler* none = nullptr;
  options.min_p = -1;
  refused(puna_sampler_create(&options, &none), PUNA_INVALID_ARGUMENT, "min_p");
  CHECK(none == nullptr);
  refused(puna_sampler_sample(plain.get(), logits.data(), 0, nullptr, 0, 0, &token, nullptr), PUNA_INVALID_ARGUMENT,
          "logits");
}

TEST_CASE("a text that is all the session shall hold begins as in an empty session, and keeps what is shared",
          "[capi]") {
  const ModelHandle model = open_model(
      PUNA_SOURCE_DIR "/examples/bundled/puna-austen.gguf");  // its metadata asks for a beginning-of-text token
  puna_generate_options options = at_most(2);
  options.keep_shared = 1;
  const SessionHandle session = make_session(model), fresh = make_session(model);
  auto result = sized<puna_generate_result>(), whole = sized<puna_generate_result>();
  ok(puna_session_generate(session.get(), "It was a truth", 14, &options, nullptr, nullptr, &result));
  ok(puna_session_generate(session.get(), "It was a truth that", 19, &options, nullptr, nullptr, &result));
  ok(puna_session_generate(fresh.get(), "It was a truth that", 19, &options, nullptr, nullptr, &whole));
  CHECK(tokens_of(session) == tokens_of(fresh));
  CHECK(result.prompt_tokens < whole.prompt_tokens - 2);
  refused(puna_session_generate_tokens(session.get(), nullptr, 0, &options, nullptr, nullptr, nullptr),
          PUNA_INVALID_ARGUMENT, "keep_shared needs tokens");
}

TEST_CASE("drafts change nothing but the time, pushed or pulled, and are counted", "[capi]") {
  const ModelHandle model = open_model(PUNA_SOURCE_DIR "/examples/bundled/puna-austen.gguf");
  const SessionHandle plain = make_session(model), drafted = make_session(model), pulled = make_session(model);
  puna_generate_options options = at_most(40);
  const Answer want = generate(plain, "It was a truth, it was a truth, it was", options);
  CHECK(want.result.accepted_drafts == 0);
  CHECK(want.result.rejected_drafts == 0);
  SessionHandle draft = make_session(model);
  options.draft = draft.get();
  options.draft_tokens = 4;
  options.lookup_tokens = 7;
  const Answer got = generate(drafted, "It was a truth, it was a truth, it was", options);
  ok(got.status);
  CHECK(got.tokens == want.tokens);
  CHECK(got.text == want.text);
  CHECK(tokens_of(drafted) == tokens_of(plain));
  CHECK(got.result.accepted_drafts > 10);
  CHECK(got.result.accepted_drafts <= 40);
  // Off by itself where it does not pay: fewer in vain than the two may guess for each token that none told
  CHECK(got.result.rejected_drafts <= (4 + 7) * (40 - got.result.accepted_drafts));
  CHECK(got.result.rejected_drafts < 80);

  puna_generation* g = nullptr;
  ok(puna_generation_create(pulled.get(), "It was a truth, it was a truth, it was", 38, &options, &g));
  const GenerationHandle generation(g);
  refused(generate(plain, "x", options).status, PUNA_WRONG_STATE, "another generation");  // the draft is that one's
  draft.reset();  // the generation keeps it alive
  std::vector<int32_t> ids;
  auto token = sized<puna_generated_token>();
  for (int32_t state = 0; state != PUNA_GENERATION_ENDED;) {
    ok(puna_generation_step(g, 50, &token, &state));
    if (state == PUNA_GENERATION_TOKEN) ids.push_back(token.id);
  }
  CHECK(ids == want.tokens);
  auto result = sized<puna_generate_result>();
  ok(puna_generation_get_result(g, &result));
  CHECK(result.accepted_drafts == got.result.accepted_drafts);
  CHECK(result.rejected_drafts == got.result.rejected_drafts);
}
