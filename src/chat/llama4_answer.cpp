// llama4_answer.cpp -- reads an answer as Meta's code does: a tool call in one of four notations, or text.
#include <algorithm>
#include <optional>

#include "base/json.h"
#include "chat/jinja/unicode.h"
#include "chat/python_calls.h"
#include "puna/base/error.h"
#include "puna/chat/llama4_chat.h"

namespace puna {
namespace {

using Call = std::optional<PythonCall>;

// Key order costs a search through the object for every key, so what has thousands of keys is not taken for a call.
bool has_many_keys(std::string_view text) {
  constexpr int kMany = 4096;
  int keys = 0;
  for (size_t at = 0; keys <= kMany && (at = text.find(':', at)) != text.npos; ++at) {
    const size_t quote = at == 0 ? text.npos : text.find_last_not_of(" \t\r\n", at - 1);
    keys += quote != text.npos && text[quote] == '"' && (quote == 0 || text[quote - 1] != '\\');
  }
  return keys > kMany;
}

OrderedJson json_or_null(std::string_view text) {
  if (has_many_keys(text)) return nullptr;
  try {
    return parse_ordered_json(text, "tool call", Watch(), /*exactly=*/true);
  } catch (const Error&) {
    return nullptr;
  }
}

// <function=NAME>{ARGUMENTS}: the name reaches as far as it can without a '}', the arguments end at the first '}' of
// their line.
Call function_tag(std::string_view s, bool& found) {
  constexpr std::string_view kOpen = "<function=";
  for (size_t at = 0, end = 0; (at = s.find(kOpen, at)) != s.npos;
       at = end) {  // another one before `end` would fail the same way
    const size_t start = at + kOpen.size();
    end = s.find('}', start);
    if (end == s.npos) return std::nullopt;
    const std::string_view inside = s.substr(start, end - start);
    const size_t arrow = inside.rfind(">{"), newline = inside.rfind('\n');
    if (arrow == inside.npos || arrow == 0 || (newline != inside.npos && newline > arrow)) continue;
    const size_t split = start + arrow;
    found = true;
    std::string arguments(s.substr(split + 1, end - split));
    std::replace(arguments.begin(), arguments.end(), '\'', '"');
    PythonCall call(std::string(s.substr(start, split - start)));
    call.arguments = json_or_null(arguments);
    if (!call.arguments.is_object()) return std::nullopt;
    return call;
  }
  return std::nullopt;
}

Call custom_call(const std::string& s) {
  bool tagged = false;
  Call call = function_tag(s, tagged);
  if (tagged) return call;
  const size_t first = s.find_first_not_of(" \t\r\n");
  if (first == s.npos) return std::nullopt;
  if (s[first] == '{') {
    OrderedJson json = json_or_null(s);
    const JsonGuard guard(json);
    const bool names = json.is_object() && json.contains("name") && json["name"].is_string();
    const bool callable =
        names && json.contains("parameters") && (json["parameters"].is_object() || json["parameters"].is_string());
    if (!callable) return std::nullopt;
    PythonCall call(json["name"].get<std::string>());
    call.arguments = std::move(json["parameters"]);
    return call;
  }
  auto calls = parse_python_calls(s);
  if (!calls) return std::nullopt;
  return std::move(calls->front());  // Meta's code drops the others
}

Call with_argument(std::string name, const char* key, OrderedJson value) {
  PythonCall call(std::move(name));
  fresh_member(call.arguments, key) = std::move(value);
  return call;
}

// NAME.call(query="...") anywhere in the text.
Call builtin_call(std::string_view s) {
  constexpr std::string_view kCall = ".call(query=\"";
  for (size_t at = 0; (at = s.find(kCall, at)) != s.npos; ++at) {
    const size_t start = at + kCall.size(), end = s.find('"', start);
    if (end == s.npos) return std::nullopt;
    if (end + 1 >= s.size() || s[end + 1] != ')') continue;
    size_t name = at;
    while (name > 0) {
      size_t previous = name - 1;
      while (previous > 0 && (uint8_t(s[previous]) & 0xc0) == 0x80) --previous;
      size_t next = previous;
      const char32_t c = jinja::next_code_point(s, next);
      if (c != '_' && !jinja::is_alnum(c)) break;
      name = previous;
    }
    if (name == at) continue;
    return with_argument(std::string(s.substr(name, at - name)), "query", std::string(s.substr(start, end - start)));
  }
  return std::nullopt;
}

bool take_prefix(std::string& s, std::string_view prefix) {
  if (!s.starts_with(prefix)) return false;
  s.erase(0, prefix.size());
  return true;
}

bool take_suffix(std::string& s, std::string_view suffix) {
  if (!s.ends_with(suffix)) return false;
  s.erase(s.size() - suffix.size());
  return true;
}

std::string without(std::string_view s, std::string_view what) {
  std::string out;
  for (size_t at; (at = s.find(what)) != s.npos; s.remove_prefix(at + what.size())) out += s.substr(0, at);
  return out += s;
}

}  // namespace

AssistantMessage llama4_parse_assistant(std::string_view text, MessageEnd end) {
  const size_t first = text.find_first_not_of(' ');
  std::string s(first == text.npos ? "" : text.substr(first, text.find_last_not_of(' ') - first + 1));
  take_prefix(s, "<|header_start|>assistant<|header_end|>\n\n");
  const bool python = take_prefix(s, "<|python_start|>");
  if (python) s = without(s, "<|python_end|>");

  AssistantMessage out;
  out.end = end;
  if (take_suffix(s, "<|eot|>")) {
    out.end = MessageEnd::end_of_turn;
  } else if (take_suffix(s, "<|eom|>")) {
    out.end = MessageEnd::end_of_message;
  }

  Call call = custom_call(s);
  if (call && is_builtin_tool(
                  call->name)) {  // a builtin tool called in a custom tool's notation: its first argument is the query
    const bool has_query = call->arguments.is_object() && !call->arguments.empty();
    call = has_query ? with_argument(call->name, "query", std::move(call->arguments.front())) : std::nullopt;
  } else if (!call) {
    call = builtin_call(s);
    if (!call && python) call = with_argument("code_interpreter", "code", s);
  }
  if (call) {
    out.tool_calls.push_back({call->name, is_builtin_tool(call->name), python_json(call->arguments)});
  } else {
    out.content = std::move(s);
  }
  return out;
}

}  // namespace puna
