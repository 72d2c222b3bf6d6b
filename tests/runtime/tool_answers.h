// tool_answers.h -- answers that call tools: whether arguments keep to a tool's parameters, told by a checker that
// knows nothing of grammars.
#pragma once
#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "chat/read_calls.h"
#include "grammar/schema_texts.h"
#include "puna/runtime/tool_grammar.h"

namespace puna::test {

using ordered_json = nlohmann::ordered_json;

inline std::string plain(const std::vector<ChatSegment>& segments) {
  std::string out;
  for (const ChatSegment& s : segments) out += s.text;
  return out;
}

// The type by which JSON Schema calls what lists of tools call so; "" = any.
inline std::string json_type(const std::string& word) {
  static const std::vector<std::pair<std::string, std::vector<std::string>>> kWords = {
      {"object", {"dict", "HashMap"}},
      {"number", {"float", "double"}},
      {"integer", {"long"}},
      {"string", {"String", "char"}},
      {"array", {"tuple", "Array", "ArrayList"}},
      {"boolean", {"Boolean"}},
      {"", {"any"}}};
  for (const auto& [type, words] : kWords)
    if (std::find(words.begin(), words.end(), word) != words.end()) return type;
  return word;
}

inline bool has_type(const ordered_json& v, const std::string& type) {
  if (type.empty()) return true;
  if (type == "integer") return v.is_number() && v.get<double>() == double(int64_t(v.get<double>()));
  return type == "object"    ? v.is_object()
         : type == "array"   ? v.is_array()
         : type == "string"  ? v.is_string()
         : type == "boolean" ? v.is_boolean()
         : type == "number"  ? v.is_number()
                             : type == "null" && v.is_null();
}

// The keywords that BFCL's tools have. `closed`: no keys but those listed.
inline bool conforms(const ordered_json& schema, const ordered_json& v, bool closed = false) {
  if (schema.contains("type") && !has_type(v, json_type(schema["type"]))) return false;
  const bool of_items =
      v.is_array() && schema.contains("enum") &&  // as some of BFCL's tools mean it
      std::none_of(schema["enum"].begin(), schema["enum"].end(), [](auto& e) { return e.is_array(); });
  if (of_items)
    for (const ordered_json& item : v)
      if (std::find(schema["enum"].begin(), schema["enum"].end(), item) == schema["enum"].end()) return false;
  if (schema.contains("format") && schema["format"] == "date" && v.is_string() && v.get<std::string>().size() != 10)
    return false;
  if (!of_items && schema.contains("enum") &&
      std::find(schema["enum"].begin(), schema["enum"].end(), v) == schema["enum"].end())
    return false;
  if (schema.contains("maximum") && v.is_number() && v.get<double>() > schema["maximum"].get<double>()) return false;
  if (v.is_string() && schema.contains("maxLength")) {
    const std::string text = v;
    const auto begins = [](char c) { return (uint8_t(c) & 0xc0) != 0x80; };  // characters, not bytes
    if (std::count_if(text.begin(), text.end(), begins) > schema["maxLength"].get<std::ptrdiff_t>()) return false;
  }
  if (v.is_array()) {
    if (schema.contains("minItems") && v.size() < schema["minItems"]) return false;
    if (schema.contains("maxItems") && v.size() > schema["maxItems"]) return false;
    if (schema.contains("items"))
      for (const ordered_json& item : v)
        if (!conforms(schema["items"], item)) return false;
  }
  if (!v.is_object()) return true;
  const ordered_json properties = schema.value("properties", ordered_json::object());
  if (schema.contains("required"))
    for (const ordered_json& name : schema["required"])
      if (!v.contains(name.get<std::string>())) return false;
  for (const auto& [key, value] : v.items()) {
    if (properties.contains(key) ? !conforms(properties[key], value) : closed) return false;
    if (!properties.contains(key) && schema.value("additionalProperties", ordered_json(true)) == false) return false;
  }
  return true;
}

inline bool conforms(const Tools& tools, const std::string& name, const std::string& arguments) {
  const Tool* tool = tools.find(name);
  if (!tool || !ordered_json::accept(arguments)) return false;
  const ordered_json schema = tool->parameters.empty() ? ordered_json::object() : ordered_json::parse(tool->parameters);
  const ordered_json value = ordered_json::parse(arguments);
  return value.is_object() && conforms(schema, value, schema.contains("properties") || tool->parameters.empty());
}

// Keys in the order of the schema's properties, the others behind them, as constrained answers have them.
inline ordered_json in_schema_order(const ordered_json& schema, const ordered_json& v) {
  if (v.is_array()) {
    ordered_json out = ordered_json::array();
    for (const ordered_json& item : v)
      out.push_back(in_schema_order(schema.value("items", ordered_json::object()), item));
    return out;
  }
  if (!v.is_object()) return v;
  const ordered_json properties = schema.value("properties", ordered_json::object());
  ordered_json out = ordered_json::object();
  for (const auto& [key, inner] : properties.items())
    if (v.contains(key)) out[key] = in_schema_order(inner, v[key]);
  for (const auto& [key, value] : v.items())
    if (!properties.contains(key)) out[key] = value;
  return out;
}

}  // namespace puna::test
