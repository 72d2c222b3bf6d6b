// Grammars over the C ABI: what is refused and how, matchers, and answers of the bundled model that always parse.
#include <puna_grammar.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "capi/fixture.h"

using namespace puna::test;
namespace test_grammar {
namespace {

using Json = nlohmann::ordered_json;

const std::string kBundled = PUNA_SOURCE_DIR "/examples/bundled/puna-austen.gguf";

using GrammarHandle = std::unique_ptr<puna_grammar, Free<puna_grammar_free>>;
using MatcherHandle = std::unique_ptr<puna_matcher, Free<puna_matcher_free>>;

puna_grammar_options of_kind(int32_t kind) {
  auto o = sized<puna_grammar_options>();
  o.kind = kind;
  return o;
}
puna_status compile(const std::string& text, const puna_grammar_options& options) {
  puna_grammar* made = nullptr;
  const puna_status status = puna_grammar_create(text.data(), text.size(), &options, &made);
  CHECK((status == PUNA_OK) == (made != nullptr));
  puna_grammar_free(made);
  return status;
}
GrammarHandle grammar(const std::string& text, int32_t kind = PUNA_GRAMMAR_JSON_SCHEMA) {
  const puna_grammar_options options = of_kind(kind);
  puna_grammar* made = nullptr;
  ok(puna_grammar_create(text.data(), text.size(), &options, &made));
  return GrammarHandle(made);
}
MatcherHandle matcher(const GrammarHandle& grammar, const ModelHandle& model) {
  puna_matcher* made = nullptr;
  ok(puna_matcher_create(grammar.get(), model.get(), nullptr, &made));
  return MatcherHandle(made);
}
puna_matcher_info info_of(const MatcherHandle& matcher) {
  auto info = sized<puna_matcher_info>();
  ok(puna_matcher_get_info(matcher.get(), &info));
  return info;
}
std::vector<uint32_t> mask_of(const MatcherHandle& matcher) {
  std::vector<uint32_t> words(4096 / 32);
  ok(puna_matcher_mask(matcher.get(), words.data(), words.size()));
  return words;
}
bool has(const std::vector<uint32_t>& mask, int32_t id) { return (mask[size_t(id) / 32] >> (id % 32) & 1) != 0; }
puna_status accept(const MatcherHandle& matcher, const std::string& text) {
  return puna_matcher_accept_text(matcher.get(), text.data(), text.size());
}
// Whether the text is a whole answer, from the start.
bool whole(const MatcherHandle& matcher, const std::string& text) {
  ok(puna_matcher_reset(matcher.get()));
  return accept(matcher, text) == PUNA_OK && info_of(matcher).whole == 1;
}
std::string text_of(puna_status (*call)(puna_matcher*, puna_buffer*), const MatcherHandle& matcher) {
  const Output text;
  ok(call(matcher.get(), text));
  return text.text();
}

struct Answer {
  std::vector<int32_t> ids;
  std::string text;
  puna_generate_result result = sized<puna_generate_result>();
  int pauses = 0;
};
puna_generate_options constrained(const GrammarHandle& grammar, float temperature, uint64_t seed,
                                  puna_sampler_options& sampler) {
  sampler = sized<puna_sampler_options>();
  sampler.temperature = temperature;
  sampler.seed = seed;
  auto o = sized<puna_generate_options>();
  o.sampler = &sampler;
  o.grammar = grammar.get();
  o.max_tokens = 400;
  return o;
}
const std::string kPrompt = "It is a truth universally acknowledged, that";

Answer generate(const ModelHandle& model, const puna_generate_options& options) {
  Answer a;
  const puna_token_fn keep = [](void* user, const puna_generated_token* token) -> int32_t {
    auto* answer = static_cast<Answer*>(user);
    answer->ids.push_back(token->id);
    answer->text.append(token->text, size_t(token->size));
    return 0;
  };
  const SessionHandle session = make_session(model);
  ok(puna_session_generate(session.get(), kPrompt.data(), kPrompt.size(), &options, keep, &a, &a.result));
  return a;
}
GenerationHandle begin(const SessionHandle& session, const puna_generate_options& options) {
  puna_generation* made = nullptr;
  ok(puna_generation_create(session.get(), kPrompt.data(), kPrompt.size(), &options, &made));
  return GenerationHandle(made);
}
Answer pull(const GenerationHandle& generation, uint64_t budget_us) {
  Answer a;
  for (int32_t state = -1; state != PUNA_GENERATION_ENDED;) {
    auto token = sized<puna_generated_token>();
    ok(puna_generation_step(generation.get(), budget_us, &token, &state));
    a.pauses += state == PUNA_GENERATION_PAUSED;
    if (state != PUNA_GENERATION_TOKEN) continue;
    a.ids.push_back(token.id);
    a.text.append(token.text, size_t(token.size));
  }
  ok(puna_generation_get_result(generation.get(), &a.result));
  return a;
}

const char* const kPerson = R"({
  "type": "object", "additionalProperties": false,
  "properties": {
    "name_of_the_character": {"type": "string", "maxLength": 20},
    "age_of_the_character_in_years": {"type": "integer", "minimum": 0, "maximum": 120},
    "is_the_character_married": {"type": "boolean"},
    "places_where_the_character_lived": {"type": "array", "items": {"enum": ["Longbourn", "Meryton"]}, "maxItems": 3}
  },
  "required": ["name_of_the_character", "age_of_the_character_in_years", "is_the_character_married",
               "places_where_the_character_lived"]
})";

void check_person(const std::string& text) {
  INFO(text);
  const Json p = Json::parse(text, nullptr, false);
  REQUIRE(p.is_object());
  CHECK(p.size() == 4);
  CHECK(p.at("name_of_the_character").is_string());
  const Json& age = p.at("age_of_the_character_in_years");
  REQUIRE(age.is_number());
  CHECK(age.get<double>() >= 0);
  CHECK(age.get<double>() <= 120);
  CHECK(p.at("is_the_character_married").is_boolean());
  REQUIRE(p.at("places_where_the_character_lived").is_array());
  CHECK(p.at("places_where_the_character_lived").size() <= 3);
}

}  // namespace

TEST_CASE("a grammar that cannot be had says where and why", "[capi]") {
  const auto schema = of_kind(PUNA_GRAMMAR_JSON_SCHEMA);
  refused(compile("{\"type\": ", schema), PUNA_INVALID_ARGUMENT, "not valid JSON");
  refused(compile(R"({"properties": {"a": {"type": "strin"}}})", schema), PUNA_INVALID_ARGUMENT, "/properties/a/type");
  refused(compile(R"({"properties": {"a": {"$ref": "#/$defs/b"}}})", schema), PUNA_INVALID_ARGUMENT,
          "/properties/a/$ref");
  refused(compile(R"({"allOf": [{"type": "string"}, {"type": "number"}]})", schema), PUNA_INVALID_ARGUMENT, "");
  refused(compile(R"({"type": "array", "uniqueItems": true})", schema), PUNA_UNSUPPORTED, "/uniqueItems");
  refused(compile("(a|b", of_kind(PUNA_GRAMMAR_REGEX)), PUNA_INVALID_ARGUMENT, "");
  refused(compile("a(?=b)", of_kind(PUNA_GRAMMAR_REGEX)), PUNA_UNSUPPORTED, "");
  refused(compile("root ::= \"a\" missing\n", of_kind(PUNA_GRAMMAR_GBNF)), PUNA_INVALID_ARGUMENT, "missing");
  refused(compile("root ::= \"a\n", of_kind(PUNA_GRAMMAR_GBNF)), PUNA_INVALID_ARGUMENT, "line 1");
  refused(compile("start = missing;", of_kind(PUNA_GRAMMAR_EBNF)), PUNA_INVALID_ARGUMENT, "missing");
  refused(compile("[\"a\", 3]", of_kind(PUNA_GRAMMAR_CHOICES)), PUNA_INVALID_ARGUMENT, "/1");
  refused(compile("{}", of_kind(PUNA_GRAMMAR_CHOICES)), PUNA_INVALID_ARGUMENT, "list of strings");
  refused(compile("[\"a\"", of_kind(PUNA_GRAMMAR_CHOICES)), PUNA_INVALID_ARGUMENT, "choices");
  refused(compile("{}", of_kind(PUNA_GRAMMAR_ANY_JSON)), PUNA_INVALID_ARGUMENT, "expected none");
  for (const char* text : {"{}", "true", R"({"type": "object"})"}) ok(compile(text, schema));
  ok(compile("", of_kind(PUNA_GRAMMAR_ANY_JSON)));
}

TEST_CASE("options of grammars out of range are named", "[capi]") {
  const auto with = [](auto set) {
    auto o = of_kind(PUNA_GRAMMAR_JSON_SCHEMA);
    set(o);
    return compile("{}", o);
  };
  for (const int32_t kind : {-1, 6, INT32_MAX})
    refused(with([&](auto& o) { o.kind = kind; }), PUNA_INVALID_ARGUMENT, "kind is");
  for (const int32_t n : {-2, 1001, INT32_MAX})
    refused(with([&](auto& o) { o.max_whitespace = n; }), PUNA_INVALID_ARGUMENT, "max_whitespace");
  refused(with([&](auto& o) { o.reserved = 1; }), PUNA_UNSUPPORTED, "reserved");
  refused(with([&](auto& o) { o.struct_size = 2; }), PUNA_INVALID_ARGUMENT, "puna_grammar_options");
  refused(with([&](auto& o) { o.max_nodes = 1; }), PUNA_INVALID_ARGUMENT, "");
  for (const int32_t n : {-1, 1, 1000}) ok(with([&](auto& o) { o.max_whitespace = n; }));
}

TEST_CASE("what a schema says that constrains nothing is noted", "[capi]") {
  const GrammarHandle g = grammar(R"({"type": "object", "properties": {"a": {"type": "string", "maxLenght": 3}}})");
  auto info = sized<puna_grammar_info>();
  ok(puna_grammar_get_info(g.get(), &info));
  REQUIRE(info.note_count == 1);
  CHECK_THAT(info.notes[0], Catch::Matchers::Contains("/properties/a") && Catch::Matchers::Contains("maxLenght"));
  const GrammarHandle silent = grammar("{}");
  ok(puna_grammar_get_info(silent.get(), &info));
  CHECK(info.note_count == 0);
}

TEST_CASE("a watch cancels a grammar that takes long", "[capi]") {
  auto options = of_kind(PUNA_GRAMMAR_REGEX);
  int asked = 0;
  options.watch_user = &asked;
  options.watch = [](void* user) -> int32_t { return ++*static_cast<int*>(user) >= 1; };
  std::string pattern;
  for (int i = 0; i < 4000; ++i) pattern += "(a|b" + std::to_string(i) + "){0,9}";
  CHECK(compile(pattern, options) == PUNA_CANCELLED);
  CHECK(asked == 1);
}

TEST_CASE("a matcher says which tokens may come, and refuses the others without a trace", "[capi]") {
  const ModelHandle model = open_model(kBundled);
  const GrammarHandle g = grammar(R"(["yes", "no", "nobody"])", PUNA_GRAMMAR_CHOICES);
  const MatcherHandle m = matcher(g, model);
  const puna_tokenizer* tokenizer = tokenizer_of(model.get());
  const auto possible = [&](const std::string& before, const std::string& token) {
    for (const char* choice : {"yes", "no", "nobody"})
      if (std::string(choice).rfind(before + token, 0) == 0) return true;
    return false;
  };
  for (const char* before : {"", "n", "no", "nob", "y"}) {
    ok(puna_matcher_reset(m.get()));
    ok(accept(m, before));
    const std::vector<uint32_t> mask = mask_of(m);
    uint64_t count = 0;
    for (int32_t id = 0; id < 4096; ++id) {
      auto token = sized<puna_token_info>();
      ok(puna_tokenizer_get_token_info(tokenizer, id, &token));
      const bool may = token.is_special ? token.is_stop && std::string(before) == "no"
                                        : possible(before, {token.bytes, size_t(token.size)});
      CAPTURE(before, id);
      REQUIRE(has(mask, id) == may);
      count += may;
      if (id % 64 != 0 || may) continue;
      REQUIRE(puna_matcher_accept(m.get(), id) == PUNA_INVALID_ARGUMENT);
      REQUIRE(mask_of(m) == mask);
    }
    const puna_matcher_info info = info_of(m);
    CHECK(info.token_count == count);
    CHECK(info.whole == (std::string(before) == "no"));
    CHECK(info.ended == 0);
  }
  refused(puna_matcher_accept(m.get(), -1), PUNA_INVALID_ARGUMENT, "-1");
  refused(puna_matcher_accept(m.get(), 4096), PUNA_INVALID_ARGUMENT, "4096");
  uint32_t few[4096 / 32 - 1];
  refused(puna_matcher_mask(m.get(), few, std::size(few)), PUNA_INVALID_ARGUMENT, "128 are needed");
}

TEST_CASE("a matcher is copied, put back, and knows what must come", "[capi]") {
  const ModelHandle model = open_model(kBundled);
  GrammarHandle g = grammar(R"(["yesterday", "yes", "no"])", PUNA_GRAMMAR_CHOICES);
  const MatcherHandle m = matcher(g, model);
  g.reset();  // the matcher keeps what it needs
  const std::vector<uint32_t> start = mask_of(m);
  CHECK(text_of(puna_matcher_forced_text, m).empty());
  CHECK(text_of(puna_matcher_completion, m) == "no");
  ok(accept(m, "y"));
  CHECK(text_of(puna_matcher_forced_text, m) == "es");
  puna_matcher* made = nullptr;
  ok(puna_matcher_fork(m.get(), &made));
  const MatcherHandle fork(made);
  ok(accept(fork, "est"));
  CHECK(text_of(puna_matcher_forced_text, fork) == "erday");
  CHECK(text_of(puna_matcher_completion, fork) == "erday");
  CHECK(text_of(puna_matcher_forced_text, m) == "es");
  refused(accept(m, "esx"), PUNA_INVALID_ARGUMENT, "0x78 at 2");
  CHECK(text_of(puna_matcher_forced_text, m) == "es");
  ok(accept(fork, "erday"));
  CHECK(info_of(fork).ended == 1);
  CHECK(info_of(fork).whole == 1);
  ok(puna_matcher_reset(fork.get()));
  CHECK(mask_of(fork) == start);
  ok(puna_matcher_reset(m.get()));
  CHECK(mask_of(m) == start);
}

TEST_CASE("stop tokens of a matcher are its own where it has any", "[capi]") {
  const ModelHandle model = open_model(kBundled);
  const GrammarHandle g = grammar("a*", PUNA_GRAMMAR_REGEX);
  auto options = sized<puna_matcher_options>();
  const int32_t stop = encode(model, "the").front();
  options.stop_tokens = &stop;
  options.stop_token_count = 1;
  puna_matcher* made = nullptr;
  ok(puna_matcher_create(g.get(), model.get(), &options, &made));
  const MatcherHandle m(made);
  CHECK(has(mask_of(m), stop));
  ok(puna_matcher_accept(m.get(), stop));
  CHECK(info_of(m).ended == 1);
  CHECK(info_of(m).token_count == 0);
  CHECK(puna_matcher_accept(m.get(), stop) == PUNA_INVALID_ARGUMENT);
  const int32_t outside = 4096;
  options.stop_tokens = &outside;
  refused(puna_matcher_create(g.get(), model.get(), &options, &made), PUNA_INVALID_ARGUMENT, "4096");
}

TEST_CASE("every answer by a schema parses, at any temperature", "[capi]") {
  const ModelHandle model = open_model(kBundled);
  const GrammarHandle person = grammar(kPerson);
  const MatcherHandle m = matcher(person, model);
  for (const float temperature : {0.0f, 0.7f, 1.5f}) {
    for (uint64_t seed = 1; seed <= (temperature == 0 ? 1u : 4u); ++seed) {
      CAPTURE(temperature, seed);
      puna_sampler_options sampler;
      const Answer a = generate(model, constrained(person, temperature, seed, sampler));
      INFO(a.text);
      CHECK((a.result.stop_reason == PUNA_STOP_GRAMMAR || a.result.stop_reason == PUNA_STOP_TOKEN));
      CHECK(a.result.incomplete == 0);
      check_person(a.text);
      CHECK(whole(m, a.text));
    }
  }
}

TEST_CASE("an answer by a grammar is one of what it lists", "[capi]") {
  const ModelHandle model = open_model(kBundled);
  const struct {
    int32_t kind;
    const char* text;
  } grammars[] = {{PUNA_GRAMMAR_CHOICES, R"(["Elizabeth", "Mr. Darcy", "Lydia"])"},
                  {PUNA_GRAMMAR_REGEX, "[A-Z][a-z]{2,8}, [0-9]{1,3}"},
                  {PUNA_GRAMMAR_GBNF, "root ::= \"<\" [a-z]{1,9} \">\"\n"},
                  {PUNA_GRAMMAR_EBNF, "start = \"it \" (\"is\" | \"was\") { \" very\" } \" late\" ;"}};
  for (const auto& [kind, text] : grammars) {
    const GrammarHandle g = grammar(text, kind);
    const MatcherHandle m = matcher(g, model);
    for (const float temperature : {0.0f, 1.0f}) {
      puna_sampler_options sampler;
      const Answer a = generate(model, constrained(g, temperature, 7, sampler));
      INFO(text << ": " << a.text);
      if (a.result.incomplete == 0) CHECK(whole(m, a.text));
      CHECK((a.result.stop_reason == PUNA_STOP_MAX_TOKENS) == (a.result.incomplete == 1));
      if (kind != PUNA_GRAMMAR_EBNF) CHECK(a.result.incomplete == 0);  // that one may be very very late
    }
  }
}

TEST_CASE("what is generated is what the matcher's mask leaves of the logits", "[capi]") {
  const ModelHandle model = open_model(kBundled);
  const GrammarHandle person = grammar(kPerson);
  for (const float temperature : {0.0f, 0.9f}) {
    puna_sampler_options options;
    const Answer wanted = generate(model, constrained(person, temperature, 3, options));
    puna_sampler* made = nullptr;
    ok(puna_sampler_create(&options, &made));
    const SamplerHandle sampler(made);
    const MatcherHandle m = matcher(person, model);
    const SessionHandle session = make_session(model);
    auto at_start = sized<puna_encode_options>();
    at_start.add_bos = 1;
    std::vector<int32_t> next = encode(model, kPrompt, &at_start), history = next;
    std::vector<int32_t> drawn;
    while (info_of(m).ended == 0 && drawn.size() < wanted.ids.size()) {
      std::vector<float> l = logits_after(session, next);
      const std::vector<uint32_t> mask = mask_of(m);
      for (size_t i = 0; i < l.size(); ++i)
        if (!has(mask, int32_t(i))) l[i] = -std::numeric_limits<float>::infinity();
      int32_t id = -1;
      ok(puna_sampler_sample(sampler.get(), l.data(), l.size(), history.data(), history.size(), history.size(), &id,
                             nullptr));
      ok(puna_matcher_accept(m.get(), id));
      drawn.push_back(id);
      history.push_back(id);
      next = {id};
    }
    CHECK(drawn == wanted.ids);
  }
}

TEST_CASE("an answer that is cut says that it is incomplete", "[capi]") {
  const ModelHandle model = open_model(kBundled);
  const GrammarHandle person = grammar(kPerson);
  puna_sampler_options sampler;
  auto options = constrained(person, 0, 1, sampler);
  options.max_tokens = 3;
  const Answer a = generate(model, options);
  CHECK(a.ids.size() == 3);
  CHECK(a.result.incomplete == 1);
  CHECK(a.result.stop_reason == PUNA_STOP_MAX_TOKENS);
  const MatcherHandle m = matcher(person, model);
  ok(accept(m, a.text));
  check_person(a.text + text_of(puna_matcher_completion, m));

  options.max_tokens = 120;
  options.close_answer = 1;
  const Answer closed = generate(model, options);
  CHECK(closed.ids.size() <= 120);
  CHECK(closed.result.incomplete == 0);
  check_person(closed.text);

  options.ignore_eos = 1;
  const SessionHandle session = make_session(model);
  refused(puna_session_generate(session.get(), "a", 1, &options, nullptr, nullptr, nullptr), PUNA_INVALID_ARGUMENT,
          "ignore_eos");
}

TEST_CASE("drafts and slices of time change nothing of an answer by a grammar", "[capi]") {
  const ModelHandle model = open_model(kBundled);
  for (const float temperature : {0.0f, 0.8f}) {
    GrammarHandle person = grammar(kPerson);
    puna_sampler_options sampler;
    auto options = constrained(person, temperature, 5, sampler);
    const Answer plain = generate(model, options);
    options.lookup_tokens = 8;
    const Answer looked_up = generate(model, options);
    CHECK(looked_up.ids == plain.ids);
    CHECK(looked_up.text == plain.text);

    const SessionHandle session = make_session(model);
    const GenerationHandle generation = begin(session, options);
    person.reset();  // while it runs
    const Answer sliced = pull(generation, 20);
    CHECK(sliced.pauses > 5);
    CHECK(sliced.ids == plain.ids);
    CHECK(sliced.text == plain.text);
    CHECK(sliced.result.stop_reason == plain.result.stop_reason);
    CHECK(sliced.result.incomplete == 0);
  }
}

}  // namespace test_grammar
