// llama4_chat.cpp -- writes a dialog as Meta's code does: each text apart, so that what a message says is never a
// special token.
#include "puna/chat/llama4_chat.h"

#include "base/json.h"
#include "chat/python_text.h"
#include "puna/base/error.h"
#include "puna/chat/image_tokens.h"

namespace puna {
namespace {

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
  void require(bool condition, const char* what) const {
    if (!condition) wrong(what);
  }

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
    require(assistant || tool || role == "system" || role == "user",
            "the role must be system, user, assistant or tool");
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
    const bool unfinished =
        assistant && (called || (m.contains("stop_reason") && is_text(m["stop_reason"], "end_of_message")));
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
      if (is_text(part["type"], "text")) {
        require(part.contains("text") && part["text"].is_string(), "a text part needs its text");
        text(part["text"].get<std::string>());
      } else {
        require(is_text(part["type"], "image"), "a part must be of type text or image");
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

  void image(int64_t rows, int64_t columns, int64_t patches) {
    constexpr int64_t kMostPatches = 1 << 20;
    require(rows * columns <= kMostPatches / patches, "an image of more than 2^20 patches");
    write_image(rows, columns, patches, [&](ImageToken token, int64_t times) {
      std::string names;
      for (int64_t i = 0; i < times; ++i) names += kImageTokenNames[size_t(token)];
      special(std::move(names));
    });
  }

  std::string tool_call(const OrderedJson& call) const {
    require(call.is_object() && call.contains("name") && call["name"].is_string() && call.contains("arguments"),
            "a tool call needs a name and arguments");
    const std::string name = call["name"];
    const OrderedJson& arguments = call["arguments"];
    if (is_builtin_tool(name)) {
      const char* key = name == "code_interpreter" ? "code" : "query";
      require(arguments.is_object() && arguments.contains(key), "a builtin tool's arguments need its query or code");
      const std::string value =
          arguments[key].is_string() ? arguments[key].get<std::string>() : python_str(arguments[key]);
      return name == "code_interpreter" ? value : name + ".call(query=\"" + value + "\")";
    }
    switch (format_) {
      case ToolPromptFormat::json:
        return R"({"type": "function", "name": )" + python_json(name) + R"(, "parameters": )" + python_json(arguments) +
               "}";
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

}  // namespace

std::vector<ChatSegment> llama4_render_dialog(std::string_view messages_json, ToolPromptFormat format) {
  OrderedJson messages;
  const JsonGuard guard(messages);
  messages = parse_json_argument(messages_json, "messages", Watch(), /*exactly=*/true);
  PUNA_REQUIRE(messages.is_array(), "messages: expected a JSON array");
  return Writer(format).dialog(messages);
}

}  // namespace puna
