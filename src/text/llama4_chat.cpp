#include "puna/text/llama4_chat.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include "base/json.h"
#include "puna/base/error.h"
#include "text/jinja_unicode.h"
#include "text/python_calls.h"

namespace puna {
namespace {

constexpr std::string_view kBuiltin[] = {"brave_search", "wolfram_alpha", "photogen", "code_interpreter"};
bool is_builtin(std::string_view name) { return std::find(std::begin(kBuiltin), std::end(kBuiltin), name) != std::end(kBuiltin); }

// ---- writing

class Writer {
 public:
  explicit Writer(ToolPromptFormat format) : format_(format) {}

  std::vector<ChatSegment> dialog(const OrderedJson& messages) {
    special("<|begin_of_text|>");
    for (index_ = 0; index_ < messages.size(); ++index_) message(messages[index_]);
    header("assistant");
    return std::move(out_);
  }

 private:
  [[noreturn]] void wrong(const char* what) const { fail(Status::invalid_argument, "message %zu: %s", index_, what); }
  void require(bool condition, const char* what) const { if (!condition) wrong(what); }

  void special(std::string name) { out_.push_back({std::move(name), true}); }
  void text(std::string s) {
    if (!s.empty()) out_.push_back({std::move(s), false});
  }
  void header(const std::string& role) {
    special("<|header_start|>");
    text(role);
    special("<|header_end|>");
    text("\n\n");
  }

  void message(const OrderedJson& m) {
    require(m.is_object() && m.contains("role") && m["role"].is_string(), "expected an object with a role");
    const std::string role = m["role"];
    const bool assistant = role == "assistant", tool = role == "tool";
    require(assistant || tool || role == "system" || role == "user", "the role must be system, user, assistant or tool");
    header(tool ? "ipython" : role);
    if (m.contains("content")) content(m["content"]);
    if (role == "user" && m.contains("context") && !m["context"].is_null()) {
      text("\n\n");
      content(m["context"]);
    }
    bool called = false;
    if (assistant && m.contains("tool_calls") && !m["tool_calls"].is_null()) {
      require(m["tool_calls"].is_array(), "tool_calls must be a list");
      for (const OrderedJson& call : m["tool_calls"]) text(tool_call(call));
      called = !m["tool_calls"].empty();
    }
    const bool unfinished = assistant && (called || (m.contains("stop_reason") && m["stop_reason"] == "end_of_message"));
    special(unfinished || tool ? "<|eom|>" : "<|eot|>");
  }

  void content(const OrderedJson& c) {
    if (c.is_string()) return text(c.get<std::string>());
    if (c.is_null()) return;
    require(c.is_array(), "content must be a text or a list of parts");
    for (const OrderedJson& part : c) {
      if (part.is_string()) {
        text(part.get<std::string>());
        continue;
      }
      require(part.is_object() && part.contains("type"), "a part must be a text or an object with a type");
      if (part["type"] == "text") {
        require(part.contains("text") && part["text"].is_string(), "a text part needs its text");
        text(part["text"].get<std::string>());
      } else {
        require(part["type"] == "image", "a part must be of type text or image");
        image(count(part, "rows"), count(part, "columns"), count(part, "patches"));
      }
    }
  }

  int64_t count(const OrderedJson& part, const char* key) const {
    constexpr int64_t kMost = 4096;  // tiles a side, patches a tile: far beyond any model
    require(part.contains(key) && part[key].is_number_integer(), "an image part needs rows, columns and patches");
    const int64_t n = part[key].get<int64_t>();
    require(n >= 1 && n <= kMost, "an image part's rows, columns and patches must be between 1 and 4096");
    return n;
  }

  // Tiles row by row, then the whole image at one tile's size; one tile is just itself.
  void image(int64_t rows, int64_t columns, int64_t patches) {
    constexpr int64_t kMostPatches = 1 << 20;
    require(rows * columns <= kMostPatches / patches, "an image of more than 2^20 patches");
    std::string tile;
    for (int64_t i = 0; i < patches; ++i) tile += "<|patch|>";
    special("<|image_start|>");
    for (int64_t y = 0; y < rows && rows * columns > 1; ++y) {
      for (int64_t x = 0; x < columns; ++x) {
        special(tile);
        if (x + 1 < columns) special("<|tile_x_separator|>");
      }
      special("<|tile_y_separator|>");
    }
    special("<|image|>");
    special(tile);
    special("<|image_end|>");
  }

  std::string tool_call(const OrderedJson& call) const {
    require(call.is_object() && call.contains("name") && call["name"].is_string() && call.contains("arguments"), "a tool call needs a name and arguments");
    const std::string name = call["name"];
    const OrderedJson& arguments = call["arguments"];
    if (is_builtin(name)) {
      const char* key = name == "code_interpreter" ? "code" : "query";
      require(arguments.is_object() && arguments.contains(key), "a builtin tool's arguments need its query or code");
      const std::string value = arguments[key].is_string() ? arguments[key].get<std::string>() : python_str(arguments[key]);
      return name == "code_interpreter" ? value : name + ".call(query=\"" + value + "\")";
    }
    switch (format_) {
      case ToolPromptFormat::json:
        return python_json(OrderedJson{{"type", "function"}, {"name", name}, {"parameters", arguments}});
      case ToolPromptFormat::function_tag: return "<function=" + name + ">" + python_json(arguments) + "</function>";
      case ToolPromptFormat::python_list: break;
    }
    require(arguments.is_object(), "arguments must be an object");
    return "[" + name + "(" + keywords(arguments) + ")]";
  }

  static std::string keywords(const OrderedJson& object) {
    std::string out;
    for (const auto& [key, value] : object.items()) out += (out.empty() ? "" : ", ") + key + "=" + python_value(value);
    return out;
  }
  static std::string python_value(const OrderedJson& v) {  // Meta's notation: strings are not escaped, dicts are {k=v}
    if (v.is_string()) return "\"" + v.get<std::string>() + "\"";
    if (v.is_object()) return "{" + keywords(v) + "}";
    if (!v.is_array()) return python_str(v);
    std::string out;
    for (const OrderedJson& item : v) out += (out.empty() ? "" : ", ") + python_value(item);
    return "[" + out + "]";
  }

  const ToolPromptFormat format_;
  size_t index_ = 0;
  std::vector<ChatSegment> out_;
};

// ---- reading

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
    return parse_ordered_json(text, "tool call");
  } catch (const Error&) {
    return nullptr;
  }
}

// <function=NAME>{ARGUMENTS}: the name reaches as far as it can without a '}', the arguments end at the first '}' of their line.
Call function_tag(std::string_view s, bool& found) {
  constexpr std::string_view kOpen = "<function=";
  for (size_t at = 0, end = 0; (at = s.find(kOpen, at)) != s.npos; at = end) {  // another one before `end` would fail the same way
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
    OrderedJson parsed = json_or_null(arguments);
    if (!parsed.is_object()) return std::nullopt;
    return PythonCall(s.substr(start, split - start), std::move(parsed));
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
    const OrderedJson json = json_or_null(s);
    const bool names = json.is_object() && json.contains("name") && json["name"].is_string();
    const bool callable = names && json.contains("parameters") && (json["parameters"].is_object() || json["parameters"].is_string());
    if (!callable) return std::nullopt;
    return PythonCall(json["name"], json["parameters"]);
  }
  const auto calls = parse_python_calls(s);
  if (!calls) return std::nullopt;
  return calls->front();  // Meta's code drops the others
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
    return PythonCall(s.substr(name, at - name), OrderedJson{{"query", std::string(s.substr(start, end - start))}});
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

std::vector<ChatSegment> llama4_render_dialog(std::string_view messages_json, ToolPromptFormat format) {
  OrderedJson messages;
  try {
    messages = parse_ordered_json(messages_json, "messages");
  } catch (const Error& e) {  // the caller's JSON, not a file's
    fail(Status::invalid_argument, "%s", e.what());
  }
  PUNA_REQUIRE(messages.is_array(), "messages: expected a JSON array");
  return Writer(format).dialog(messages);
}

AssistantMessage llama4_parse_assistant(std::string_view text, StopReason stop_reason) {
  const size_t first = text.find_first_not_of(' ');
  std::string s(first == text.npos ? "" : text.substr(first, text.find_last_not_of(' ') - first + 1));
  take_prefix(s, "<|header_start|>assistant<|header_end|>\n\n");
  const bool python = take_prefix(s, "<|python_start|>");
  if (python) s = without(s, "<|python_end|>");

  AssistantMessage out;
  out.stop_reason = stop_reason;
  if (take_suffix(s, "<|eot|>")) {
    out.stop_reason = StopReason::end_of_turn;
  } else if (take_suffix(s, "<|eom|>")) {
    out.stop_reason = StopReason::end_of_message;
  }

  Call call = custom_call(s);
  if (call && is_builtin(call->first)) {  // a builtin tool called in a custom tool's notation: its first argument is the query
    if (call->second.is_object() && !call->second.empty()) {
      call->second = OrderedJson{{"query", call->second.front()}};
    } else {
      call.reset();
    }
  } else if (!call) {
    call = builtin_call(s);
    if (!call && python) call = PythonCall("code_interpreter", OrderedJson{{"code", s}});
  }
  if (call) {
    out.tool_calls.push_back({call->first, is_builtin(call->first), python_json(call->second)});
  } else {
    out.content = std::move(s);
  }
  return out;
}

}  // namespace puna
