// Tools through the C ABI: lists, formats, written calls, and the events of an answer.
#include <nlohmann/json.hpp>

#include "capi/fixture.h"

using namespace puna::test;
using nlohmann::ordered_json;

namespace {

constexpr std::string_view kTools =
    R"([{"type": "function", "function": {"name": "get_weather", "description": "The weather.",
  "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}, {"name": "f"}])";

using ToolsHandle = std::unique_ptr<puna_tools, Free<puna_tools_free>>;
using ParserHandle = std::unique_ptr<puna_tool_parser, Free<puna_tool_parser_free>>;

ToolsHandle make_tools(const puna_model* model, const char* format, std::string_view json = kTools) {
  auto options = sized<puna_tools_options>();
  options.format = format;
  puna_tools* tools = nullptr;
  ok(puna_tools_create(model, json.data(), json.size(), &options, &tools));
  return ToolsHandle(tools);
}

ParserHandle make_parser(const ToolsHandle& tools, int32_t early = 0, int32_t thoughts = 0) {
  auto options = sized<puna_tool_parser_options>();
  options.early = early;
  options.thoughts = thoughts;
  puna_tool_parser* parser = nullptr;
  ok(puna_tool_parser_create(tools.get(), &options, &parser));
  return ParserHandle(parser);
}

// "said|name{arguments}" and a "!" behind a call that is not complete.
std::string take(const ParserHandle& parser) {
  std::string out;
  for (auto e = sized<puna_tool_event>();;) {
    ok(puna_tool_parser_next(parser.get(), &e));
    if (e.kind == PUNA_TOOL_NONE) return out;
    if (e.kind == PUNA_TOOL_CALL_BEGIN) out += "|";
    if (e.kind == PUNA_TOOL_THOUGHT) out += "?";
    CHECK(e.text[e.size] == '\0');
    out.append(e.text, e.size);
    if (e.kind == PUNA_TOOL_CALL_END) out += e.complete ? "|" : "!";
  }
}

void push(const ParserHandle& parser, std::string_view text, int32_t token = -1) {
  ok(puna_tool_parser_push(parser.get(), token, text.data(), text.size()));
}

}  // namespace

TEST_CASE("tools need no model where a format is named", "[capi][tools]") {
  const ToolsHandle tools = make_tools(nullptr, "pythonic");
  auto info = sized<puna_tools_info>();
  ok(puna_tools_get_info(tools.get(), &info));
  CHECK(info.count == 2);
  CHECK(info.format == std::string("pythonic"));
  const ordered_json list = ordered_json::parse(std::string(info.json, info.json_size));
  CHECK(list[0]["function"]["description"] == "The weather.");
  CHECK(list[1].dump() == R"({"type":"function","function":{"name":"f"}})");

  ParserHandle parser = make_parser(tools);
  push(parser, "Sure. [get_weather(city=");
  CHECK(take(parser) == "Sure. ");
  push(parser, "'Puno'), f()] [g()]");
  CHECK(take(parser) == R"(|get_weather{"city": "Puno"}||f{}| [g()])");
  ok(puna_tool_parser_finish(parser.get()));
  CHECK(take(parser).empty());

  parser = make_parser(tools, 1);
  push(parser, "[f(a=1, b=");
  CHECK(take(parser) == R"(|f{"a": 1, "b": )");
  ok(puna_tool_parser_finish(parser.get()));
  CHECK(take(parser) == "!");
}

TEST_CASE("thoughts come apart where they are asked for", "[capi][tools]") {
  const ToolsHandle tools = make_tools(nullptr, "hermes");
  const std::string answer = "<think>\nHm.\n</think>\n\nYes.";
  const auto told = [&](int32_t thoughts, std::string_view text) {
    const ParserHandle parser = make_parser(tools, 0, thoughts);
    push(parser, text);
    ok(puna_tool_parser_finish(parser.get()));
    return take(parser);
  };
  CHECK(told(0, answer) == answer);
  CHECK(told(1, answer) == "?Hm.Yes.");
  CHECK(told(2, "Hm.\n</think>\n\nYes.") == "?Hm.Yes.");
  auto options = sized<puna_tool_parser_options>();
  options.thoughts = 3;
  puna_tool_parser* parser = nullptr;
  refused(puna_tool_parser_create(tools.get(), &options, &parser), PUNA_INVALID_ARGUMENT, "thoughts is 3");
}

TEST_CASE("written calls are read back through the C ABI", "[capi][tools]") {
  const std::string calls =
      R"([{"name": "f", "arguments": {"a": "it's"}}, {"name": "get_weather", "arguments": "{}"}])";
  for (const char* format : {"llama3_json", "llama4_json", "pythonic", "function_tag", "hermes", "mistral", "granite",
                             "harmony", "gemma", "tool_code", "phi"}) {
    const ToolsHandle tools = make_tools(nullptr, format);
    const Output text;
    ok(puna_tools_write(tools.get(), calls.data(), calls.size(), text));
    const ParserHandle parser = make_parser(tools);
    push(parser, text.text());
    ok(puna_tool_parser_finish(parser.get()));
    const std::string got = take(parser);
    CHECK(got.starts_with("|f{\"a\":"));
    CHECK(got.ends_with("||get_weather{}|"));
  }
}

TEST_CASE("an answer's special tokens reach the parser by their ids", "[capi][tools]") {
  const ModelHandle model = open_model(chat_model());
  const ToolsHandle tools = make_tools(model.get(), nullptr);
  auto token = sized<puna_token_info>();
  int32_t id = 0;
  while (puna_tokenizer_get_token_info(tokenizer_of(model.get()), id, &token) == PUNA_OK &&
         token.kind != PUNA_TOKEN_CONTROL)
    ++id;
  const ParserHandle parser = make_parser(tools);
  push(parser, R"({"name": "f", "param)");
  push(parser, "", id);  // the end of a message: what was held is text
  CHECK(take(parser) == R"({"name": "f", "param)");
  push(parser, R"({"name": "f", "parameters": {}})");
  push(parser, {token.bytes, token.size}, id);  // with keep_special it is in the text
  ok(puna_tool_parser_finish(parser.get()));
  CHECK(take(parser) == "|f{}|" + std::string(token.bytes, token.size));
  refused(puna_tool_parser_push(parser.get(), 1 << 30, "", 0), PUNA_INVALID_ARGUMENT, "");
  refused(puna_tool_parser_push(parser.get(), -2, "", 0), PUNA_INVALID_ARGUMENT, "token is -2");
}

TEST_CASE("wrong tools are refused with their place", "[capi][tools]") {
  const auto refuse = [](std::string_view json, const char* format, const char* words) {
    auto options = sized<puna_tools_options>();
    options.format = format;
    puna_tools* tools = nullptr;
    refused(puna_tools_create(nullptr, json.data(), json.size(), &options, &tools), PUNA_INVALID_ARGUMENT, words);
    CHECK(tools == nullptr);
  };
  refuse(R"([{"name": "f"}, {"name": "no name"}])", "hermes", "/1/name");
  refuse("[]", "hermis", "hermes");
  refuse("[]", nullptr, "format");
  const ToolsHandle tools = make_tools(nullptr, "pythonic");
  const Output text;
  for (const std::string_view calls :
       {"{", "{}", "[5]", R"([{"name": "f"}])", R"([{"name": "f", "arguments": "[1]"}])"})
    refused(puna_tools_write(tools.get(), calls.data(), calls.size(), text), PUNA_INVALID_ARGUMENT, "");
}

namespace {

using GrammarHandle = std::unique_ptr<puna_grammar, Free<puna_grammar_free>>;

GrammarHandle grammar_of(const ToolsHandle& tools, const char* choice, int32_t one_call = 0) {
  auto options = sized<puna_tools_grammar_options>();
  options.tool_choice = choice;
  options.one_call = one_call;
  puna_grammar* grammar = nullptr;
  ok(puna_tools_create_grammar(tools.get(), &options, &grammar));
  return GrammarHandle(grammar);
}

}  // namespace

TEST_CASE("a grammar of tools lets well formed calls through and nothing else", "[capi][tools]") {
  const ModelHandle model = open_model(chat_model());
  constexpr std::string_view json =
      R"([{"name": "f", "parameters": {"type": "dict", "properties": {"n": {"type": "integer"}}, "required": ["n"]}},
          {"name": "g"}])";
  const ToolsHandle tools = make_tools(model.get(), "hermes", json);
  const auto takes = [&](const GrammarHandle& grammar, std::string_view text) {
    puna_matcher* raw = nullptr;
    ok(puna_matcher_create(grammar.get(), model.get(), nullptr, &raw));
    const std::unique_ptr<puna_matcher, Free<puna_matcher_free>> matcher(raw);
    auto info = sized<puna_matcher_info>();
    return puna_matcher_accept_text(raw, text.data(), text.size()) == PUNA_OK &&
           puna_matcher_get_info(raw, &info) == PUNA_OK && info.whole == 1;
  };
  const std::string f = "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"n\": 3}}\n</tool_call>";
  const std::string g = "<tool_call>\n{\"name\": \"g\", \"arguments\": {}}\n</tool_call>";
  const std::string wrong = "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"n\": \"3\"}}\n</tool_call>";
  for (const char* choice : {(const char*)nullptr, "", "auto"}) {
    const GrammarHandle automatic = grammar_of(tools, choice);
    CHECK(takes(automatic, "Well. " + f + "\n" + g + " Done."));
    CHECK_FALSE(takes(automatic, "Well. " + wrong));
  }
  CHECK(takes(grammar_of(tools, "required"), f + "\n" + g));
  CHECK_FALSE(takes(grammar_of(tools, "required"), "Well. " + f));
  CHECK_FALSE(takes(grammar_of(tools, "required"), wrong));
  CHECK_FALSE(takes(grammar_of(tools, "required", 1), f + "\n" + g));
  CHECK_FALSE(takes(grammar_of(tools, "g"), f));
  CHECK(takes(grammar_of(tools, R"({"type": "function", "function": {"name": "g"}})"), g));
  CHECK(grammar_of(tools, "none") == nullptr);

  auto info = sized<puna_grammar_info>();
  ok(puna_grammar_get_info(grammar_of(tools, "required").get(), &info));
  CHECK(info.note_count == 1);

  puna_grammar* grammar = nullptr;
  auto options = sized<puna_tools_grammar_options>();
  options.tool_choice = "h";
  refused(puna_tools_create_grammar(tools.get(), &options, &grammar), PUNA_INVALID_ARGUMENT, "no tool 'h'");
  options.tool_choice = "{";
  refused(puna_tools_create_grammar(tools.get(), &options, &grammar), PUNA_INVALID_ARGUMENT, "tool choice");
  options.tool_choice = nullptr;
  options.one_call = 2;
  refused(puna_tools_create_grammar(tools.get(), &options, &grammar), PUNA_INVALID_ARGUMENT, "one_call");
  options.one_call = 0;
  auto regex = sized<puna_grammar_options>();
  regex.kind = PUNA_GRAMMAR_REGEX;
  options.json = &regex;
  refused(puna_tools_create_grammar(tools.get(), &options, &grammar), PUNA_INVALID_ARGUMENT, "kind is 1");
  auto watched = sized<puna_grammar_options>();
  watched.watch = [](void*) { return 1; };
  options.json = &watched;
  std::string many = "[";
  for (int i = 0; i < 400; ++i)
    many += (i ? "," : "") + ("{\"name\": \"f" + std::to_string(i)) +
            R"(", "parameters": {"properties": {"a": {"type": "string", "pattern": "^[a-z]{3,9}$"}}}})";
  const ToolsHandle large = make_tools(model.get(), "hermes", many + "]");
  refused(puna_tools_create_grammar(large.get(), &options, &grammar), PUNA_CANCELLED, "");
  const ToolsHandle unsupported =
      make_tools(nullptr, "hermes", R"([{"name": "f", "parameters": {"properties": {"a": {"uniqueItems": true}}}}])");
  refused(puna_tools_create_grammar(unsupported.get(), nullptr, &grammar), PUNA_UNSUPPORTED,
          "tool 'f': parameters: JSON Schema, at /properties/a/uniqueItems");
  CHECK(grammar == nullptr);
}
