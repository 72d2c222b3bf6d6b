// test_negations.cpp -- `not` and `oneOf` over objects and arrays: random schemas, and every small value, judged by a
// few lines that read the standard.
#include <random>

#include "grammar/schema_texts.h"
#include "puna/grammar/grammar.h"
#include "support/catch.h"
#include "support/status.h"

namespace puna::test {
namespace {

bool holds(const OrderedJson& schema, const OrderedJson& value);

bool object_holds(const OrderedJson& schema, const OrderedJson& value) {
  for (const auto& [key, inner] : value.items()) {
    bool named = false;
    if (schema.contains("properties") && schema["properties"].contains(key)) {
      named = true;
      if (!holds(schema["properties"][key], inner)) return false;
    }
    if (schema.contains("patternProperties"))
      for (const auto& [pattern, other] : schema["patternProperties"].items())  // "^x"
        if (key[0] == pattern[1]) {
          named = true;
          if (!holds(other, inner)) return false;
        }
    if (!named && schema.contains("additionalProperties") && !holds(schema["additionalProperties"], inner))
      return false;
    if (schema.contains("propertyNames") && !holds(schema["propertyNames"], key)) return false;
  }
  if (schema.contains("required"))
    for (const OrderedJson& key : schema["required"])
      if (!value.contains(key.get<std::string>())) return false;
  return true;
}

bool array_holds(const OrderedJson& schema, const OrderedJson& value) {
  const size_t prefix = schema.contains("prefixItems") ? schema["prefixItems"].size() : 0;
  for (size_t i = 0; i < value.size(); ++i) {
    if (i < prefix && !holds(schema["prefixItems"][i], value[i])) return false;
    if (i >= prefix && schema.contains("items") && !holds(schema["items"], value[i])) return false;
  }
  if (!schema.contains("contains")) return true;
  return std::any_of(value.begin(), value.end(), [&](const OrderedJson& v) { return holds(schema["contains"], v); });
}

bool holds(const OrderedJson& schema, const OrderedJson& value) {
  if (schema.is_boolean()) return schema.get<bool>();
  if (schema.contains("type")) {
    const std::string type = schema["type"].get<std::string>();
    const bool is = (type == "integer" && value.is_number_integer()) || (type == "string" && value.is_string()) ||
                    (type == "object" && value.is_object()) || (type == "array" && value.is_array());
    if (!is) return false;
  }
  if (schema.contains("const") && schema["const"] != value) return false;
  if (value.is_object() && !object_holds(schema, value)) return false;
  if (value.is_array() && !array_holds(schema, value)) return false;
  if (schema.contains("not") && holds(schema["not"], value)) return false;
  if (schema.contains("oneOf") && std::count_if(schema["oneOf"].begin(), schema["oneOf"].end(),
                                                [&](const OrderedJson& s) { return holds(s, value); }) != 1)
    return false;
  return true;
}

class Random {
 public:
  explicit Random(uint32_t seed) : random_(seed) {}
  bool often() { return random_() % 3 != 0; }
  bool rarely() { return random_() % 4 == 0; }
  OrderedJson leaf() {
    static const OrderedJson all[] = {true, false, {{"type", "integer"}}, {{"type", "string"}}, {{"const", 1}}};
    return all[random_() % 5];
  }
  OrderedJson object() {
    OrderedJson s = OrderedJson::object();
    for (const char* key : {"a", "b"})
      if (often()) s["properties"][key] = leaf();
    if (rarely()) s["patternProperties"]["^x"] = leaf();
    if (often()) s["additionalProperties"] = leaf();
    if (rarely()) s["propertyNames"] = {{"not", {{"const", random_() % 2 ? "b" : "y"}}}};
    for (const char* key : {"a", "x"})
      if (rarely()) s["required"].push_back(key);
    return s;
  }
  OrderedJson array() {
    OrderedJson s = OrderedJson::object();
    if (rarely()) s["prefixItems"] = OrderedJson::array({leaf(), leaf()});
    if (often()) s["items"] = s.contains("prefixItems") ? OrderedJson(rarely()) : leaf();
    if (rarely() && s.empty()) s["contains"] = leaf();
    return s;
  }

 private:
  std::mt19937 random_;
};

std::vector<OrderedJson> small_objects() {
  std::vector<OrderedJson> all{OrderedJson::object()};
  for (const char* key : {"a", "b", "x", "y"})
    for (size_t i = 0, n = all.size(); i < n; ++i)
      for (const OrderedJson& value : {OrderedJson(1), OrderedJson(2), OrderedJson("s")}) {
        all.push_back(all[i]);
        all.back()[key] = value;
      }
  return all;
}

std::vector<OrderedJson> small_arrays() {
  std::vector<OrderedJson> all{OrderedJson::array()};
  for (size_t i = 0; all[i].size() < 3; ++i)
    for (const OrderedJson& value : {OrderedJson(1), OrderedJson(2), OrderedJson("s")}) {
      all.push_back(all[i]);
      all.back().push_back(value);
    }
  return all;
}

// What is let through holds, and what holds is let through with its keys in some order. Returns how many schemas
// compiled of those that something satisfies.
int compare(const std::vector<OrderedJson>& schemas, const std::vector<OrderedJson>& values) {
  int compiled = 0;
  for (const OrderedJson& schema : schemas) {
    std::string refused;
    GrammarPtr grammar;
    try {
      grammar = grammar_from_json_schema(json_text(schema));
    } catch (const Error& e) {
      refused = e.what();
    }
    CAPTURE(json_text(schema), refused);
    if (!grammar) {
      if (refused.find("matches no text") == std::string::npos) continue;
      for (const OrderedJson& value : values) CHECK_FALSE(holds(schema, value));
      continue;
    }
    ++compiled;
    Matcher matcher = byte_matcher(grammar);
    for (const OrderedJson& value : values) {
      bool accepted = false;
      for (const std::string& text : texts_in_every_order(value, 24)) accepted = accepted || accepts(matcher, text);
      if (accepted != holds(schema, value)) FAIL(json_text(value) << (accepted ? " is let through" : " is refused"));
    }
  }
  return compiled;
}

}  // namespace

TEST_CASE("an object is let through where what `not` says of its keys does not hold", "[grammar]") {
  Random random(7);
  std::vector<OrderedJson> schemas;
  for (int i = 0; i < 60; ++i) {
    OrderedJson s = random.object();
    s["type"] = "object";
    s["not"] = random.object();
    schemas.push_back(std::move(s));
  }
  CHECK(compare(schemas, small_objects()) > 40);
}

TEST_CASE("of two objects that may both be meant, oneOf lets through what is one and not the other", "[grammar]") {
  Random random(8);
  std::vector<OrderedJson> schemas;
  for (int i = 0; i < 40; ++i)
    schemas.push_back({{"type", "object"}, {"oneOf", OrderedJson::array({random.object(), random.object()})}});
  CHECK(compare(schemas, small_objects()) > 25);
}

TEST_CASE("an array is let through where what `not` says of its items does not hold", "[grammar]") {
  Random random(9);
  std::vector<OrderedJson> schemas;
  for (int i = 0; i < 100; ++i) schemas.push_back({{"type", "array"}, {"not", random.array()}});
  CHECK(compare(schemas, small_arrays()) > 60);
}

TEST_CASE("a key that has to be there counts as it is read: of two equal ones the last", "[grammar]") {
  const GrammarPtr grammar =
      grammar_from_json_schema(R"({"type": "object", "not": {"additionalProperties": {"type": "integer"}}})");
  CHECK(accepts(grammar, R"({"x": 1, "x": "s"})"));
  CHECK(accepts(grammar, R"({"y": 1, "x": "s", "y": "t"})"));
  CHECK_FALSE(accepts(grammar, R"({"x": "s", "x": 1})"));
}

TEST_CASE("more keys that have to be there than can be told apart are an error that says so", "[grammar]") {
  CHECK_THAT(message_of([] {
               grammar_from_json_schema(R"({"type": "object", "allOf": [
                   {"not": {"additionalProperties": {"type": "integer"}}},
                   {"not": {"patternProperties": {"^x": {"type": "string"}}}}]})");
             }),
             Catch::Contains("two keys that 'properties' does not name"));
  CHECK_THAT(message_of([] {
               grammar_from_json_schema(
                   R"({"type": "object", "maxProperties": 3, "not": {"additionalProperties": {"type": "integer"}}})");
             }),
             Catch::Contains("minProperties or maxProperties beside a key"));
}

}  // namespace puna::test
