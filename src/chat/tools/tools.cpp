// tools.cpp -- the list of tools, from OpenAI's JSON.
#include "puna/chat/tools.h"

#include <algorithm>
#include <unordered_set>

#include "base/json.h"
#include "base/nearest.h"
#include "puna/base/error.h"

namespace puna {
namespace {

constexpr size_t kMostTools = 1024, kMostToolName = 64;

[[noreturn]] void wrong_tool(const std::string& pointer, const std::string& what) {
  fail(Status::invalid_argument, "tools: %s: %s", pointer.c_str(), what.c_str());
}

bool is_tool_name(std::string_view name) {
  return !name.empty() && name.size() <= kMostToolName && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' || c == '-' || c == '.';
  });
}

// "name": "get weather" -> the tool's place and, once it is known, its name.
class ToolReader {
 public:
  ToolReader(const OrderedJson& json, size_t index) : json_(json), at_("/" + std::to_string(index)) {}

  Tool read() {
    if (!json_.is_object()) wrong("", "expected an object");
    const OrderedJson* function = &json_;
    if (json_.contains("type") && !is_text(json_["type"], "function"))
      wrong("/type", "expected \"function\", the only kind of tool there is");
    if (json_.contains("function")) {
      function = &json_["function"];
      at_ += "/function";
      if (!function->is_object()) wrong("", "expected an object with a name");
    }
    require_no_typo(json_, {"type", "function", "name", "description", "parameters", "strict"});
    if (function != &json_) require_no_typo(*function, {"name", "description", "parameters", "strict"});
    Tool tool;
    if (!function->contains("name") || !(*function)["name"].is_string())
      wrong("/name", "expected a text, the tool's name");
    tool.name = (*function)["name"];
    if (!is_tool_name(tool.name))
      wrong("/name",
            "'" + tool.name.substr(0, 80) + "' is no tool's name: 1 to 64 letters (a-z, A-Z), digits, _, - and .");
    name_ = tool.name;
    if (const OrderedJson* d = field(*function, "description")) {
      if (!d->is_string()) wrong("/description", "expected a text");
      tool.description = *d;
    }
    if (const OrderedJson* p = field(*function, "parameters")) {
      if (!p->is_object()) wrong("/parameters", "expected an object, the JSON Schema of the arguments");
      tool.parameters = json_text(*p);
    }
    if (const OrderedJson* s = field(*function, "strict")) {
      if (!s->is_boolean()) wrong("/strict", "expected true or false");
      tool.strict = *s;
    }
    tool.json =
        function == &json_ ? "{\"type\": \"function\", \"function\": " + json_text(json_) + "}" : json_text(json_);
    return tool;
  }

  [[noreturn]] void wrong(const char* pointer, const std::string& what) const {
    wrong_tool(at_ + pointer, (name_.empty() ? "" : "tool '" + name_ + "': ") + what);
  }

 private:
  static const OrderedJson* field(const OrderedJson& object, const char* key) {  // null is none
    const auto at = object.find(key);
    return at == object.end() || at->is_null() ? nullptr : &*at;
  }

  // Fields that are not ours go to the template; one that is nearly ours was meant to be.
  void require_no_typo(const OrderedJson& object, std::initializer_list<std::string_view> known) const {
    for (const auto& [key, value] : object.items()) {
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      const std::string meant = did_you_mean(key, known);
      if (!meant.empty()) wrong("", "'" + key.substr(0, 80) + "' is no field of a tool" + meant);
    }
  }

  const OrderedJson& json_;
  std::string at_, name_;
};

}  // namespace

Tools Tools::parse(std::string_view text) {
  OrderedJson json;
  const JsonGuard guard(json);
  json = parse_json_argument(text, "tools", Watch(), /*exactly=*/true);
  if (!json.is_array()) fail(Status::invalid_argument, "tools: expected a JSON list of tools");
  if (json.size() > kMostTools)
    fail(Status::invalid_argument, "tools: %zu tools, at most %zu are taken", json.size(), kMostTools);
  Tools out;
  std::unordered_set<std::string> names;
  for (size_t i = 0; i < json.size(); ++i) {
    ToolReader reader(json[i], i);
    Tool tool = reader.read();
    if (!names.insert(tool.name).second) reader.wrong("/name", "an earlier tool has this name");
    out.all_.push_back(std::move(tool));
  }
  return out;
}

const Tool* Tools::find(std::string_view name) const noexcept {
  for (const Tool& t : all_)
    if (t.name == name) return &t;
  return nullptr;
}

std::string Tools::json() const {
  std::string out = "[";
  for (const Tool& t : all_) out += (out.size() > 1 ? ", " : "") + t.json;
  return out + "]";
}

std::string told_of_tools(const Tools& tools) {
  return "You can call these functions:\n" + tools.json() +
         "\nTo call one, answer with nothing but {\"name\": its name, \"parameters\": an object with its arguments}.";
}

}  // namespace puna
