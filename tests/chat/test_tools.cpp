// Lists of tools, formats, written calls and constraints.
#include "chat/golden_chats.h"
#include "chat/read_calls.h"
#include "puna/base/error.h"
#include "puna/chat/tool_constraint.h"

using namespace puna;
using namespace puna::test;

namespace {

std::string marked(const std::vector<ChatSegment>& segments) {
  std::string out;
  for (const ChatSegment& s : segments) out += s.special ? "«" + s.text + "»" : s.text;
  return out;
}

std::string said_of(const std::string& json) {
  try {
    Tools::parse(json);
  } catch (const Error& e) {
    CHECK(e.status() == Status::invalid_argument);
    return e.what();
  }
  return "taken";
}

}  // namespace

TEST_CASE("tools are read in OpenAI's form and in the bare one", "[chat][tools]") {
  const Tools tools = Tools::parse(R"([
    {"type": "function", "function": {"name": "f", "description": "Does f.", "strict": true,
                                      "parameters": {"type": "object", "properties": {"b": {}, "a": {}}}}},
    {"name": "math.g", "parameters": null, "more": [1]}])");
  REQUIRE(tools.all().size() == 2);
  CHECK(tools.all()[0].description == "Does f.");
  CHECK(tools.all()[0].strict);
  CHECK(tools.all()[0].parameters == R"({"type":"object","properties":{"b":{},"a":{}}})");
  CHECK(tools.find("math.g")->parameters.empty());
  CHECK(tools.find("h") == nullptr);
  const ordered_json rendered = ordered_json::parse(tools.json());
  CHECK(rendered[0]["function"]["name"] == "f");
  CHECK(rendered[1].dump() == R"({"type":"function","function":{"name":"math.g","parameters":null,"more":[1]}})");
}

TEST_CASE("a wrong tool is named with its place", "[chat][tools]") {
  CHECK(said_of("{").find("tools") == 0);
  CHECK(said_of("{}") == "tools: expected a JSON list of tools");
  CHECK(said_of("[5]") == "tools: /0: expected an object");
  CHECK(said_of(R"([{"name": "a"}, {"type": "retrieval"}])").find("tools: /1/type: ") == 0);
  CHECK(said_of(R"([{"type": "function", "function": 5}])").find("tools: /0/function: ") == 0);
  CHECK(said_of(R"([{"type": "function", "function": {}}])").find("tools: /0/function/name: ") == 0);
  CHECK(said_of(R"([{"name": "get weather"}])").find("tools: /0/name: 'get weather' ") == 0);
  CHECK(said_of(R"([{"name": ")" + std::string(65, 'x') + "\"}]").find("tools: /0/name: ") == 0);
  CHECK(said_of(R"([{"name": "f", "parameters": []}])").find("tools: /0/parameters: tool 'f': ") == 0);
  CHECK(said_of(R"([{"name": "f", "strict": 1}])").find("tools: /0/strict: tool 'f': ") == 0);
  CHECK(said_of(R"([{"name": "f", "description": 1}])").find("tools: /0/description: tool 'f': ") == 0);
  CHECK(said_of(R"([{"name": "f"}, {"name": "f"}])").find("tools: /1/name: tool 'f': ") == 0);
  std::string many = "[";
  for (int i = 0; i < 1025; ++i) many += (i ? "," : "") + std::string(R"({"name": "f)") + std::to_string(i) + "\"}";
  CHECK(said_of(many + "]").find("1025 tools") != std::string::npos);
}

TEST_CASE("a misspelt field of a tool is named with the one that was meant, a foreign one goes to the template",
          "[chat][tools]") {
  CHECK(said_of(R"([{"type": "function", "function": {"name": "f", "paramters": {}}}])") ==
        "tools: /0/function: 'paramters' is no field of a tool, did you mean 'parameters'?");
  CHECK(said_of(R"([{"name": "f", "descripton": "x"}])").find("did you mean 'description'?") != std::string::npos);
  CHECK(said_of(R"([{"typ": "function", "function": {"name": "f"}}])").find("did you mean 'type'?") !=
        std::string::npos);
  CHECK(Tools::parse(R"([{"name": "f", "x-owner": "me"}])").json().find("x-owner") != std::string::npos);
}

TEST_CASE("the format is found by the template, else by the tokenizer", "[chat][tools]") {
  const auto none = [](std::string_view) { return false; };
  const std::map<std::string, std::string> want = {
      {"llama4_hf", "llama4_json"}, {"smollm2", "llama3_json"},  {"qwen2_5", "hermes"},
      {"qwen3", "hermes"},          {"mistral_nemo", "mistral"}, {"ministral3", "mistral_args"},
      {"granite3_3", "granite"},    {"gpt_oss", "harmony"},      {"gemma4", "gemma"}};
  const std::map<std::string, std::string> not_everywhere = {{"gemma2", "tool_code"}, {"gemma3", "tool_code"}};
  size_t seen = 0;
  for (const Family& f : families())
    if (const auto w = want.find(f.name); w != want.end()) {
      CAPTURE(f.name);
      CHECK(tool_format_name(find_tool_format(f.source, none)) == w->second);
      ++seen;
    } else if (const auto rare = not_everywhere.find(f.name); rare != not_everywhere.end()) {
      CHECK(tool_format_name(find_tool_format(f.source, none)) == rare->second);
    }
  CHECK(seen == want.size());
  CHECK(tool_format_name(find_tool_format("<|system|>{{ tools }}<|tool|>...<|/tool|><|end|>", none)) == "phi");
  CHECK(tool_format_name(find_tool_format("[func_name1(params)] <|start_header_id|>", none)) == "pythonic");
  CHECK(tool_format_name(find_tool_format("", none)) == "llama3_json");
  CHECK(tool_format_name(find_tool_format("", [](std::string_view t) { return t == "<|python_start|>"; })) ==
        "llama4_json");
  CHECK(tool_format_name(find_tool_format("", [](std::string_view t) { return t == "<tool_call>"; })) == "hermes");
  CHECK_THROWS_WITH(tool_format("hermis"),
                    Catch::Matchers::Contains("hermes") && Catch::Matchers::Contains("pythonic"));
}

TEST_CASE("calls are written in every format and read back", "[chat][tools]") {
  const std::vector<WrittenCall> calls = {
      {"f", R"({"s": "it's \"so\"\\\n\u0001é<|python_end|>", "n": [1, -2.5, 1e300, 12345678901234567890123]})"},
      {"math.g", "{}"},
      {"f", R"({"o": {"k v": {"": null}, "l": [[], {}, true, false]}, "t": "', ["})"}};
  for (const std::string_view name : tool_format_names()) {
    CAPTURE(name);
    const std::vector<ChatSegment> segments = write_tool_calls(tool_format(name), calls);
    std::string text;
    for (const ChatSegment& s : segments) {
      if (s.special) CHECK((s.text == "<|\"|>" || s.text.find_first_of("{\"") == std::string::npos));
      text += s.text;
    }
    for (const size_t piece : {size_t(1), size_t(5), size_t(10000)})
      for (const bool early : {false, true}) {
        ToolCallParser::Options options;
        options.early = early;
        ToolCallParser parser(tools_named({"f", "math.g"}), tool_format(name), options);
        const ReadAnswer got = read_answer(parser, cut(text, piece));
        CHECK(got.text == "│││");
        REQUIRE(got.calls.size() == 3);
        for (size_t i = 0; i < 3; ++i) {
          CHECK(got.calls[i].name == calls[i].name);
          CHECK(ordered_json::parse(got.calls[i].arguments) == ordered_json::parse(calls[i].arguments));
        }
      }
    CHECK(write_tool_calls(tool_format(name), {}).empty());
    CHECK_THROWS_AS(write_tool_calls(tool_format(name), {{"f", "[1]"}}), Error);
    CHECK_THROWS_AS(write_tool_calls(tool_format(name), {{"f", "{"}}), Error);
  }
  CHECK_THROWS_WITH(write_tool_calls(tool_format("pythonic"), {{"f", R"({"a b": 1})"}}),
                    Catch::Matchers::Contains("a b"));
  CHECK(marked(write_tool_calls(tool_format("llama4_json"), {{"f", R"({"a": "<|python_end|>"})"}})) ==
        R"(«<|python_start|>»{"name": "f", "parameters": {"a": "<|python_end|>"}}«<|python_end|>»)");
  CHECK(marked(write_tool_calls(tool_format("pythonic"), {{"f", R"({"a": 1})"}, {"g", "{}"}})) == "[f(a=1), g()]");
  CHECK(marked(write_tool_calls(tool_format("gemma"), {{"f", R"({"a": "x\"y", "b": [1, {"c": null}]})"}})) ==
        "«<|tool_call>»call:f{a:«<|\"|>»x\"y«<|\"|>»,b:[1,{c:null}]}«<tool_call|>»");
  CHECK_THROWS_WITH(write_tool_calls(tool_format("gemma"), {{"f", R"({"a": "<|\"|>"})"}}),
                    Catch::Matchers::Contains("quote"));
}

TEST_CASE("a choice of tools becomes the pieces of a grammar", "[chat][tools]") {
  const Tools tools = Tools::parse(R"([{"name": "f", "parameters": {"type": "object"}}, {"name": "g"}])");
  using Kind = ToolChoice::Kind;
  const ToolConstraint automatic = tool_constraint(tools, tool_format("llama3_json"), {});
  CHECK(automatic.constrained);
  CHECK(automatic.free_text_first);
  CHECK(automatic.free_text.json_calls);
  CHECK(automatic.free_text.python_calls);
  CHECK(automatic.free_text.marks.size() == 4);
  REQUIRE(automatic.calls.size() == 2);
  CHECK(marked(automatic.calls[0].before) == R"({"name": "f", "parameters": )");
  CHECK(automatic.calls[0].schema == R"({"type":"object"})");
  CHECK(marked(automatic.calls[0].after) == "}");
  CHECK(marked(automatic.separator) == "; ");
  CHECK(automatic.many);

  const ToolConstraint python = tool_constraint(tools, tool_format("pythonic"), {});
  CHECK(python.arguments == ToolConstraint::Arguments::python);
  CHECK(python.free_text.python_calls);
  CHECK(tool_constraint(tools, tool_format("hermes"), {}).free_text.marks == std::vector<std::string>{"<tool_call>"});
  CHECK_FALSE(tool_constraint(tools, tool_format("hermes"), {}).free_text.python_calls);

  const ToolConstraint harmony = tool_constraint(tools, tool_format("harmony"), {});
  CHECK(marked(harmony.calls[0].before) == "«<|channel|>»commentary to=functions.f «<|constrain|>»json«<|message|>»");
  CHECK(harmony.free_text.marks == std::vector<std::string>{"to=functions."});
  CHECK(harmony.free_text.specials.size() == 6);
  const ToolConstraint gemma = tool_constraint(tools, tool_format("gemma"), {});
  CHECK(gemma.arguments == ToolConstraint::Arguments::gemma);
  CHECK(marked(gemma.calls[0].before) == "«<|tool_call>»call:f{");

  const ToolConstraint named = tool_constraint(tools, tool_format("mistral_args"), {Kind::named, "g", false});
  CHECK_FALSE(named.free_text_first);
  CHECK_FALSE(named.many);
  REQUIRE(named.calls.size() == 1);
  CHECK(marked(named.calls[0].before) == "«[TOOL_CALLS]»g«[ARGS]»");

  CHECK_FALSE(tool_constraint(tools, tool_format("hermes"), {Kind::none, "", true}).constrained);
  CHECK_FALSE(tool_constraint(Tools(), tool_format("hermes"), {}).constrained);
  CHECK_THROWS_AS(tool_constraint(Tools(), tool_format("hermes"), {Kind::required, "", true}), Error);
  CHECK_THROWS_WITH(tool_constraint(Tools::parse(R"([{"name": "get_weather"}])"), tool_format("hermes"),
                                    {Kind::named, "get_wether", true}),
                    Catch::Matchers::Contains("did you mean 'get_weather'"));
}

TEST_CASE("a choice of tools is read as OpenAI writes it", "[chat][tools]") {
  using Kind = ToolChoice::Kind;
  CHECK(ToolChoice::parse("").kind == Kind::automatic);
  CHECK(ToolChoice::parse("auto").kind == Kind::automatic);
  CHECK(ToolChoice::parse("none").kind == Kind::none);
  CHECK(ToolChoice::parse("required").kind == Kind::required);
  for (const char* text :
       {"f", R"({"type": "function", "function": {"name": "f"}})", R"({"type": "function", "name": "f"})"}) {
    CHECK(ToolChoice::parse(text).kind == Kind::named);
    CHECK(ToolChoice::parse(text).name == "f");
  }
  for (const char* text : {"{", "{}", R"({"type": "function"})", R"({"type": "custom", "name": "f"})",
                           R"({"type": "function", "function": "f"})", R"({"type": "function", "name": 1})"})
    CHECK_THROWS_AS(ToolChoice::parse(text), Error);
}

// What the parser takes for a call begins as the constraint says: the two read one table.
TEST_CASE("an answer put together of a constraint's pieces is read as calls", "[chat][tools]") {
  const Tools tools = Tools::parse(R"([{"name": "f"}, {"name": "g"}])");
  for (const std::string_view name : tool_format_names()) {
    CAPTURE(name);
    const ToolConstraint c = tool_constraint(tools, tool_format(name), {});
    const auto plain = [](const std::vector<ChatSegment>& segments) {
      std::string out;
      for (const ChatSegment& s : segments) out += s.text;
      return out;
    };
    std::string answer = plain(c.begin);
    for (size_t i = 0; i < c.calls.size(); ++i) {
      if (i > 0) answer += plain(c.separator);
      answer += plain(c.calls[i].before) +
                (c.arguments == ToolConstraint::Arguments::python  ? "a=1"
                 : c.arguments == ToolConstraint::Arguments::gemma ? "a:1"
                                                                   : "{\"a\": 1}") +
                plain(c.calls[i].after);
    }
    answer += plain(c.end);
    ToolCallParser parser(tools, tool_format(name));
    const ReadAnswer got = read_answer(parser, cut(answer, 4));
    CHECK(got.text == "││");
    REQUIRE(got.calls.size() == 2);
    CHECK(got.calls[1] == ReadCall{"g", "{\"a\": 1}", true});
  }
}
