// Calls read out of answers: every notation, near misses that stay text, places to cut the stream, hostile answers.
#include "chat/golden_chats.h"
#include "chat/read_calls.h"
#include "puna/base/error.h"

using namespace puna;
using namespace puna::test;

namespace {

const std::vector<std::string> kTools = {"f", "g", "get_weather", "math.factorial", "get-time", "code_interpreter"};

ReadAnswer read_as(const char* format, std::string_view answer, bool early = false, size_t piece = size_t(-1) / 2) {
  ToolCallParser::Options options;
  options.early = early;
  ToolCallParser parser(tools_named(kTools), tool_format(format), options);
  return read_answer(parser, cut(answer, piece));
}

struct Read {
  const char* answer;
  const char* text;
  std::vector<ReadCall> calls;
};

ReadCall call(const char* name, const char* arguments) { return {name, arguments, true}; }

void check(const char* format, const Read& want) {
  CAPTURE(format, want.answer);
  for (const bool early : {false, true})
    for (const size_t piece : {size_t(1), size_t(2), size_t(3), size_t(7), size_t(1000)}) {
      CAPTURE(early, piece);
      const ReadAnswer got = read_as(format, want.answer, early, piece);
      CHECK(got.text == want.text);
      REQUIRE(got.calls.size() == want.calls.size());
      for (size_t i = 0; i < got.calls.size(); ++i) {
        CHECK(got.calls[i].name == want.calls[i].name);
        CHECK(got.calls[i].arguments == want.calls[i].arguments);
        CHECK(got.calls[i].complete);
      }
    }
}

}  // namespace

TEST_CASE("calls are read in every notation of Llama, whichever was asked for", "[chat][tools]") {
  const std::vector<Read> cases = {
      // JSON
      {R"({"name": "f", "parameters": {"a": 1}})", "│", {call("f", R"({"a": 1})")}},
      {R"({"name": "f", "arguments": {"a": 1.50, "b": [1e5, -0.0]}})",
       "│",
       {call("f", R"({"a": 1.50, "b": [1e5, -0.0]})")}},
      {R"({"type": "function", "name": "f", "parameters": {}})", "│", {call("f", "{}")}},
      {R"({"parameters": {"a": {"b": "}"}}, "name": "f", "id": "call_1"})", "│", {call("f", R"({"a": {"b": "}"}})")}},
      {R"({"type":"function","function":{"name":"f","arguments":"{\"a\": \"\\u00e9\\n\"}"}})",
       "│",
       {call("f", R"({"a": "\u00e9\n"})")}},
      {R"({"type": "function", "function": "f", "parameters": {"a": 1}})", "│", {call("f", R"({"a": 1})")}},
      {R"([{"name": "f", "parameters": {"a": 1}}, {"name": "g", "arguments": {}}])",
       "││",
       {call("f", R"({"a": 1})"), call("g", "{}")}},
      {"{\"name\": \"f\", \"parameters\": {}}; {\"name\": \"g\", \"parameters\": {}}\n{\"name\": \"f\", "
       "\"parameters\": {}}",
       "│││",
       {call("f", "{}"), call("g", "{}"), call("f", "{}")}},
      {"<|python_tag|>{\"name\": \"f\", \"parameters\": {}}", "│", {call("f", "{}")}},
      {"<|python_start|>{\"name\": \"f\", \"parameters\": {}}<|python_end|>", "│", {call("f", "{}")}},
      {"\n\n {\"name\": \"f\", \"parameters\": {}}\n", "│", {call("f", "{}")}},
      {"I will look.\n\n{\"name\": \"f\", \"parameters\": {}}\nThere.", "I will look.\n\n│\nThere.", {call("f", "{}")}},
      {R"({"name": "f", "parameters": {"tag": "<|python_end|></function>{\"name\""}})",
       "│",
       {call("f", R"({"tag": "<|python_end|></function>{\"name\""})")}},
      // Python
      {R"([f(a="x", n=3), g()])", "││", {call("f", R"({"a": "x", "n": 3})"), call("g", "{}")}},
      {R"([f(s='it\'s', t="a\u00e9\n", n=-1.5e3, h=0x10, b=True, z=None, q=1_000, p=+.5, i=007.5)])",
       "│",
       {call(
           "f",
           R"({"s": "it's", "t": "aé\n", "n": -1.5e3, "h": 16, "b": true, "z": null, "q": 1000, "p": 0.5, "i": 7.5})")}},
      {"[f(\n  a=[1, (2, 3), ()],  # note\n  d={'k': {'x': 1,}, 2: None, True: [],},\n)\n]",
       "│",
       {call("f", R"({"a": [1, [2, 3], []], "d": {"k": {"x": 1}, "2": null, "true": []}})")}},
      {R"([f(a={k=1, m="x", o={p=[{}]}})])", "│", {call("f", R"({"a": {"k": 1, "m": "x", "o": {"p": [{}]}}})")}},
      {"[f(a='x' \"y\", b='''t\nu\"''', c=(1), d=(1,), e='', g='''''')]",
       "│",
       {call("f", R"({"a": "xy", "b": "t\nu\"", "c":  1, "d": [1], "e": "", "g": ""})")}},
      {R"([f(a=true, b=false, c=null)])", "│", {call("f", R"({"a": true, "b": false, "c": null})")}},
      {R"([f(a=99999999999999999999, b=1.0, c=5., d=1E5)])",
       "│",
       {call("f", R"({"a": 99999999999999999999, "b": 1.0, "c": 5.0, "d": 1E5})")}},
      {R"([f(a='it's', b="say "hi" to him")])", "│", {call("f", R"({"a": "it's", "b": "say \"hi\" to him"})")}},
      {R"([f(a="\x41\101\U0001F600\ud83d\ude00\d\/")])", "│", {call("f", R"({"a": "AA😀😀\\d\\/"})")}},
      {"[math.factorial(number=5), get-time(time-zone='UTC')]",
       "││",
       {call("math.factorial", R"({"number": 5})"), call("get-time", R"({"time-zone": "UTC"})")}},
      {"[f(a=1),\n g(),\n]", "││", {call("f", R"({"a": 1})"), call("g", "{}")}},
      {"Sure: [f(a=1)]", "Sure: │", {call("f", R"({"a": 1})")}},
      {"[f(a=1)", "│", {call("f", R"({"a": 1})")}},  // the bracket forgotten
      {"f(a=1)\ng(b=2)", "││", {call("f", R"({"a": 1})"), call("g", R"({"b": 2})")}},
      {"f.call(query=\"x\")", "│", {call("f", R"({"query": "x"})")}},
      {"<|python_tag|>f(a=1); g()", "││", {call("f", R"({"a": 1})"), call("g", "{}")}},
      // Tags
      {"<function=f>{\"a\": 1}</function>", "│", {call("f", R"({"a": 1})")}},
      {"<function=f>{\"a\": 1}</function>\n<function=g>\n{}", "││", {call("f", R"({"a": 1})"), call("g", "{}")}},
      {"say <function=f>{\"a\": 1}</function> now", "say │ now", {call("f", R"({"a": 1})")}},
      // Code
      {"<|python_tag|>print(\"hé\")\nx = [1]",
       "│",
       {call("code_interpreter", R"({"code": "print(\"hé\")\nx = [1]"})")}},
      {"<|python_start|>{1: 2}<|python_end|>", "│", {call("code_interpreter", R"({"code": "{1: 2}"})")}},
      // Mixed
      {"[f(a=1)]{\"name\": \"g\", \"parameters\": {}}", "││", {call("f", R"({"a": 1})"), call("g", "{}")}},
  };
  for (const char* format : {"llama3_json", "pythonic", "llama4_json", "function_tag"})
    for (const Read& c : cases) check(format, c);
}

TEST_CASE("other families' notations", "[chat][tools]") {
  check("hermes", {"Let me see.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>\n<tool_call>\n"
                   "{\"name\": \"g\", \"arguments\": {}}\n</tool_call>",
                   "Let me see.\n││",
                   {call("f", R"({"a": 1})"), call("g", "{}")}});
  check("hermes", {"<tool_call>{\"name\": \"f\", \"arguments\": {}}", "│", {call("f", "{}")}});
  check("mistral",
        {R"([TOOL_CALLS][{"name": "f", "arguments": {"a": 1}, "id": "123456789"}])", "│", {call("f", R"({"a": 1})")}});
  check("mistral_args",
        {R"([TOOL_CALLS]f[ARGS]{"a": 1}[TOOL_CALLS]g[ARGS]{})", "││", {call("f", R"({"a": 1})"), call("g", "{}")}});
  check("granite", {R"(<|tool_call|>[{"name": "f", "arguments": {}}])", "│", {call("f", "{}")}});
}

TEST_CASE("what is no call stays text, byte for byte", "[chat][tools]") {
  const char* answer = GENERATE(
      "", " ", "Hello there", "[1, 2, 3]", "[]", "{}", R"({"foo": 1})", "see [the notes] and {x}", "{ return x; }",
      // unknown names, with what looks like a call inside
      R"({"name": "h", "parameters": {"name": "f", "parameters": {}}})", R"([h(a={"name": "f", "parameters": {}})])",
      R"({"tool_calls": [{"name": "f", "parameters": {}}]})", "<function=h>{\"a\": [f(a=1)]}</function>",
      R"({"name": "ff", "parameters": {}})", R"({"name": "", "parameters": {}})", "[ff(a=1)]", "[h(), f(a=1)]",
      // not what a call looks like
      R"({"name": "f"})", R"({"name": 5, "parameters": {}})", R"({"name": "f", "parameters": null})",
      R"({"name": "f", "parameters": "x"})", R"({"name": "f", "parameters": [1]})",
      R"({"name": "f", "arguments": "[1]"})", R"({"name": "f", "description": "x", "parameters": {}})",
      R"({"name": "f", "name": "f", "parameters": {}})", R"({"type": "object", "name": "f", "parameters": {}})",
      R"({"name": "f", "parameters": {}, "parameters": {}})",
      R"({"name": "f", "function": {"name": "f", "arguments": {}}})", R"([["name"]])", R"(["f", {"name": "f"}])",
      // malformed
      R"({"name": "f", "parameters": {"a": 01}})", R"({"name": "f", "parameters": {"a": 1,}})",
      R"({"name": "f", "parameters": {"a": "\q"}})", R"({"name": "f", "parameters": {"a": "\ud800"}})",
      "{\"name\": \"f\", \"parameters\": {\"a\": \"\n\"}}", "{\"name\": \"f\", \"parameters\": {\"a\": \"\xff\"}}",
      "{\"name\": \"f\", \"parameters\": {\"a\": \"\xc3\"}}", R"({"name": "f", "parameters": {"a": tru}})", "[f(1)]",
      "[f(a=b)]", "[f(a=g(x=1))]", "[f(a=1) g(b=2)]", "[f(a=01)]", "[f(a=1_)]", "[f(a=0x)]", "[f(a=1j)]", "[f(a=-)]",
      "[f(a=.)]", "[f(a=--1)]", "[f(a='\n')]", "[f(a='\\ud800')]", "[f(a='\\N{DASH}')]", "[f(a=1 for x in y)]",
      "[f(a=1) for x in y]", "[f(**{'a': 1})]", "[f(a={1})]", "[f(a=nan)]", "[f(a='\xff')]", "[f(,)]", "[f(a=1,,)]",
      "[f(a=[1,,2])]", "[f.g(a=1)]", "[f(a=1]", "<function=>{}", "<function=f>5", "<function=f>{'a': 1}",
      // cut off
      R"({"name": "f", "parameters": {"a": 1})", R"({"name": "f", "parameters": {"a": "x)", "[f(a=1", "[f(a='x", "[f",
      "[", R"({"na)", "<function=f>{\"a\"", "<|python_sta", "<|python_start|>", "<func",
      // a call in the middle of a sentence, without brackets
      "I would say f(a=1)", "f(a=1) is what I would say", "f", "ge");
  CAPTURE(answer);
  for (const char* format : {"llama3_json", "llama4_json"})
    for (const size_t piece : {size_t(1), size_t(2), size_t(1000)}) {
      const ReadAnswer got = read_as(format, answer, false, piece);
      CHECK(got.text == answer);
      CHECK(got.calls.empty());
    }
  // Told early, a call may turn out broken: it is not complete then, and the same wherever the answer is cut.
  const ReadAnswer whole = read_as("llama3_json", answer, true);
  for (const ReadCall& c : whole.calls) CHECK_FALSE(c.complete);
  CHECK(read_as("llama3_json", answer, true, 1) == whole);
}

TEST_CASE("behind what stays text, calls are found", "[chat][tools]") {
  for (const Read& c : std::vector<Read>{
           {"[see note] [f(a=1)]", "[see note] │", {call("f", R"({"a": 1})")}},
           {R"({"name": "h", "parameters": {}} {"name": "f", "parameters": {}})",
            R"({"name": "h", "parameters": {}} │)",
            {call("f", "{}")}},
           {R"({"a": bad {"name": "f", "parameters": {}})", R"({"a": bad │)", {call("f", "{}")}},
           {"[f(a=1), h(b=2)] and [g()]", "│ h(b=2)] and │", {call("f", R"({"a": 1})"), call("g", "{}")}},
           {"[f(a=1), 5]", "│ 5]", {call("f", R"({"a": 1})")}},
           {"{{{\"name\": \"f\", \"parameters\": {}}", "{{│", {call("f", "{}")}},
           {"<<function=f>{}", "<│", {call("f", "{}")}},
           {"<functio<function=f>{}", "<functio│", {call("f", "{}")}},
       })
    check("llama3_json", c);
}

TEST_CASE("special tokens open and close calls and are never text", "[chat][tools]") {
  ToolCallParser parser(tools_named({"f"}), tool_format("llama4_json"));
  std::string text, calls;
  const auto sink = [&](const ToolEvent& e) {
    if (e.kind == ToolEvent::Kind::text) text += e.text;
    if (e.kind == ToolEvent::Kind::call_begin) calls += e.text;
    if (e.kind == ToolEvent::Kind::arguments) calls += e.text;
  };
  parser.push_special("<|python_start|>", sink);
  parser.push("Looking.", sink);
  parser.push_special("<|python_end|>", sink);
  parser.push(R"({"name": "f", )", sink);
  CHECK(text == "Looking.");
  parser.push(R"("parameters": {}})", sink);
  parser.push_special("<|eot|>", sink);
  parser.finish(sink);
  CHECK(text == "Looking.");
  CHECK(calls == "f{}");

  ToolCallParser mistral(tools_named({"f"}), tool_format("mistral_args"));
  text = calls = "";
  for (int i = 0; i < 2; ++i) {
    mistral.push_special("[TOOL_CALLS]", sink);
    mistral.push("f", sink);
    mistral.push_special("[ARGS]", sink);
    mistral.push(R"({"a": 1})", sink);
  }
  mistral.finish(sink);
  CHECK(calls == R"(f{"a": 1}f{"a": 1})");
  CHECK(text.empty());
}

TEST_CASE("arguments come as they are written, when calls are told early", "[chat][tools]") {
  ToolCallParser::Options options;
  options.early = true;
  ToolCallParser parser(tools_named({"f"}), tool_format("llama3_json"), options);
  std::vector<std::string> events;
  const auto sink = [&](const ToolEvent& e) { events.push_back(std::string(e.text)); };
  parser.push(R"({"name": "f", "parameters")", sink);
  CHECK(events.empty());
  parser.push(R"(: {"code": "a)", sink);
  CHECK(events == std::vector<std::string>{"f", R"({"code": "a)"});
  parser.push("b", sink);
  CHECK(events.back() == "b");
  parser.push("\"}}", sink);
  CHECK(events.size() == 5);
  parser.finish(sink);
  CHECK(events.size() == 5);
}

TEST_CASE("text is held back only while it can still become a call", "[chat][tools]") {
  struct Held {
    const char* said;
    const char* told;
  };
  const Held h = GENERATE(Held{"Hello", "Hello"}, Held{"a [", "a "}, Held{"a [1", "a [1"}, Held{"a [f", "a "},
                          Held{"a [fx", "a [fx"}, Held{"{\"", ""}, Held{"{\"x", "{\"x"}, Held{"{\"na", ""},
                          Held{"{\"name\": \"h", "{\"name\": \"h"}, Held{"a <", "a "}, Held{"a <b", "a <b"},
                          Held{"a <func", "a "}, Held{"ge", ""}, Held{"gem", "gem"});
  CAPTURE(h.said);
  ToolCallParser parser(tools_named(kTools), tool_format("llama3_json"));
  std::string told;
  parser.push(h.said, [&](const ToolEvent& e) { told += e.text; });
  CHECK(told == h.told);
}

TEST_CASE("without tools everything is text", "[chat][tools]") {
  ToolCallParser parser(Tools(), tool_format("llama3_json"));
  const std::string answer = R"({"name": "f", "parameters": {}} [f()] <|python_tag|>)";
  CHECK(read_answer(parser, cut(answer, 1)).text == answer);
}

TEST_CASE("deep and long answers are read in bounded stack, bounded memory and linear time", "[chat][tools]") {
  const std::string prefix =
      GENERATE("", "[f(a=", R"({"name": "f", "parameters": {"a": )", "<function=f>", "<|python_tag|>");
  for (const char* unit : {"[",
                           "(",
                           "{",
                           "{'a':",
                           "{\"a\":",
                           "[f(a=",
                           "<function=",
                           "x.call(query=\"",
                           "'",
                           "\"",
                           "\\",
                           "<|python_end|>",
                           "<function=f>{",
                           R"({"name": "f", "parameters": {"a": )",
                           "[f(",
                           "f(",
                           " ",
                           ";",
                           "[{",
                           "''' '",
                           "a",
                           "[f(a='x' "}) {
    std::string answer = prefix;
    const size_t count = std::min(size_t(100000), 400000 / std::string_view(unit).size());
    for (size_t i = 0; i < count; ++i) answer += unit;
    CAPTURE(prefix, unit);
    for (const bool early : {false, true}) CHECK_NOTHROW(read_as("llama3_json", answer, early, 4096));
  }
}

TEST_CASE("a call longer than may be held is text", "[chat][tools]") {
  ToolCallParser::Options options;
  options.most_held = 100;
  ToolCallParser parser(tools_named({"f"}), tool_format("llama3_json"), options);
  const std::string call_text = R"({"name": "f", "parameters": {"a": ")" + std::string(200, 'x') + "\"}}";
  CHECK(read_answer(parser, cut(call_text, 9)).text == call_text);
  CHECK(read_answer(parser, cut("[f(a=1)]", 9)).calls.size() == 1);
}

TEST_CASE("every golden answer has the first call that Meta's code finds, or none", "[chat][tools][golden]") {
  for (const Golden& g : tokenizer_sets()) {
    const ordered_json cases = read_json(g, "llama4_parse_assistant");
    REQUIRE(!cases.empty());
    std::vector<std::string> names;
    for (const ordered_json& c : cases)
      for (const ordered_json& call : c["message"].value("tool_calls", ordered_json::array())) {
        const std::string name = call["name"];
        if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
      }
    for (const ordered_json& c : cases) {
      std::string text = c["content"];
      CAPTURE(text);
      for (const std::string cut_off :
           {"<|eot|>", "<|eom|>", "<|header_start|>assistant<|header_end|>\n\n"})  // no text
        if (const size_t at = text.find(cut_off); at != text.npos) text.erase(at, cut_off.size());
      ToolCallParser parser(tools_named(names), tool_format("llama4_json"));
      const ReadAnswer got = read_answer(parser, cut(text, 3));
      const ordered_json calls = c["message"].value("tool_calls", ordered_json::array());
      REQUIRE(got.calls.empty() == calls.empty());
      if (calls.empty()) {
        CHECK(got.text == text);
        continue;
      }
      CHECK(got.calls[0].name == calls[0]["name"].get<std::string>());
      CHECK(ordered_json::parse(got.calls[0].arguments) == calls[0]["arguments"]);
    }
  }
}
