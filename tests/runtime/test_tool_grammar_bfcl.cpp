// The questions of the Berkeley Function-Calling Leaderboard: a grammar of each one's tools takes the answer in the
// format's writing exactly when its arguments are valid, and no answer with a mistake in it.
#include <optional>

#include "puna/base/error.h"
#include "runtime/tool_answers.h"
#include "support/bfcl.h"
#include "support/catch.h"

using namespace puna;
using namespace puna::test;

namespace test_tool_grammar_bfcl {
namespace {

bool fetched() { return !model_file("bfcl/tools_web_search.jsonl").empty(); }  // the last that is fetched

// [{NAME: {ARGUMENT: [values that count as right; "" = it may be left out]}}]
std::vector<WrittenCall> calls_of(const Tools& tools, const ordered_json& ground_truth) {
  std::vector<WrittenCall> out;
  for (const ordered_json& call : ground_truth)
    for (const auto& [name, arguments] : call.items()) {
      ordered_json chosen = ordered_json::object();
      for (const auto& [key, values] : arguments.items())
        if (values.is_array() && !values.empty() && values[0] != "") chosen[key] = values[0];
      const Tool* tool = tools.find(name);
      REQUIRE(tool != nullptr);
      out.push_back({name, in_schema_order(ordered_json::parse(tool->parameters), chosen).dump()});
    }
  return out;
}

bool all_conform(const Tools& tools, const std::vector<WrittenCall>& calls) {
  return std::all_of(calls.begin(), calls.end(),
                     [&](const WrittenCall& c) { return conforms(tools, c.name, c.arguments); });
}

// The calls with one mistake in the last: a required argument left out, one of another type, one that there is not.
std::vector<std::vector<WrittenCall>> with_mistakes(const Tools& tools, const std::vector<WrittenCall>& calls) {
  std::vector<std::vector<WrittenCall>> out;
  const WrittenCall& last = calls.back();
  const ordered_json schema = ordered_json::parse(tools.find(last.name)->parameters);
  const ordered_json arguments = ordered_json::parse(last.arguments);
  const auto add = [&](const ordered_json& wrong) {
    std::vector<WrittenCall> mistaken = calls;
    mistaken.back().arguments = wrong.dump();
    out.push_back(std::move(mistaken));
  };
  const ordered_json required = schema.value("required", ordered_json::array());
  for (const ordered_json& name : required) {
    ordered_json wrong = arguments;
    if (wrong.erase(name.get<std::string>()) > 0) add(wrong);
  }
  for (const auto& [key, value] : arguments.items())
    for (const ordered_json& other : {ordered_json("a word"), ordered_json(1.5), ordered_json::array({nullptr}),
                                      ordered_json::object({{"no", 1}}), ordered_json(true), ordered_json(nullptr)}) {
      ordered_json wrong = arguments;
      wrong[key] = other;
      add(wrong);
    }
  ordered_json more = arguments;
  more["an_argument_that_is_not_there"] = 1;
  add(more);
  return out;
}

struct Counts {
  size_t questions = 0, valid = 0, invalid = 0, mistakes = 0;
};

void check(const Tools& tools, const std::vector<WrittenCall>& calls, std::string_view name, Counts& counts) {
  CAPTURE(name);
  const ToolFormat& format = tool_format(name);
  ToolGrammarOptions options;
  options.choice.kind = ToolChoice::Kind::required;
  Matcher required = byte_matcher(tool_grammar(tools, format, options));
  const std::string answer = plain(write_tool_calls(format, calls));
  CAPTURE(answer);
  const bool valid = all_conform(tools, calls);
  CHECK(accepts(required, answer) == valid);
  if (!valid) {
    ++counts.invalid;
    return;
  }
  ++counts.valid;
  ToolCallParser parser(tools, format);
  const ReadAnswer got = read_answer(parser, {answer});
  REQUIRE(got.calls.size() == calls.size());
  for (size_t i = 0; i < calls.size(); ++i) {
    CHECK(got.calls[i].name == calls[i].name);
    CHECK(ordered_json::parse(got.calls[i].arguments) == ordered_json::parse(calls[i].arguments));
  }
  for (const std::vector<WrittenCall>& wrong : with_mistakes(tools, calls)) {
    const bool taken = accepts(required, plain(write_tool_calls(format, wrong)));
    if (taken != all_conform(tools, wrong)) {
      CAPTURE(wrong.back().arguments);
      CHECK(taken == all_conform(tools, wrong));
    }
    counts.mistakes += !taken;
  }
  std::vector<WrittenCall> unknown = calls;
  unknown.back().name += "_of_nobody";
  CHECK_FALSE(accepts(required, plain(write_tool_calls(format, unknown))));

  options.choice.kind = ToolChoice::Kind::automatic;
  Matcher automatic = byte_matcher(tool_grammar(tools, format, options));
  CHECK(accepts(automatic, "I will look that up [1]: " + answer));
  CHECK(accepts(automatic, answer + " So it is."));
  std::vector<WrittenCall> wrong = with_mistakes(tools, calls).back();
  if (!all_conform(tools, wrong)) CHECK_FALSE(accepts(automatic, "Hm: " + plain(write_tool_calls(format, wrong))));
}

constexpr const char* kAnswered[] = {"simple_python", "simple_java",           "simple_javascript", "multiple",
                                     "parallel",      "parallel_multiple",     "live_simple",       "live_multiple",
                                     "live_parallel", "live_parallel_multiple"};

// Every `step`-th question, each in `formats` of them all.
Counts check_all(size_t step, size_t formats) {
  Counts counts;
  const std::vector<std::string_view> names = tool_format_names();
  size_t turn = 0;
  for (const std::string set : kAnswered) {
    const std::vector<ordered_json> questions = bfcl_lines(set + ".jsonl"), truths = bfcl_lines(set + ".answers.jsonl");
    for (size_t i = 0; i < questions.size(); i += step) {
      const std::string id = questions[i]["id"];
      CAPTURE(id);
      const Tools tools = Tools::parse(questions[i]["function"].dump());
      const std::vector<WrittenCall> calls = calls_of(tools, truths[i]["ground_truth"]);
      for (size_t n = 0; n < formats; ++n) check(tools, calls, names[(turn + n) % names.size()], counts);
      ++turn;
      ++counts.questions;
    }
  }
  return counts;
}

}  // namespace

TEST_CASE("a grammar of BFCL's tools takes a valid answer and no mistake", "[runtime][tools][models]") {
  if (!fetched()) PUNA_SKIP("the BFCL questions are not in the cache (cmake/fetch_models.py bfcl)");
  const Counts counts = check_all(25, 3);
  CAPTURE(counts.valid, counts.invalid, counts.mistakes);
  CHECK(counts.valid > 200);
  CHECK(counts.mistakes > 1000);
}

TEST_CASE("grammars of BFCL's tools take all valid answers in every format, and no mistake",
          "[runtime][tools][models][slow]") {
  if (!fetched()) PUNA_SKIP("the BFCL questions are not in the cache (cmake/fetch_models.py bfcl)");
  const Counts counts = check_all(1, 8);
  WARN(counts.questions << " questions, in eight formats " << counts.valid << " valid answers and " << counts.invalid
                        << " whose arguments are not of their types; " << counts.mistakes << " mistakes refused");
  CHECK(counts.questions == 2501);
  CHECK(counts.valid > 17000);
}

TEST_CASE("every tool of BFCL compiles in every format", "[runtime][tools][models]") {
  if (!fetched()) PUNA_SKIP("the BFCL questions are not in the cache (cmake/fetch_models.py bfcl)");
  for (const char* file :
       {"gorilla_file_system", "math_api", "memory_kv", "memory_rec_sum", "memory_vector", "message_api", "posting_api",
        "ticket_api", "trading_bot", "travel_booking", "vehicle_control", "web_search"}) {
    CAPTURE(file);
    const Tools tools = Tools::parse(ordered_json(bfcl_lines("tools_" + std::string(file) + ".jsonl")).dump());
    for (const std::string_view name : tool_format_names()) {
      CAPTURE(name);
      for (const auto kind : {ToolChoice::Kind::automatic, ToolChoice::Kind::required}) {
        ToolGrammarOptions options;
        options.choice.kind = kind;
        CHECK_NOTHROW(tool_grammar(tools, tool_format(name), options));
      }
    }
  }
}

}  // namespace test_tool_grammar_bfcl
