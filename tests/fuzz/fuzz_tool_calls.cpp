// An answer as a model may write it, behind two bytes that choose the format and where the stream is cut. Nothing may
// come out of the parser but events: the same wherever it is cut, texts that are the answer's own bytes in order, what
// is left out only where calls were, and arguments that are JSON.
#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "expect_error.h"
#include "puna/chat/tool_parser.h"
#include "target.h"

using namespace puna::test;

namespace {

struct Heard {
  std::string text, thought;
  std::vector<std::string> calls;
  bool operator==(const Heard&) const = default;
};

bool is_json_object(std::string_view text) {
  try {
    return nlohmann::json::parse(text).is_object();
  } catch (const nlohmann::json::out_of_range&) {
    return true;  // 1e999 is JSON, too; nlohmann-json reads no further
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

Heard hear(std::string_view format, std::string_view answer, bool early, bool thoughts, size_t piece) {
  static const puna::Tools tools = puna::Tools::parse(
      R"([{"name": "f"}, {"name": "get_weather"}, {"name": "math.sqrt"}, {"name": "code_interpreter"}])");
  puna::ToolCallParser::Options options;
  options.early = early;
  options.thoughts = thoughts;
  options.begins_in_thought = thoughts && answer.size() % 5 == 0;
  const bool with_marks = thoughts || format == "harmony";  // marks and headers are not said
  options.most_held = 4096;
  puna::ToolCallParser parser(tools, puna::tool_format(format), options);
  Heard out;
  uint64_t at = 0;
  bool open = false;
  const auto sink = [&](const puna::ToolEvent& e) {
    using Kind = puna::ToolEvent::Kind;
    if (e.kind == Kind::text || e.kind == Kind::thought) {
      require(!open && !e.text.empty() && e.begin >= at && e.end <= answer.size());
      require(answer.substr(size_t(e.begin), size_t(e.end - e.begin)) == e.text);
      require(e.begin == at || with_marks || !out.calls.empty());
      require(e.kind == Kind::text || thoughts);
      (e.kind == Kind::text ? out.text : out.thought) += e.text;
      at = e.end;
    } else if (e.kind == Kind::call_begin) {
      require(!open && e.call == out.calls.size());
      out.calls.push_back(std::string(e.text) + ' ');
      open = true;
    } else if (e.kind == Kind::arguments) {
      require(open && !e.text.empty());
      out.calls.back() += e.text;
    } else {
      require(open && e.begin >= at && e.begin < e.end && e.end <= answer.size() && (early || e.complete));
      const std::string& call = out.calls.back();
      if (e.complete) require(is_json_object(std::string_view(call).substr(call.find(' '))));
      out.calls.back() += e.complete ? " whole" : " broken";
      open = false;
      at = e.end;
    }
  };
  for (size_t i = 0; i < answer.size(); i += piece) parser.push(answer.substr(i, piece), sink);
  parser.finish(sink);
  require(!open && (with_marks || !out.calls.empty() || out.text == answer));
  return out;
}

}  // namespace

FUZZ_TARGET(tool_calls) {
  if (size < 2) return 0;
  const std::string_view answer(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::vector<std::string_view> formats = puna::tool_format_names();
  const std::string_view format = formats[data[0] % formats.size()];
  for (const bool early : {false, true})
    for (const bool thoughts : {false, true}) {
      const Heard whole = hear(format, answer, early, thoughts, size);
      require(hear(format, answer, early, thoughts, 1) == whole);
      require(hear(format, answer, early, thoughts, size_t(data[1] % 16) + 2) == whole);
      accepted = accepted || !whole.calls.empty() || !whole.thought.empty();
    }
  return 0;
}
