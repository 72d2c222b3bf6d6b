#include "runtime/tools/tool_schema.h"

#include <algorithm>

#include "base/json.h"
#include "base/shown.h"
#include "puna/base/error.h"

namespace puna {
namespace {

// As tools are listed that were made from functions of Python, Java and JavaScript (BFCL, and templates' examples).
constexpr struct {
  std::string_view word, type;  // "": any type
} kOtherWords[] = {
    {"dict", "object"},
    {"HashMap", "object"},
    {"Map", "object"},
    {"float", "number"},
    {"double", "number"},
    {"int", "integer"},
    {"long", "integer"},
    {"short", "integer"},
    {"byte", "integer"},
    {"tuple", "array"},
    {"list", "array"},
    {"set", "array"},
    {"Array", "array"},
    {"ArrayList", "array"},
    {"str", "string"},
    {"String", "string"},
    {"char", "string"},
    {"bool", "boolean"},
    {"Boolean", "boolean"},
    {"any", ""},
    {"Any", ""},
    {"", ""},
};

// What the value of a keyword is made of.
enum class Inside : uint8_t { nothing, schema, list, map };

Inside inside(std::string_view keyword) {
  constexpr std::string_view kSchemas[] = {
      "items", "additionalItems", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else"};
  constexpr std::string_view kLists[] = {"prefixItems", "allOf", "anyOf", "oneOf"};
  constexpr std::string_view kMaps[] = {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"};
  const auto is_in = [&](const auto& words) {
    return std::find(std::begin(words), std::end(words), keyword) != std::end(words);
  };
  return is_in(kSchemas) ? Inside::schema : is_in(kLists) ? Inside::list : is_in(kMaps) ? Inside::map : Inside::nothing;
}

std::string escaped(std::string_view key) {  // in a JSON pointer
  std::string out;
  for (const char c : key) out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return out;
}

// nlohmann-json's == with a literal makes a value of it, in a function that must not throw.
bool is_word(const OrderedJson& json, std::string_view word) {
  return json.is_string() && json.get_ref<const std::string&>() == word;
}

struct Place {
  OrderedJson* json;
  Inside is;
  std::string pointer;
};

// One word of "type"; false: it stands for any type.
bool translate(OrderedJson& type, const std::string& pointer, std::vector<std::string>& notes) {
  if (!type.is_string()) return true;
  const std::string word = type;
  for (const auto& other : kOtherWords) {
    if (word != other.word) continue;
    if (notes.size() < 1000)
      notes.push_back("at " + shown(pointer) + "/type: '" + shown(word) + "' is read as " +
                      (other.type.empty() ? "any type" : "'" + std::string(other.type) + "'"));
    if (!other.type.empty()) type = std::string(other.type);
    return !other.type.empty();
  }
  return true;
}

void translate_type(OrderedJson& schema, const std::string& pointer, std::vector<std::string>& notes) {
  const auto type = schema.find("type");
  if (type == schema.end()) return;
  bool any = false;
  if (type->is_array())
    for (OrderedJson& element : *type) any = !translate(element, pointer, notes) || any;
  else
    any = !translate(*type, pointer, notes);
  if (!any) return;
  dismantle(*type);  // before erase(), whose destructor would allocate
  schema.erase("type");
}

// A list of values beside the type "array" that has no list in it means the items.
void move_enum_to_items(OrderedJson& schema, const std::string& pointer, std::vector<std::string>& notes) {
  const auto type = schema.find("type"), values = schema.find("enum"), items = schema.find("items");
  if (type == schema.end() || !is_word(*type, "array") || values == schema.end() || !values->is_array()) return;
  if (std::any_of(values->begin(), values->end(), [](const OrderedJson& v) { return v.is_array(); })) return;
  if (items != schema.end() && (!items->is_object() || items->contains("enum"))) return;
  OrderedJson list = std::move(*values);
  const JsonGuard guard(list);
  schema.erase("enum");
  if (!schema.contains("items")) fresh_member(schema, "items") = OrderedJson::object();
  fresh_member(schema["items"], "enum") = std::move(list);
  if (notes.size() < 1000)
    notes.push_back("at " + shown(pointer) + "/enum: read as the values of the items, since none is an array");
}

void translate_types(OrderedJson& root, std::vector<std::string>& notes, const Watch& watch) {
  std::vector<Place> open{{&root, Inside::schema, ""}};
  while (!open.empty()) {
    watch.tick(4);
    const Place at = std::move(open.back());
    open.pop_back();
    if (at.is == Inside::schema && at.json->is_array()) {  // a list of items, up to draft 2019-09
      for (size_t i = 0; i < at.json->size(); ++i)
        open.push_back({&(*at.json)[i], Inside::schema, at.pointer + "/" + std::to_string(i)});
      continue;
    }
    if (at.is == Inside::list && at.json->is_array())
      for (size_t i = 0; i < at.json->size(); ++i)
        open.push_back({&(*at.json)[i], Inside::schema, at.pointer + "/" + std::to_string(i)});
    if (!at.json->is_object()) continue;
    if (at.is == Inside::schema) {
      translate_type(*at.json, at.pointer, notes);
      move_enum_to_items(*at.json, at.pointer, notes);
    }
    for (auto it = at.json->begin(); it != at.json->end(); ++it) {
      const Inside is = at.is == Inside::map ? Inside::schema : inside(it.key());
      if (is != Inside::nothing) open.push_back({&*it, is, at.pointer + "/" + escaped(it.key())});
    }
  }
}

bool says_more_of_keys(const OrderedJson& schema) {
  constexpr const char* kOthers[] = {
      "additionalProperties", "patternProperties", "propertyNames",     "allOf",        "anyOf", "oneOf", "$ref", "if",
      "dependentSchemas",     "dependencies",      "dependentRequired", "minProperties"};
  return std::any_of(std::begin(kOthers), std::end(kOthers), [&](const char* key) { return schema.contains(key); });
}

bool required_are_listed(const OrderedJson& schema) {
  const auto required = schema.find("required");
  if (required == schema.end() || !required->is_array()) return true;
  return std::all_of(required->begin(), required->end(), [&](const OrderedJson& name) {
    return !name.is_string() || schema["properties"].contains(name.get_ref<const std::string&>());
  });
}

}  // namespace

std::string tool_arguments_schema(const std::string& schema, std::vector<std::string>& notes, const Watch& watch) {
  if (schema.empty()) return R"({"type": "object", "additionalProperties": false})";
  OrderedJson json;
  const JsonGuard guard(json);
  json = parse_json_argument(schema, "parameters", watch, /*exactly=*/true);
  translate_types(json, notes, watch);
  const auto type = json.find("type");
  if (type != json.end()) {
    const auto is_object = [](const OrderedJson& word) { return is_word(word, "object"); };
    const bool object = type->is_array() ? std::any_of(type->begin(), type->end(), is_object) : is_object(*type);
    PUNA_REQUIRE(object, "at /type: the arguments of a call are an object, expected \"object\"");
  }
  fresh_member(json, "type") = "object";
  const auto properties = json.find("properties");
  const bool closed =
      properties != json.end() && properties->is_object() && !says_more_of_keys(json) && required_are_listed(json);
  if (closed) fresh_member(json, "additionalProperties") = false;
  return json_text(json);
}

}  // namespace puna
