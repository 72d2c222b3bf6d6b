// Answers that call tools are held to the tools by a grammar: what it lets through, a parser of the same format reads
// as calls with valid arguments.
#include <random>

#include "puna/runtime/generate.h"
#include "runtime/tool_answers.h"
#include "support/catch.h"
#include "support/status.h"

using namespace puna;
using namespace puna::test;

namespace test_tool_grammar {
namespace {

const char* const kTools = R"([
  {"name": "get_weather", "parameters": {"type": "object", "properties": {
      "city": {"type": "string", "maxLength": 8}, "days": {"type": "integer", "maximum": 9},
      "unit": {"enum": ["C", "F"]}, "hourly": {"type": "boolean"}}, "required": ["city"]}},
  {"name": "map.route", "parameters": {"type": "dict", "properties": {
      "via": {"type": "tuple", "items": {"type": "string", "maxLength": 4}, "maxItems": 3},
      "options": {"type": "dict", "properties": {"toll": {"type": "boolean"}}, "required": ["toll"],
                  "additionalProperties": false}}, "required": ["via", "options"]}},
  {"name": "now"}])";

GrammarPtr grammar_of(const Tools& tools, std::string_view format, const ToolChoice& choice,
                      std::vector<std::string>* notes = nullptr) {
  ToolGrammarOptions options;
  options.choice = choice;
  options.json.notes = notes;
  return tool_grammar(tools, tool_format(format), options);
}

const ToolChoice kAuto, kRequired{ToolChoice::Kind::required, "", true}, kOne{ToolChoice::Kind::required, "", false};

std::string written(std::string_view format, const std::vector<WrittenCall>& calls) {
  return plain(write_tool_calls(tool_format(format), calls));
}

const std::vector<WrittenCall> kGood = {
    {"get_weather", R"({"city": "Puno"})"},
    {"get_weather", R"({"city": "a\"\n\u0007é", "days": 3, "unit": "F", "hourly": false})"},
    {"map.route", R"({"via": ["a", "b"], "options": {"toll": true}})"},
    {"map.route", R"({"via": [], "options": {"toll": false}})"},
    {"now", "{}"}};
const std::vector<WrittenCall> kBad = {{"get_weather", "{}"},
                                       {"get_weather", R"({"city": 1})"},
                                       {"get_weather", R"({"city": "Puno", "days": 10})"},
                                       {"get_weather", R"({"city": "Puno", "days": 1.5})"},
                                       {"get_weather", R"({"city": "Puno", "unit": "K"})"},
                                       {"get_weather", R"({"city": "Puno", "when": "now"})"},
                                       {"get_weather", R"({"city": null})"},
                                       {"map.route", R"({"via": ["a", 2], "options": {"toll": true}})"},
                                       {"map.route", R"({"via": ["a"], "options": {}})"},
                                       {"map.route", R"({"via": ["a"], "options": {"toll": true, "speed": 1}})"},
                                       {"map.route", R"({"via": "a", "options": {"toll": true}})"},
                                       {"now", R"({"zone": "UTC"})"}};

}  // namespace

TEST_CASE("a required call is one of the tools with its arguments, in every format", "[runtime][tools]") {
  const Tools tools = Tools::parse(kTools);
  for (const std::string_view format : tool_format_names()) {
    CAPTURE(format);
    const GrammarPtr many = grammar_of(tools, format, kRequired), one = grammar_of(tools, format, kOne);
    const GrammarPtr now = grammar_of(tools, format, {ToolChoice::Kind::named, "now", true});
    for (const WrittenCall& call : kGood) {
      CAPTURE(call.name, call.arguments);
      REQUIRE(conforms(tools, call.name, call.arguments));
      CHECK(accepts(many, written(format, {call})));
      CHECK(accepts(one, written(format, {call})));
      CHECK(accepts(many, written(format, {call, kGood[0], call})));
      CHECK_FALSE(accepts(one, written(format, {call, kGood[0]})));
      CHECK(accepts(now, written(format, {call})) == (call.name == "now"));
      CHECK_FALSE(accepts(many, "So: " + written(format, {call})));
      CHECK_FALSE(accepts(many, written(format, {{call.name + "s", call.arguments}})));
    }
    for (const WrittenCall& call : kBad) {
      CAPTURE(call.name, call.arguments);
      REQUIRE_FALSE(conforms(tools, call.name, call.arguments));
      CHECK_FALSE(accepts(many, written(format, {call})));
      CHECK_FALSE(accepts(many, written(format, {kGood[0], call})));
    }
    CHECK_FALSE(accepts(many, ""));
    CHECK_FALSE(accepts(many, "No."));
  }
}

TEST_CASE("beside a schema an answer is calls alone, or a text of the schema, in every format", "[runtime][tools]") {
  const Tools tools = Tools::parse(kTools);
  const std::string person = R"({"type": "object", "properties": {"name": {"type": "string", "maxLength": 12},
      "age": {"type": "integer"}}, "required": ["name"], "additionalProperties": false})";
  const GrammarPtr text = grammar_from_json_schema(person);
  for (const std::string_view format : tool_format_names()) {
    CAPTURE(format);
    ToolGrammarOptions options;
    options.text_schema = person;
    const GrammarPtr either = tool_grammar(tools, tool_format(format), options);
    options.choice = {ToolChoice::Kind::automatic, "", false};
    const GrammarPtr one = tool_grammar(tools, tool_format(format), options);
    for (const char* said : {R"({"name": "Anne"})", R"({"name": "now", "age": 7})", R"({ "name": "get_weather" })"}) {
      CAPTURE(said);
      REQUIRE(accepts(text, said));
      CHECK(accepts(either, said));
      CHECK(accepts(one, said));
    }
    for (const char* said : {"", "Anne", R"({"age": 7})", R"({"name": "now", "parameters": {}, "age": 1})",
                             R"({"name": "Anne"} So.)", R"(So: {"name": "Anne"})"}) {
      CAPTURE(said);
      REQUIRE_FALSE(accepts(text, said));
      CHECK_FALSE(accepts(either, said));
    }
    for (const WrittenCall& call : kGood) {
      CAPTURE(call.name, call.arguments);
      const std::string calls = written(format, {call, kGood[0]});
      CHECK(accepts(either, written(format, {call})));
      CHECK(accepts(either, calls));
      CHECK_FALSE(accepts(one, calls));
      CHECK_FALSE(accepts(either, R"({"name": "Anne"})" + calls));
      CHECK_FALSE(accepts(either, "So: " + calls));
    }
    for (const WrittenCall& call : kBad) CHECK_FALSE(accepts(either, written(format, {call})));
    options.choice = kRequired;
    CHECK(status_of([&] { tool_grammar(tools, tool_format(format), options); }) == Status::invalid_argument);
  }
  ToolGrammarOptions options;
  options.text_schema = person;
  const GrammarPtr no_tools = tool_grammar(Tools(), tool_format("hermes"), options);
  CHECK(accepts(no_tools, R"({"name": "Anne"})"));
  CHECK_FALSE(accepts(no_tools, "Anne"));
  options.text_schema = R"({"type": "nothing"})";
  CHECK(status_of([&] { tool_grammar(tools, tool_format("hermes"), options); }) == Status::invalid_argument);
}

TEST_CASE("in free text no call is read that a grammar did not check", "[runtime][tools]") {
  const Tools tools = Tools::parse(kTools);
  for (const std::string_view format : tool_format_names()) {
    CAPTURE(format);
    const GrammarPtr grammar = grammar_of(tools, format, kAuto);
    const GrammarPtr one = grammar_of(tools, format, {ToolChoice::Kind::automatic, "", false});
    for (const char* text : {"", "No tool is needed: {\"name\": \"Bob\"} and [1, 2] and f(x) < 3, get_weather.",
                             "{\"a\": [\"now\"]} now()?", "[get_whether(city=1)]", "\xff"})
      CHECK(accepts(grammar, text));
    for (const WrittenCall& call : kGood) {
      CAPTURE(call.name, call.arguments);
      const std::string calls = written(format, {call, kGood[0]});
      CHECK(accepts(grammar, calls));
      CHECK(accepts(grammar, "Let me see [1]. " + calls + " Done."));
      CHECK(accepts(grammar, calls + "\nAnd\n" + calls));
      CHECK(accepts(one, "Well, " + written(format, {call})));
      CHECK_FALSE(accepts(one, calls));
    }
    for (const WrittenCall& call : kBad) {
      CAPTURE(call.name, call.arguments);
      CHECK_FALSE(accepts(grammar, written(format, {call})));
      CHECK_FALSE(accepts(grammar, "Hm. " + written(format, {kGood[0], call})));
    }
  }
}

// Qwen 2.5 Coder writes a fence around its calls, where <tool_call> was asked for.
TEST_CASE("a bare call as JSON is held to its tool where the parser reads one", "[runtime][tools]") {
  const Tools tools = Tools::parse(kTools);
  for (const char* format : {"hermes", "granite", "phi", "function_tag"}) {
    CAPTURE(format);
    const GrammarPtr grammar = grammar_of(tools, format, kAuto);
    const std::string good =
        "```json\n{\n  \"name\": \"get_weather\",\n  \"arguments\": {\n    \"city\": \"Puno\"\n  }\n}\n```";
    CHECK(accepts(grammar, good));
    ToolCallParser parser(tools, tool_format(format));
    CHECK(read_answer(parser, {std::string_view(good)}).calls.size() == 1);
    CHECK_FALSE(accepts(grammar, R"({"name": "get_weather", "arguments": {"city": 1}})"));
    CHECK_FALSE(accepts(grammar_of(tools, format, kRequired), good));
  }
}

// The grammar of one format against the calls of all, mutated: whatever it lets through, the parser finds no call in
// that is not one of the tools' with valid arguments.
TEST_CASE("what an automatic grammar lets through is read without a wrong call", "[runtime][tools]") {
  const Tools tools = Tools::parse(kTools);
  std::vector<std::string> texts = {
      R"({"type": "function", "function": {"name": "now", "parameters": {"a": 1}}})",
      R"([{"name":"get_weather","arguments":{"city":1}}])",
      R"(<|python_tag|>get_weather.call(city=3))",
      R"([ # x
 now(a=1)])",
      R"(get_weather(city=2))",
      R"({"function": "now", "arguments": "{\"x\": 1}"})",
  };
  for (const std::string_view format : tool_format_names())
    for (const auto* list : {&kGood, &kBad})
      for (const WrittenCall& call : *list) texts.push_back(written(format, {call, kGood[4]}));
  std::mt19937 random(22);
  size_t passed = 0, read = 0;
  for (const std::string_view format : tool_format_names()) {
    CAPTURE(format);
    Matcher matcher = byte_matcher(grammar_of(tools, format, kAuto));
    for (int i = 0; i < 1500; ++i) {
      std::string text = texts[random() % texts.size()];
      if (i % 3 == 0) text += texts[random() % texts.size()];
      for (int edits = int(random() % 3); edits > 0 && !text.empty(); --edits) {
        const size_t at = random() % text.size();
        if (random() % 2)
          text.erase(at, 1 + random() % 3);
        else
          text.insert(at, 1, " \n\"[](){},:=#a1;"[random() % 15]);
      }
      if (!accepts(matcher, text)) continue;
      ++passed;
      CAPTURE(text);
      ToolCallParser parser(tools, tool_format(format));
      for (const ReadCall& call : read_answer(parser, {std::string_view(text)}, has_headers(format)).calls) {
        CAPTURE(call.name, call.arguments);
        CHECK(conforms(tools, call.name, call.arguments));
        ++read;
      }
    }
  }
  CAPTURE(passed, read);
  CHECK(passed > 2000);
  CHECK(read > 200);
}

TEST_CASE("tools without a call have no grammar, and wrong ones say which and where", "[runtime][tools]") {
  const Tools tools = Tools::parse(kTools);
  CHECK(grammar_of(tools, "hermes", {ToolChoice::Kind::none, "", true}) == nullptr);
  CHECK(grammar_of(Tools(), "hermes", kAuto) == nullptr);
  const auto error = [](const std::string& parameters, std::string_view format = "hermes") {
    const Tools wrong = Tools::parse(R"([{"name": "now"}, {"name": "f", "parameters": )" + parameters + "}]");
    try {
      (void)grammar_of(wrong, format, kRequired);
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  using Catch::Matchers::Contains;
  CHECK_THAT(error(R"({"properties": {"a": {"pattern": "("}}})"),
             Contains("tools: tool 'f'") && Contains("/properties/a/pattern"));
  CHECK_THAT(error(R"({"properties": {"a": {"uniqueItems": true}}})"),
             Contains("tool 'f'") && Contains("/properties/a/uniqueItems"));
  CHECK_THAT(error(R"({"type": "string"})"), Contains("tool 'f'") && Contains("/type"));
  CHECK_THAT(error(R"({"type": "object", "properties": {"a": {"type": "strange"}}})"),
             Contains("/properties/a/type") && Contains("strange"));
  // Nothing satisfies it: the other tool alone would be less than was asked for
  CHECK_THAT(error(R"({"properties": {"a": {"minimum": 3, "maximum": 2, "type": "number"}}, "required": ["a"]})"),
             Contains("tool 'f'"));
  CHECK_THAT(error(R"({"properties": {"a b": {}}, "required": ["a b"]})", "pythonic"), Contains("a b"));
  CHECK(error(R"({"properties": {"a b": {}}, "required": ["a b"]})", "llama3_json").empty());
  CHECK(error(R"({"properties": {"a b": {}}})", "pythonic").empty());

  std::vector<std::string> notes;
  (void)grammar_of(tools, "pythonic", kRequired, &notes);
  REQUIRE(notes.size() == 3);
  CHECK_THAT(notes[0], Contains("map.route") && Contains("dict") && Contains("object"));
}

TEST_CASE("special tokens of a format are tokens in its grammar", "[runtime][tools]") {
  const Tools tools = Tools::parse(R"([{"name": "now"}])");
  const TokenizerPtr tokens = small_vocabulary({"<end>", "<|python_start|>", "<|python_end|>", "a", "{", "<"});
  const GrammarVocabularyPtr vocabulary = grammar_vocabulary(tokens);
  ToolGrammarOptions options;
  options.tokenizer = tokens.get();
  options.choice = kRequired;
  Matcher matcher(tool_grammar(tools, tool_format("llama4_json"), options), vocabulary);
  CHECK(matcher.mask().count() == 1);
  matcher.accept(1);
  matcher.accept_bytes(R"({"name": "now", "parameters": {}})");
  CHECK_FALSE(matcher.accepting());
  matcher.accept(2);
  CHECK(matcher.accepting());

  options.choice = kAuto;
  Matcher free(tool_grammar(tools, tool_format("llama4_json"), options), vocabulary);
  free.accept_bytes("a <");
  CHECK(free.accepting());
  CHECK(free.allows(1));
  CHECK_FALSE(free.allows(2));
  free.accept(1);
  CHECK_FALSE(free.allows(3));
  CHECK(free.allows(4));
}

// The model is small and knows nothing of tools: what it is made to say is valid all the same.
TEST_CASE("generated calls have valid arguments at temperature 1, in every format", "[runtime][tools]") {
  const ModelPtr model = Model::open(make_context({}), PUNA_SOURCE_DIR "/examples/bundled/puna-austen.gguf");
  const Tools tools = Tools::parse(kTools);
  const Tokenizer& tokenizer = model->require_tokenizer();
  size_t whole = 0;
  for (const std::string_view format : tool_format_names())
    for (uint64_t seed = 1; seed <= 6; ++seed) {
      CAPTURE(format, seed);
      GenerateOptions options;
      options.grammar = grammar_of(tools, format, seed % 2 ? kOne : kRequired);
      options.sampler.temperature = 1;
      options.sampler.seed = seed;
      options.max_tokens = 400;
      Session session(model, {});
      const GenerateResult result = generate(session, tokenizer.encode("The weather was", false), options);
      ToolCallParser parser(tools, tool_format(format));
      const ReadAnswer got = read_answer(parser, {std::string_view(result.text)}, has_headers(format));
      if (!result.whole) continue;  // cut by max_tokens
      ++whole;
      REQUIRE(got.calls.size() >= 1);
      if (seed % 2) CHECK(got.calls.size() == 1);
      CHECK(got.text.find_first_not_of("│") == std::string::npos);
      for (const ReadCall& call : got.calls) {
        CAPTURE(call.name, call.arguments);
        CHECK(conforms(tools, call.name, call.arguments));
      }
      if (seed % 2) CHECK(result.reason != StopReason::max_tokens);
    }
  CHECK(whole > 36);  // of 72: where several may come, they do until max_tokens
}

}  // namespace test_tool_grammar
