// What the rivals' models write: gpt-oss's messages and channels, Gemma 4's braces, Gemma 3's fences, Phi's lists, and
// what models think before they answer. Marks come as special tokens or as text.
#include "chat/golden_chats.h"
#include "chat/read_calls.h"
#include "puna/base/error.h"
#include "puna/chat/tool_constraint.h"

using namespace puna;
using namespace puna::test;

namespace test_tool_families {
namespace {

const std::vector<std::string> kTools = {"get_weather", "f"};

ToolCallParser parser_of(const char* format, bool early = false, bool thoughts = true, bool begins = false) {
  ToolCallParser::Options options;
  options.early = early;
  options.thoughts = thoughts;
  options.begins_in_thought = begins;
  return ToolCallParser(tools_named(kTools), tool_format(format), options);
}

// What comes of `answer`, in which «name» is a special token: as a model's tokens come, and with the names as text.
ReadAnswer told(const char* format, const std::string& answer, bool early, bool thoughts, bool as_text, size_t piece) {
  ToolCallParser parser = parser_of(format, early, thoughts);
  if (as_text) {
    std::string text;
    for (size_t at = 0; at < answer.size();)
      if (const bool mark = answer.compare(at, 2, "«") == 0 || answer.compare(at, 2, "»") == 0; mark)
        at += 2;
      else
        text += answer[at++];
    return read_answer(parser, cut(text, piece), true);
  }
  ReadAnswer out;
  const auto sink = [&](const ToolEvent& e) {
    if (e.kind == ToolEvent::Kind::text) out.text += e.text;
    if (e.kind == ToolEvent::Kind::thought) out.thought += e.text;
    if (e.kind == ToolEvent::Kind::call_begin) out.text += "│", out.calls.push_back({std::string(e.text), "", false});
    if (e.kind == ToolEvent::Kind::arguments) out.calls.back().arguments += e.text;
    if (e.kind == ToolEvent::Kind::call_end) out.calls.back().complete = e.complete;
  };
  for (size_t at = 0; at < answer.size();) {
    if (answer.compare(at, 2, "«") == 0) {
      const size_t end = answer.find("»", at);
      parser.push_special(answer.substr(at + 2, end - at - 2), sink);
      at = end + 2;
      continue;
    }
    const size_t end = std::min(answer.find("«", at), answer.size());
    for (const std::string_view p : cut(std::string_view(answer).substr(at, end - at), piece)) parser.push(p, sink);
    at = end;
  }
  parser.finish(sink);
  return out;
}

struct Case {
  std::string answer, thought, text;
  std::vector<ReadCall> calls;
};

void check(const char* format, const std::vector<Case>& cases) {
  for (const Case& c : cases)
    for (const bool early : {false, true})
      for (const bool as_text : {false, true})
        for (const size_t piece : {size_t(1), size_t(3), size_t(1000)}) {
          CAPTURE(format, c.answer, early, as_text, piece);
          const ReadAnswer got = told(format, c.answer, early, true, as_text, piece);
          CHECK(got.text == c.text);
          CHECK(got.thought == c.thought);
          REQUIRE(got.calls.size() == c.calls.size());
          for (size_t i = 0; i < got.calls.size(); ++i) {
            CHECK(got.calls[i].name == c.calls[i].name);
            CHECK(got.calls[i].arguments == c.calls[i].arguments);
            CHECK(got.calls[i].complete);
          }
        }
}

ReadCall weather(const char* arguments) { return {"get_weather", arguments, true}; }

}  // namespace

TEST_CASE("gpt-oss's messages are thoughts, calls and text", "[chat][tools]") {
  check("harmony",
        {{"«<|channel|>»analysis«<|message|>»Let me think.«<|end|>»«<|start|>»assistant«<|channel|>»commentary "
          "to=functions.get_weather «<|constrain|>»json«<|message|>»{\"city\":\"Rome\"}«<|call|>»",
          "Let me think.",
          "│",
          {weather(R"({"city":"Rome"})")}},
         {"«<|channel|>»analysis«<|message|>»Easy.«<|end|>»«<|start|>»assistant«<|channel|>»final«<|message|>»4«<|"
          "return|>»",
          "Easy.",
          "4",
          {}},
         {"«<|channel|>»final«<|message|>»Hi", "", "Hi", {}},
         // As the template writes earlier calls, and what models make of it
         {" to=functions.get_weather«<|channel|>»commentary json«<|message|>»{\"city\": \"Orléans\", \"days\": "
          "2}«<|call|>»",
          "",
          "│",
          {weather(R"({"city": "Orléans", "days": 2})")}},
         {"«<|channel|>»analysis to=functions.f code«<|message|>»{}", "", "│", {{"f", "{}", true}}},
         {"«<|channel|>»commentary to=functions.f«<|message|>»\n{\"a\": \"<|end|>\"}\n",
          "",
          "│",
          {{"f", R"({"a": "<|end|>"})", true}}},
         // A preamble is for the user
         {"«<|channel|>»commentary«<|message|>»I look it up.«<|end|>»«<|start|>»assistant«<|channel|>»commentary "
          "to=functions.f«<|message|>»{}",
          "",
          "I look it up.│",
          {{"f", "{}", true}}},
         // No tool of ours; no object; nothing at all
         {"«<|channel|>»commentary to=functions.g«<|message|>»{}", "", "{}", {}},
         {"«<|channel|>»commentary to=python«<|message|>»1+1", "", "1+1", {}},
         {"«<|channel|>»commentary to=functions.f«<|message|>»[1]", "", "[1]", {}},
         {"«<|channel|>»final", "", "", {}},
         {"", "", "", {}},
         // Without headers it is text
         {"Hello to=functions.f {}", "", "Hello to=functions.f {}", {}},
         {" to be", "", " to be", {}},
         {"1 < 2 <|x|> <", "", "1 < 2 <|x|> <", {}}});
}

TEST_CASE("a call of gpt-oss that breaks off is text, or ends incomplete where it was told", "[chat][tools]") {
  const std::string answer = "«<|channel|>»commentary to=functions.f«<|message|>»{\"a\": 1«<|call|>»";
  for (const bool as_text : {false, true}) {
    CAPTURE(as_text);
    CHECK(told("harmony", answer, false, true, as_text, 2).text == R"({"a": 1)");
    const ReadAnswer early = told("harmony", answer, true, true, as_text, 2);
    REQUIRE(early.calls.size() == 1);
    CHECK_FALSE(early.calls[0].complete);
    CHECK(early.calls[0].arguments == R"({"a": 1)");
  }
  ToolCallParser::Options options;
  options.most_held = 20;
  ToolCallParser parser(tools_named(kTools), tool_format("harmony"), options);
  const std::string longer = R"({"a": "a text of more than twenty bytes"})";
  CHECK(read_answer(parser, cut("<|channel|>commentary to=functions.f<|message|>" + longer, 3), true).text == longer);
}

TEST_CASE("without thoughts gpt-oss's analysis is text", "[chat][tools]") {
  const std::string answer =
      "«<|channel|>»analysis«<|message|>»Hm.«<|end|>»«<|start|>»assistant«<|channel|>»final«<|message|>»4";
  CHECK(told("harmony", answer, false, false, false, 3).text == "Hm.4");
  CHECK(told("harmony", answer, false, false, true, 3).text == "Hm.4");
}

TEST_CASE("OpenAI's own parse of gpt-oss's answers is ours", "[chat][tools][golden]") {
  size_t seen = 0;
  for (const Golden& g : goldens([](const Golden& s) { return s.fixture() == "tokenizer_rivals"; })) {
    if (!g.manifest["groups"].contains("gpt_oss_harmony_parse")) continue;
    for (const ordered_json& c : read_json(g, "gpt_oss_harmony_parse")) {
      const std::string answer = c["text"];
      CAPTURE(answer);
      std::string thought, text;
      std::vector<ReadCall> calls;
      std::vector<std::string> names = kTools;
      for (const ordered_json& m : c["messages"]) {
        const std::string said = m["content"][0]["text"], to = m.value("recipient", "");
        if (to.starts_with("functions.")) {
          calls.push_back({to.substr(10), said, true});
          if (std::find(names.begin(), names.end(), to.substr(10)) == names.end()) names.push_back(to.substr(10));
          text += "│";
        } else {
          (m["channel"] == "analysis" ? thought : text) += said;
        }
      }
      ToolCallParser::Options options;
      options.thoughts = true;
      ToolCallParser parser(tools_named(names), tool_format("harmony"), options);
      const ReadAnswer got = read_answer(parser, cut(answer, 3), true);
      CHECK(got.thought == thought);
      CHECK(got.text == text);
      CHECK(got.calls == calls);
      ++seen;
    }
  }
  CHECK(seen > 0);
}

TEST_CASE("Gemma 4's calls become JSON", "[chat][tools]") {
  check("gemma",
        {{"«<|tool_call>»call:get_weather{city:«<|\"|>»Orléans«<|\"|>»,days:2}«<tool_call|>»",
          "",
          "│",
          {weather(R"({"city": "Orléans", "days": 2})")}},
         {"So: «<|tool_call>»call:f{}«<tool_call|>»«<|tool_call>»call:f{a:true,b:null,c:-1.5e3}«<tool_call|>» Done",
          "",
          "So: ││ Done",
          {{"f", "{}", true}, {"f", R"({"a": true, "b": null, "c": -1.5e3})", true}}},
         {"«<|tool_call>»call:f{o:{k:[1,[],{}],«<|\"|>»a b«<|\"|>»:«<|\"|>»\"\\\n<|«<|\"|>»}}",
          "",
          "│",
          {{"f", R"({"o": {"k": [1, [], {}], "a b": "\"\\\n<|"}})", true}}},
         {"«<|channel>»thought\nIt rains.\n«<channel|>»Yes.", "It rains.", "Yes.", {}},
         {"«<|channel>»thought\n«<channel|>»Yes.", "", "Yes.", {}}});
  // What is none is text: bytes of special tokens are not said.
  for (const std::string_view answer :
       {"<|tool_call>call:g{}", "<|tool_call>call:f{a}", "<|tool_call>call:f{a:x}", "<|tool_call>call:f{a:1,}",
        "<|tool_call>call:f{:1}", "<|tool_call>call: f{}", "<|tool_call>f{}", "<|tool_call>call:f{a:<|\"|>x",
        "<|tool_call>call:f{a:01}", "<|tool_call>call:f{a:<x|>}", "<|tool_call>call:f{a:1]", "call:f{}",
        "<|tool_call>call:f{a:<|\"|>\xff<|\"|>}"}) {
    CAPTURE(answer);
    ToolCallParser parser = parser_of("gemma");
    const ReadAnswer got = read_answer(parser, cut(answer, 2));
    CHECK(got.calls.empty());
    CHECK(got.text == answer);
  }
  std::string deep = "<|tool_call>call:f{a:";
  for (int i = 0; i < 100; ++i) deep += "[";
  ToolCallParser parser = parser_of("gemma");
  CHECK(read_answer(parser, {std::string_view(deep)}).text == deep);
}

TEST_CASE("Gemma 3 answers in fences, Phi in lists behind its token", "[chat][tools]") {
  check("tool_code",
        {{"I see.\n```tool_code\n[f(a=1), get_weather(city='Puno')]\n```",
          "",
          "I see.\n││",
          {{"f", R"({"a": 1})", true}, weather(R"({"city": "Puno"})")}},
         {"```tool_code\nget_weather(city=\"Puno\")\n```", "", "│", {weather(R"({"city": "Puno"})")}},
         {"```json\n{\"name\": \"f\", \"parameters\": {\"a\": 1}}\n```", "", "│", {{"f", R"({"a": 1})", true}}},
         {"```tool_code\nprint(1)\n```", "", "```tool_code\nprint(1)\n```", {}}});
  check("phi", {{"«<|tool_call|>»[{\"name\": \"f\", \"arguments\": {\"a\": 1}}]«<|/tool_call|>»",
                 "",
                 "│",
                 {{"f", R"({"a": 1})", true}}},
                {"functools[{\"name\": \"f\", \"arguments\": {}}]", "", "│", {{"f", "{}", true}}}});
}

TEST_CASE("what a model thinks before it answers is told apart", "[chat][tools]") {
  check("hermes",
        {{"<think>\nThe user wants\n\nweather.\n</think>\n\n<tool_call>\n{\"name\": \"f\", \"arguments\": "
          "{}}\n</tool_call>",
          "The user wants\n\nweather.",
          "│",
          {{"f", "{}", true}}},
         {" \n<think>a</think>b", "a", "b", {}},
         {"<think></think>\n\nb", "", "b", {}},
         {"<think>never ends <tool_call>", "never ends <tool_call>", "", {}},
         {"<think>a</think><think>b</think>c", "ab", "c", {}},
         {"<think>a</think>\n\n<tool_call>\n\nno call", "a", "<tool_call>\n\nno call", {}},
         {"<think>a</think>\n<tool_call> \n{\"name\": \"g\"}\n", "a", "<tool_call> \n{\"name\": \"g\"}\n", {}},
         {"The tag <think> is text.", "", "The tag <think> is text.", {}},
         {"<thin", "", "<thin", {}}});
  check("mistral_args",
        {{"«[THINK]»Hm.«[/THINK]»«[TOOL_CALLS]»f«[ARGS]»{\"a\": 1}", "Hm.", "│", {{"f", R"({"a": 1})", true}}}});
  check("phi", {{"<think>a</think> functools \n[1]", "a", "functools \n[1]", {}}});
  // The prompt may end with the mark.
  ToolCallParser begun = parser_of("hermes", false, true, true);
  const ReadAnswer got = read_answer(begun, cut("so it is\n</think>\n\nYes.", 2), true);
  CHECK(got.thought == "so it is");
  CHECK(got.text == "Yes.");
  CHECK(ends_in_thought("<|im_start|>assistant\n<think>\n"));
  CHECK(ends_in_thought("<|turn>model\n<|channel>thought\n"));
  CHECK_FALSE(ends_in_thought("<|im_start|>assistant\n<think>\n\n</think>\n\n"));
  CHECK_FALSE(ends_in_thought(""));
  // Not asked for, it is text; and a model without tools thinks, too.
  ToolCallParser plain = parser_of("hermes", false, false);
  CHECK(read_answer(plain, cut("<think>a</think>b", 3)).text == "<think>a</think>b");
  ToolCallParser::Options options;
  options.thoughts = true;
  ToolCallParser none(Tools(), tool_format("hermes"), options);
  const ReadAnswer alone = read_answer(none, cut("<think>a</think>{\"name\": \"f\"}", 3), true);
  CHECK(alone.thought == "a");
  CHECK(alone.text == R"({"name": "f"})");
}

// What a family's template writes of an assistant's turn is what its parser reads: calls and thoughts come back.
TEST_CASE("calls in prompts of every family's template are read back", "[chat][tools][golden]") {
  const auto none = [](std::string_view) { return false; };
  size_t seen = 0;
  for (const Family& f : families()) {
    const ToolFormat& format = find_tool_format(f.source, none);
    if (tool_format_name(format).starts_with("llama"))
      continue;  // Meta's own template writes other calls than it asks for
    for (const ordered_json& c : f.cases) {
      if (c.contains("raises") || !c.contains("text") || c.value("tools", ordered_json()).is_null()) continue;
      std::vector<ReadCall> want;
      for (const ordered_json& m : c["messages"])
        for (const ordered_json& call : m.value("tool_calls", ordered_json::array()))
          want.push_back({call["function"]["name"], call["function"]["arguments"].dump(), true});
      const std::string text = c["text"];
      if (want.empty() || text.find("Orléans") == text.npos) continue;  // a template without calls
      CAPTURE(f.name, c["name"].get<std::string>());
      // The turn, from what stands in front of the call on.
      const std::string mark =
          f.name == "gpt_oss" ? " to=functions."
                              : std::string(write_tool_calls(format, {{"get_weather", "{}"}})[0].text.substr(0, 8));
      const size_t at = text.find(mark, text.rfind("Weather?"));
      REQUIRE(at != text.npos);
      ToolCallParser parser(tools_named({"get_weather"}), format);
      const ReadAnswer got = read_answer(parser, cut(std::string_view(text).substr(at), 5), true);
      REQUIRE(got.calls.size() == want.size());
      CHECK(got.calls[0].name == want[0].name);
      CHECK(ordered_json::parse(got.calls[0].arguments) == ordered_json::parse(want[0].arguments));
      ++seen;
    }
  }
  CHECK(seen >= 8);
}

}  // namespace test_tool_families
