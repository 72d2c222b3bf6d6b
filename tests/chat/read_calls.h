// read_calls.h -- an answer through a ToolCallParser: what it said, which tools it called, and that every byte of it is
// one or the other.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "puna/chat/tool_parser.h"
#include "support/catch.h"

namespace puna::test {

struct ReadCall {
  std::string name, arguments;
  bool complete = false;
  bool operator==(const ReadCall&) const = default;
};

struct ReadAnswer {
  std::string text;  // where a call stood: U+2502 "│"
  std::string thought;
  std::vector<ReadCall> calls;
  bool operator==(const ReadAnswer&) const = default;
};

inline Tools tools_named(const std::vector<std::string>& names) {
  nlohmann::json list = nlohmann::json::array();
  for (const std::string& name : names) list.push_back({{"name", name}});
  return Tools::parse(list.dump());
}

// `pieces` joined are the answer. with_marks: not all of it is said, marks of thoughts and headers are not.
inline ReadAnswer read_answer(ToolCallParser& parser, const std::vector<std::string_view>& pieces,
                              bool with_marks = false) {
  std::string whole;
  for (const std::string_view p : pieces) whole += p;
  ReadAnswer out;
  uint64_t at = 0;
  bool open = false, fine = true;
  const auto sink = [&](const ToolEvent& e) {
    using Kind = ToolEvent::Kind;
    switch (e.kind) {
      case Kind::text:
      case Kind::thought:
        fine = fine && !open && !e.text.empty() && e.begin >= at && e.end == e.begin + e.text.size() &&
               e.end <= whole.size() && std::string_view(whole).substr(size_t(e.begin), e.text.size()) == e.text;
        fine = fine && (e.begin == at || with_marks || !out.calls.empty());  // what is left out belongs to calls
        (e.kind == Kind::text ? out.text : out.thought) += e.text;
        at = e.end;
        break;
      case Kind::call_begin:
        fine = fine && !open && e.call == out.calls.size();
        out.calls.push_back({std::string(e.text), "", false});
        out.text += "│";
        open = true;
        break;
      case Kind::arguments:
        fine = fine && open && e.call + 1 == out.calls.size() && !e.text.empty();
        if (open) out.calls.back().arguments += e.text;
        break;
      case Kind::call_end:
        fine =
            fine && open && e.call + 1 == out.calls.size() && e.begin >= at && e.end > e.begin && e.end <= whole.size();
        if (open) out.calls.back().complete = e.complete;
        open = false;
        at = e.end;
        break;
    }
  };
  for (const std::string_view p : pieces) parser.push(p, sink);
  parser.finish(sink);
  CHECK(fine);
  CHECK_FALSE(open);
  if (out.calls.empty() && !with_marks) CHECK(out.text == whole);
  for (const ReadCall& c : out.calls)
    if (c.complete) CHECK(nlohmann::json::accept(c.arguments));
  return out;
}

inline bool has_headers(std::string_view format) { return format == "harmony"; }

inline std::vector<std::string_view> cut(std::string_view text, size_t size) {
  std::vector<std::string_view> pieces;
  for (size_t at = 0; at < text.size(); at += size) pieces.push_back(text.substr(at, size));
  return pieces;
}

}  // namespace puna::test
