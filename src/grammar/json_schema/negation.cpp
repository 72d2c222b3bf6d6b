// What `not` means, keyword by keyword: a schema fails to hold when one of its keywords does, and each failure is a
// schema again, most of them without any `not`.
#include <algorithm>

#include "grammar/json_schema/conjunction.h"
#include "grammar/json_schema/derived.h"

namespace puna::grammar {
namespace {

OrderedJson part(Node node, bool negated) { return OrderedJson::array({node, negated}); }

bool is_boolean(const OrderedJson& json, bool value) { return json.is_boolean() && json.get<bool>() == value; }
bool allows_everything(const OrderedJson& schema) {
  return is_boolean(schema, true) || (schema.is_object() && schema.empty());
}

}  // namespace

std::vector<Parts> Conjunction::negations(Node node) {
  std::vector<Parts> ways;
  const OrderedJson& json = document_.json(node);
  const bool only_reference = document_.is_old(node) && json.contains("$ref");
  for (const auto& [key, value] : json.items())
    if (!only_reference || key == "$ref") negate_keyword({node, key, value}, ways);
  return ways;
}

void Conjunction::negate_keyword(const Keyword& k, std::vector<Parts>& ways) {
  const auto fails_as = [&](OrderedJson schema) { ways.push_back({{document_.derived(k.node, std::move(schema))}}); };
  const auto fails = [&](std::initializer_list<Member> members) { fails_as(object_of(members)); };
  const auto list = [](const OrderedJson& value) { return OrderedJson::array({value}); };
  const std::string& key = k.key;
  const OrderedJson& value = k.value;
  const OrderedJson& json = document_.json(k.node);
  // A way to fail for each of them; what is a list of values is one way.
  if (value.is_structured() && value.size() > kMostAlternatives && key != "enum" && key != "const")
    too_many_cases(k.node);

  if (key == "type") {
    Alternative allowed;
    type(allowed, k);
    OrderedJson others = OrderedJson::array();
    const JsonGuard guard(others);
    const std::pair<uint8_t, const char*> all[] = {{kNull, "null"},     {kBoolean, "boolean"}, {kNumber, "number"},
                                                   {kString, "string"}, {kArray, "array"},     {kObject, "object"}};
    for (const auto& [bit, name] : all)
      if (!(allowed.types & bit)) others.push_back(name);
    if (!others.empty()) fails({{"type", others}});
    if ((allowed.types & kNumber) && !allowed.number.multiple_of.empty())
      fails({{"type", "number"}, {kNotInteger, true}});
  } else if (key == "const" || key == "enum") {
    OrderedJson values = key == "const" ? list(value) : value;
    const JsonGuard guard(values);
    if (!values.is_array()) wrong(k, "expected a list");
    OrderedJson schema = object_of({{kNotScalars, OrderedJson::array()}});
    OrderedJson conditions = OrderedJson::array();
    const JsonGuard of_conditions(conditions), of_schema(schema);
    for (const OrderedJson& v : values) {
      if (!v.is_array() && !v.is_object()) {
        schema[kNotScalars].push_back(v);
        continue;
      }
      if (!v.empty()) wrong(k, "not supported inside 'not': arrays and objects", Status::unsupported);
      // An empty one differs from all that have an element.
      const OrderedJson longer = object_of({{v.is_array() ? "minItems" : "minProperties", 1}});
      conditions.push_back(part(document_.derived(k.node, longer), false));
    }
    fresh_member(schema, kParts) = conditions;
    fails_as(std::move(schema));
  } else if (key == "minimum" || key == "maximum") {
    const char* beside = key == "minimum" ? "exclusiveMinimum" : "exclusiveMaximum";
    const auto found = json.find(beside);
    const bool exclusive = found != json.end() && found->is_boolean() && found->get<bool>();
    const char* opposite =
        key == "minimum" ? (exclusive ? "maximum" : "exclusiveMaximum") : (exclusive ? "minimum" : "exclusiveMinimum");
    fails({{"type", "number"}, {opposite, value}});
  } else if (key == "exclusiveMinimum" || key == "exclusiveMaximum") {
    if (!value.is_boolean()) fails({{"type", "number"}, {key == "exclusiveMinimum" ? "maximum" : "minimum", value}});
  } else if (key == "multipleOf") {
    fails({{"type", "number"}, {kNotMultipleOf, value}});
  } else if (key == "minLength" || key == "minItems" || key == "minProperties") {
    const uint64_t min = count(k);
    const char* type = key == "minLength" ? "string" : key == "minItems" ? "array" : "object";
    if (min > 0) fails({{"type", type}, {"max" + key.substr(3), min - 1}});
  } else if (key == "maxLength" || key == "maxItems" || key == "maxProperties") {
    const char* type = key == "maxLength" ? "string" : key == "maxItems" ? "array" : "object";
    fails({{"type", type}, {"min" + key.substr(3), count(k) + 1}});
  } else if (key == "pattern") {
    fails({{"type", "string"}, {kNotPattern, string(k)}});
  } else if (key == "format") {
    fails({{"type", "string"}, {kNotFormat, string(k)}});
  } else if (key == "required") {
    for (const std::string& name : strings(k)) fails({{"type", "object"}, {kAbsent, OrderedJson::array({name})}});
  } else if (key == "properties") {
    require_object(k);
    for (const auto& [name, schema] : value.items()) {
      OrderedJson object = object_of({{"type", "object"}, {"required", OrderedJson::array({name})}});
      fresh_member(object, "properties") =
          object_of({{name, object_of({{kParts, list(part(document_.child(k.node, key, name, schema), true))}})}});
      fails_as(std::move(object));
    }
  } else if (key == "additionalProperties" || key == "patternProperties" || key == "propertyNames") {
    negate_keys(k, ways);
  } else if (key == "dependentRequired" ||
             (key == "dependencies" && value.is_object() &&
              std::all_of(value.begin(), value.end(), [](const OrderedJson& v) { return v.is_array(); }))) {
    require_object(k);
    for (const auto& [name, others] : value.items())
      for (const std::string& other : strings({k.node, key, others}))
        if (other != name)
          fails({{"type", "object"}, {"required", OrderedJson::array({name})}, {kAbsent, OrderedJson::array({other})}});
  } else if (key == "allOf") {
    for (const Node schema : listed(k)) ways.push_back({{schema, true}});
  } else if (key == "anyOf") {
    Parts none;
    for (const Node schema : listed(k)) none.push_back({schema, true});
    ways.push_back(std::move(none));
  } else if (key == "oneOf") {  // none of them, or two
    Parts branches, none;
    for (const Node schema : listed(k)) branches.push_back({schema});
    if (branches.size() > kMostBranches) wrong(k, "more than 512 branches", Status::unsupported);
    for (const Part& branch : branches) none.push_back({branch.node, true});
    ways.push_back(std::move(none));
    for (size_t i = 0; i < branches.size(); ++i)
      for (size_t j = i + 1; j < branches.size(); ++j) ways.push_back({branches[i], branches[j]});
  } else if (key == "not") {
    require_schema(k);
    ways.push_back({{document_.child(k.node, key)}});
  } else if (key == "if") {
    const Node condition = document_.child(k.node, "if");
    if (json.contains("then")) ways.push_back({{condition}, {document_.child(k.node, "then"), true}});
    if (json.contains("else")) ways.push_back({{condition, true}, {document_.child(k.node, "else"), true}});
  } else if (key == "$ref") {
    ways.push_back({{document_.target(k.node, string(k)), true}});
  } else if (key == "items" || key == "prefixItems" || key == "additionalItems" || key == "contains" ||
             key == "minContains" || key == "maxContains") {
    negate_items(k, ways);
  } else if (key == kParts && document_.is_derived(k.node)) {
    for (const OrderedJson& p : value) ways.push_back({{p[0].get<Node>(), !p[1].get<bool>()}});
  } else if (document_.is_derived(k.node) && key[0] == '\1') {
    PUNA_INVARIANT(false);  // a derived schema is negated by negating what it was derived from
  } else if (const auto known = keywords().find(key);
             known != keywords().end() && known->second != &Conjunction::ignore) {
    const bool nothing = value.is_boolean() && (key == "uniqueItems" ? !value.get<bool>() : value.get<bool>());
    if (!nothing && !(value.is_object() && value.empty()))
      wrong(k, "not supported inside 'not', or beside a oneOf whose other branches may hold as well",
            Status::unsupported);
  }
}

// An object fails to hold where one of its keys does: one of those that the keyword speaks of, with another value.
void Conjunction::negate_keys(const Keyword& k, std::vector<Parts>& ways) {
  const auto fails_at = [&](const char* which, OrderedJson keys, OrderedJson value) {
    const JsonGuard of_keys(keys), of_value(value);
    OrderedJson some = object_of({{which, std::move(keys)}});
    const JsonGuard guard(some);
    if (!value.is_null()) fresh_member(some, "value") = std::move(value);
    ways.push_back({{document_.derived(k.node, object_of({{"type", "object"}, {kSomeKey, std::move(some)}}))}});
  };
  // Of `false` any value is another one.
  const auto not_value = [&](const OrderedJson& schema, Node node) {
    return is_boolean(schema, false) ? OrderedJson() : part(node, true);
  };
  if (k.key == "patternProperties") {
    require_object(k);
    for (const auto& [pattern, schema] : k.value.items())
      if (!allows_everything(schema))
        fails_at("pattern", pattern, not_value(schema, document_.child(k.node, k.key, pattern, schema)));
    return;
  }
  require_schema(k);
  if (allows_everything(k.value)) return;
  const Node schema = document_.child(k.node, k.key);
  if (k.key == "additionalProperties")
    fails_at("other", k.node, not_value(k.value, schema));
  else
    fails_at("name", part(schema, true), nullptr);
}

// An array fails to hold where one of its items does, or where it has items that must not be there.
void Conjunction::negate_items(const Keyword& k, std::vector<Parts>& ways) {
  const auto fails = [&](std::initializer_list<Member> members) {
    ways.push_back({{document_.derived(k.node, object_of(members))}});
  };
  const auto not_held = [](Node node) { return object_of({{kParts, OrderedJson::array({part(node, true)})}}); };
  const OrderedJson& json = document_.json(k.node);
  if (k.key == "minContains" || k.key == "maxContains") {
    if (json.contains("contains") && k.key == "maxContains") wrong(k, "not supported", Status::unsupported);
    return;  // minContains: with contains
  }
  if (k.key == "contains") {
    require_schema(k);
    const auto least = json.find("minContains");
    const uint64_t min = least == json.end() ? 1 : count({k.node, "minContains", *least});
    if (min > 1) wrong(k, "not supported inside 'not' with a minContains above 1", Status::unsupported);
    if (min == 1) fails({{"type", "array"}, {"items", not_held(document_.child(k.node, k.key))}});
    return;
  }
  const auto items = json.find("items"), prefix_items = json.find("prefixItems");
  const bool is_list = items != json.end() && items->is_array();
  if (k.key == "prefixItems" || k.value.is_array()) {  // item i is there, and another one
    if (k.value.size() > 256) too_many_cases(k.node);
    OrderedJson prefix = OrderedJson::array();
    const JsonGuard guard(prefix);
    for (const Node schema : listed(k)) {
      prefix.push_back(not_held(schema));
      if (!allows_everything(document_.json(schema)))
        fails({{"type", "array"}, {"minItems", prefix.size()}, {"prefixItems", prefix}});
      dismantle(prefix.back());
      prefix.back() = true;
    }
    return;
  }
  if (k.key == "additionalItems" && !is_list) return;  // it says nothing there
  require_schema(k);
  if (allows_everything(k.value)) return;
  const OrderedJson* prefix = is_list ? &*items : prefix_items != json.end() ? &*prefix_items : nullptr;
  const size_t first = prefix && prefix->is_array() ? prefix->size() : 0;
  if (is_boolean(k.value, false))
    fails({{"type", "array"}, {"minItems", first + 1}});
  else if (first == 0)
    fails({{"type", "array"}, {"minItems", 1}, {"contains", not_held(document_.child(k.node, k.key))}});
  else
    wrong(k, "not supported inside 'not' behind a list of items", Status::unsupported);
}

}  // namespace puna::grammar
