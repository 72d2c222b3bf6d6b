// The questions of the Berkeley Function-Calling Leaderboard: their tools read, the prompt rendered by every family's
// template, the answers written in every format and read back from a stream that is cut anywhere.
#include <random>

#include "chat/golden_chats.h"
#include "chat/read_calls.h"
#include "puna/base/error.h"
#include "puna/chat/tool_constraint.h"
#include "support/bfcl.h"

using namespace puna;
using namespace puna::test;

namespace {

// [{NAME: {ARGUMENT: [values that count as right; "" = it may be left out]}}]
std::vector<WrittenCall> calls_of(const ordered_json& ground_truth) {
  std::vector<WrittenCall> out;
  for (const ordered_json& call : ground_truth)
    for (const auto& [name, arguments] : call.items()) {
      ordered_json chosen = ordered_json::object();
      for (const auto& [key, values] : arguments.items())
        if (values.is_array() && !values.empty() && values[0] != "") chosen[key] = values[0];
      out.push_back({name, chosen.dump()});
    }
  return out;
}

std::vector<std::string_view> cut_anywhere(std::string_view text, std::mt19937& random) {
  std::vector<std::string_view> pieces;
  for (size_t at = 0; at < text.size();) {
    const size_t size = 1 + random() % 12;
    pieces.push_back(text.substr(at, size));
    at += size;
  }
  return pieces;
}

std::string plain(const std::vector<ChatSegment>& segments) {
  std::string out;
  for (const ChatSegment& s : segments) out += s.text;
  return out;
}

constexpr const char* kAnswered[] = {"simple_python", "simple_java",           "simple_javascript", "multiple",
                                     "parallel",      "parallel_multiple",     "live_simple",       "live_multiple",
                                     "live_parallel", "live_parallel_multiple"};
constexpr const char* kUnanswered[] = {"irrelevance", "live_irrelevance", "live_relevance"};

bool fetched() { return !model_file("bfcl/tools_web_search.jsonl").empty(); }  // the last that is fetched

}  // namespace

TEST_CASE("every answer of BFCL is read back as it was written, in every format", "[chat][tools][models]") {
  if (!fetched()) PUNA_SKIP("the BFCL questions are not in the cache (cmake/fetch_models.py bfcl)");
  std::mt19937 random(22);
  int answers = 0, calls_read = 0;
  for (const std::string set : kAnswered) {
    const std::vector<ordered_json> questions = bfcl_lines(set + ".jsonl"), truths = bfcl_lines(set + ".answers.jsonl");
    REQUIRE(questions.size() == truths.size());
    for (size_t i = 0; i < questions.size(); ++i) {
      const std::string id = questions[i]["id"];
      CAPTURE(id);
      REQUIRE(truths[i]["id"] == id);
      const Tools tools = Tools::parse(questions[i]["function"].dump());
      const std::vector<WrittenCall> calls = calls_of(truths[i]["ground_truth"]);
      REQUIRE_FALSE(calls.empty());
      for (const std::string_view name : tool_format_names()) {
        CAPTURE(name);
        const ToolFormat& format = tool_format(name);
        const std::string said = i % 3 == 0 ? "I will look that up [1]: " : "";
        const std::string answer = said + plain(write_tool_calls(format, calls));
        ToolCallParser::Options options;
        options.early = random() % 2 == 0;
        ToolCallParser parser(tools, format, options);
        const ReadAnswer got = read_answer(parser, cut_anywhere(answer, random));
        std::string text = said;
        bool same = got.calls.size() == calls.size();
        for (size_t k = 0; same && k < calls.size(); ++k) {
          same = got.calls[k].complete && got.calls[k].name == calls[k].name &&
                 ordered_json::parse(got.calls[k].arguments) == ordered_json::parse(calls[k].arguments);
          text += "│";
          ++calls_read;
        }
        CAPTURE(answer);
        CHECK(same);
        CHECK(got.text == text);
      }
      ++answers;
    }
  }
  CHECK(answers == 2501);
  CHECK(calls_read > 20000);
}

TEST_CASE("BFCL's tools are in every prompt that a family's template renders", "[chat][tools][models]") {
  if (!fetched()) PUNA_SKIP("the BFCL questions are not in the cache (cmake/fetch_models.py bfcl)");
  struct Taught {
    Family family;
    std::shared_ptr<const ChatTemplate> chat_template;
  };
  std::vector<Taught> taught;
  for (Family& f : families()) {
    auto parsed = ChatTemplate::parse(f.source);
    const bool takes_tools = f.name != "smollm2" && f.name != "smollm3" && parsed->reads("tools");
    if (takes_tools) taught.push_back({std::move(f), std::move(parsed)});
  }
  REQUIRE(taught.size() >= 6);
  size_t turn = 0, refused = 0, rendered = 0;
  std::vector<std::string> sets(std::begin(kAnswered), std::end(kAnswered));
  sets.insert(sets.end(), std::begin(kUnanswered), std::end(kUnanswered));
  for (const std::string& set : sets)
    for (const ordered_json& question : bfcl_lines(set + ".jsonl")) {
      const std::string id = question["id"];
      const Tools tools = Tools::parse(question["function"].dump());
      const Taught& t = taught[turn++ % taught.size()];
      CAPTURE(id, t.family.name);
      const std::string variables = "{\"messages\":" + question["question"][0].dump() + ",\"tools\":" + tools.json() +
                                    ",\"add_generation_prompt\":true}";
      try {
        const std::string prompt = t.chat_template->render(variables, "2025-08-05", Watch(), t.family.specials).text;
        bool all = true;
        for (const Tool& tool : tools.all()) all = all && prompt.find(tool.name) != prompt.npos;
        CHECK(all);
        ++rendered;
      } catch (const Error& e) {
        CAPTURE(e.what());
        CHECK(e.status() == Status::invalid_argument);  // the template's own refusal
        ++refused;
      }
    }
  CAPTURE(rendered, refused);
  CHECK(rendered > 3000);
  CHECK(refused * 10 < rendered);
}

TEST_CASE("every tool of BFCL has its constraint", "[chat][tools][models]") {
  if (!fetched()) PUNA_SKIP("the BFCL questions are not in the cache (cmake/fetch_models.py bfcl)");
  for (const char* file :
       {"gorilla_file_system", "math_api", "memory_kv", "memory_rec_sum", "memory_vector", "message_api", "posting_api",
        "ticket_api", "trading_bot", "travel_booking", "vehicle_control", "web_search"}) {
    const std::vector<ordered_json> lines = bfcl_lines("tools_" + std::string(file) + ".jsonl");
    const Tools tools = Tools::parse(ordered_json(lines).dump());
    for (const std::string_view name : tool_format_names()) {
      const ToolConstraint c = tool_constraint(tools, tool_format(name), {ToolChoice::Kind::required, "", true});
      CHECK(c.calls.size() == lines.size());
      for (const ToolConstraint::Call& call : c.calls) CHECK(ordered_json::accept(call.schema));
    }
  }
}
