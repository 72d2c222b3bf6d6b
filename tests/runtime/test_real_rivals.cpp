// Real models of the rivals: Gemma 3 270M (the base model, which completes text and does not chat) and Qwen2.5-Coder
// 1.5B Instruct, which answers through its chat template, calls tools and keeps to schemas.
#include <nlohmann/json.hpp>

#include "chat/read_calls.h"
#include "puna/grammar/grammar.h"
#include "puna/runtime/generate.h"
#include "puna/runtime/tool_grammar.h"
#include "support/catch.h"
#include "support/golden.h"

using namespace puna;
using namespace puna::test;
using nlohmann::ordered_json;

namespace test_real_rivals {
namespace {

const char* const kWeather = R"([{"type": "function", "function": {"name": "get_weather",
  "description": "The weather in a city", "parameters": {"type": "object", "properties": {"city": {"type": "string"}},
  "required": ["city"]}}}])";
const char* const kPlaces = R"({"type": "object", "properties": {"city": {"type": "string", "maxLength": 20},
  "country": {"type": "string", "maxLength": 20}}, "required": ["city", "country"], "additionalProperties": false})";

std::string greedy(const ModelPtr& model, std::vector<int32_t> tokens, int64_t most, const GrammarPtr& grammar = {}) {
  Session session(model, {});
  GenerateOptions options;
  options.max_tokens = most;
  options.grammar = grammar;
  return generate(session, tokens, options).text;
}

std::string completed(const ModelPtr& model, const std::string& text, int64_t most, const GrammarPtr& grammar = {}) {
  const Tokenizer& t = model->require_tokenizer();
  std::vector<int32_t> tokens = t.encode(text, false);
  if (t.specials().first() >= 0) tokens.insert(tokens.begin(), t.specials().first());
  return greedy(model, tokens, most, grammar);
}

GrammarPtr calls_of(const Tools& tools, const ToolFormat& format, ToolChoice::Kind kind, const ModelPtr& model) {
  ToolGrammarOptions options;
  options.choice.kind = kind;
  options.choice.parallel = false;
  options.tokenizer = &model->require_tokenizer();
  return tool_grammar(tools, format, options);
}

// An answer through the model's own chat template.
std::string answered(const ModelPtr& model, const ordered_json& messages, const char* tools, int64_t most,
                     const GrammarPtr& grammar = {}) {
  ordered_json variables = {{"messages", messages}, {"add_generation_prompt", true}};
  if (tools) variables["tools"] = ordered_json::parse(tools);
  const RenderedChat chat = model->render_chat(variables.dump(), "2026-12-01");
  return greedy(model, model->require_tokenizer().encode_chat(chat), most, grammar);
}

}  // namespace

TEST_CASE("Gemma 3 270M completes what it is shown", "[runtime][models][slow]") {
  const std::string path = model_file("gemma-3-270m-q4_k_m.gguf");
  if (path.empty()) PUNA_SKIP("no Gemma 3 in the model cache (./dev fetch gemma3)");
  const ModelPtr model = Model::open(make_context({}), path);
  CHECK(model->config().architecture == "gemma3");
  CHECK(completed(model, "One, two, three, four, five,", 8).starts_with(" six, seven, eight"));
  CHECK(completed(model, "Q: What is the capital of France?\nA: Paris\nQ: What is the capital of Italy?\nA:", 4)
            .starts_with(" Rome"));
  CHECK(completed(model, "def add(a, b):\n    return", 4).starts_with(" a + b"));
  // JSON by a schema, and a call by a tool's parameters
  const std::string json =
      completed(model,
                "Rome is in Italy: {\"city\": \"Rome\", \"country\": \"Italy\"}\nBerlin is in Germany: {\"city\": "
                "\"Berlin\", \"country\": \"Germany\"}\nParis is in France: ",
                40, grammar_from_json_schema(kPlaces, {}));
  REQUIRE(ordered_json::accept(json));
  CHECK(ordered_json::parse(json) == ordered_json{{"city", "Paris"}, {"country", "France"}});
  const Tools tools = Tools::parse(kWeather);
  const ToolFormat& format = tool_format("tool_code");
  const std::string call = completed(
      model,
      "Question: How is the weather in Rome?\n```tool_code\n[get_weather(city=\"Rome\")]\n```\nQuestion: How is the "
      "weather in Paris?\n",
      40, calls_of(tools, format, ToolChoice::Kind::required, model));
  ToolCallParser parser(tools, format);
  const ReadAnswer got = read_answer(parser, {std::string_view(call)});
  REQUIRE(got.calls.size() == 1);
  CHECK(ordered_json::parse(got.calls[0].arguments) == ordered_json{{"city", "Paris"}});
}

TEST_CASE("Qwen2.5-Coder 1.5B answers, calls tools and keeps to schemas", "[runtime][models][slow]") {
  const std::string path = model_file("qwen2.5-coder-1.5b-instruct-q4_k_m.gguf");
  if (path.empty()) PUNA_SKIP("no Qwen2.5-Coder in the model cache (./dev fetch qwen)");
  const ModelPtr model = Model::open(make_context({}), path);
  CHECK(model->config().architecture == "qwen2");
  CHECK(tool_format_name(model->tool_format()) == "hermes");
  const auto user = [](const char* text) { return ordered_json::array({{{"role", "user"}, {"content", text}}}); };
  CHECK(answered(model, user("What is the capital of France? Answer in one word."), nullptr, 8).find("Paris") !=
        std::string::npos);
  CHECK(
      answered(model, user("Write a Python function that adds two numbers. Code only."), nullptr, 60).find("def add") !=
      std::string::npos);
  const std::string json = answered(model, user("Paris is the capital of France. Say so in JSON."), nullptr, 60,
                                    grammar_from_json_schema(kPlaces, {}));
  REQUIRE(ordered_json::accept(json));
  CHECK(ordered_json::parse(json) == ordered_json{{"city", "Paris"}, {"country", "France"}});

  const Tools tools = Tools::parse(kWeather);
  ordered_json messages = user("What is the weather in Puno?");
  for (const auto kind : {ToolChoice::Kind::required, ToolChoice::Kind::automatic}) {
    CAPTURE(int(kind));
    const std::string answer =
        answered(model, messages, kWeather, 60, calls_of(tools, model->tool_format(), kind, model));
    CAPTURE(answer);
    ToolCallParser parser(tools, model->tool_format());
    const ReadAnswer got = read_answer(parser, {std::string_view(answer)});
    REQUIRE(got.calls.size() == 1);
    CHECK(got.calls[0].name == "get_weather");
    CHECK(ordered_json::parse(got.calls[0].arguments) == ordered_json{{"city", "Puno"}});
  }
  messages.push_back(
      {{"role", "assistant"},
       {"content", ""},
       {"tool_calls",
        {{{"type", "function"}, {"function", {{"name", "get_weather"}, {"arguments", {{"city", "Puno"}}}}}}}}});
  messages.push_back({{"role", "tool"}, {"name", "get_weather"}, {"content", R"({"celsius": 21, "sky": "clear"})"}});
  CHECK(answered(model, messages, kWeather, 60).find("21") != std::string::npos);
}

}  // namespace test_real_rivals
