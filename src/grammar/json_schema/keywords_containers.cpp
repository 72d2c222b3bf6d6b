// Keywords that speak of arrays and of objects.
#include <algorithm>

#include "grammar/json_schema/conjunction.h"
#include "grammar/json_schema/derived.h"

namespace puna::grammar {

// ---- arrays ---------------------------------------------------------------------------------------------------------

// items, prefixItems and additionalItems are one rule, read when the first is met. Up to draft 2019-09 a list of
// items is what prefixItems is today.
void Conjunction::items(Alternative& a, const Keyword& k) {
  const OrderedJson& json = document_.json(k.node);
  const auto items = json.find("items");
  const bool is_list = items != json.end() && items->is_array();
  const char* prefix = is_list ? "items" : "prefixItems";
  const char* rest = is_list ? "additionalItems" : "items";
  const char* first = nullptr;
  for (const auto& [key, value] : json.items())
    if (!first && (key == "items" || key == "prefixItems" || key == "additionalItems")) first = key.c_str();
  if (k.key != first) return;
  if (is_list && json.contains("prefixItems")) wrong(k, "a list of items beside prefixItems");

  ArrayScope scope;
  if (const auto found = json.find(prefix); found != json.end()) scope.prefix = listed({k.node, prefix, *found});
  if (const auto found = json.find(rest); found != json.end()) {
    require_schema({k.node, rest, *found});
    scope.rest = document_.child(k.node, rest);
  }
  a.array.scopes.push_back(std::move(scope));
}

void Conjunction::min_items(Alternative& a, const Keyword& k) { a.array.min = std::max(a.array.min, count(k)); }
void Conjunction::max_items(Alternative& a, const Keyword& k) { a.array.max = std::min(a.array.max, count(k)); }

void Conjunction::contains(Alternative& a, const Keyword& k) {
  const OrderedJson& json = document_.json(k.node);
  if (k.key != "contains") return;
  require_schema(k);
  if (const auto most = json.find("maxContains"); most != json.end())
    document_.wrong(k.node, "maxContains", "not supported", Status::unsupported);
  uint64_t min = 1;
  if (const auto least = json.find("minContains"); least != json.end()) min = count({k.node, "minContains", *least});
  if (min > 0) a.array.contains.push_back({{document_.child(k.node, k.key)}, min});
}

void Conjunction::unique_items(Alternative&, const Keyword& k) {
  if (!k.value.is_boolean()) wrong(k, "expected true or false");
  if (k.value.get<bool>()) wrong(k, "not supported", Status::unsupported);
}

Parts Conjunction::of_item(const ArrayRule& rule, size_t index) {
  Parts parts;
  for (const ArrayScope& scope : rule.scopes) {
    if (index < scope.prefix.size())
      parts.push_back({scope.prefix[index]});
    else if (scope.rest)
      parts.push_back({*scope.rest});
  }
  return parts;
}

// ---- objects --------------------------------------------------------------------------------------------------------

// properties, patternProperties and additionalProperties are one rule as well.
void Conjunction::properties(Alternative& a, const Keyword& k) {
  const OrderedJson& json = document_.json(k.node);
  const std::string* first = nullptr;
  for (const auto& [key, value] : json.items())
    if (!first && (key == "properties" || key == "patternProperties" || key == "additionalProperties")) first = &key;
  if (k.key != *first) return;

  const auto made = std::make_shared<ObjectScope>();
  ObjectScope& scope = *made;
  scope.node = k.node;
  scope.place = a.next_place();
  if (const auto found = json.find("properties"); found != json.end()) {
    require_object({k.node, "properties", *found});
    for (const auto& [name, value] : found->items()) {
      watch_.tick();
      scope.names.push_back(name);
      scope.named.emplace(name, Parts{{document_.child(k.node, "properties", name, value)}});
    }
  }
  if (const auto found = json.find("patternProperties"); found != json.end()) {
    const std::string keyword = "patternProperties";
    require_object({k.node, keyword, *found});
    for (const auto& [pattern, value] : found->items())
      scope.patterns.push_back({pattern_language({k.node, keyword, *found}, pattern, true),
                                {{document_.child(k.node, keyword, pattern, value)}}});
  }
  if (const auto found = json.find("additionalProperties"); found != json.end()) {
    require_schema({k.node, "additionalProperties", *found});
    scope.additional = document_.child(k.node, "additionalProperties");
  }
  a.object.scopes.push_back(made);
}

void Conjunction::required(Alternative& a, const Keyword& k) {
  for (std::string& name : strings(k)) a.object.required.add(std::move(name));
}

void Conjunction::absent(Alternative& a, const Keyword& k) {
  for (std::string& name : strings(k)) a.object.absent.add(std::move(name));
}

void Conjunction::some_key(Alternative& a, const Keyword& k) {
  const auto part = [&](const char* member) {
    return Part{k.value.at(member)[0].get<Node>(), k.value.at(member)[1].get<bool>()};
  };
  SomeKey some{k.node, {}, {}};
  if (k.value.contains("value")) some.value.push_back(part("value"));
  if (k.value.contains("pattern")) {
    const std::string& pattern = k.value.at("pattern").get_ref<const std::string&>();
    some.keys = pattern_language({k.node, "patternProperties", k.value}, pattern, true);
  } else if (k.value.contains("name")) {
    some.keys = name_language({part("name")});
  } else {
    const OrderedJson& json = document_.json(k.value.at("other").get<Node>());
    std::vector<std::string> names;
    if (const auto named = json.find("properties"); named != json.end())
      for (const auto& [name, value] : named->items()) names.push_back(name);
    std::vector<Regex> spoken_for{text_.every_spelling(names)};
    if (const auto patterns = json.find("patternProperties"); patterns != json.end())
      for (const auto& [pattern, value] : patterns->items())
        spoken_for.push_back(pattern_language({k.node, "patternProperties", value}, pattern, true));
    const Regex both[] = {text_.any(), build_.complement(build_.either(spoken_for))};
    some.keys = build_.both(both);
  }
  a.object.some.push_back(std::move(some));
}

Regex Conjunction::name_language(const Parts& names) {
  std::vector<Regex> ways;
  for (const Alternative& a : alternatives(names))
    if (a.types & kString) ways.push_back(string_language(a.string));
  return build_.either(ways);
}

void Conjunction::min_properties(Alternative& a, const Keyword& k) { a.object.min = std::max(a.object.min, count(k)); }
void Conjunction::max_properties(Alternative& a, const Keyword& k) { a.object.max = std::min(a.object.max, count(k)); }

void Conjunction::property_names(Alternative& a, const Keyword& k) {
  require_schema(k);
  a.object.names.push_back({document_.child(k.node, k.key)});
}

// {"a": ["b"]} or {"a": schema}: where there is an "a", the other holds as well.
void Conjunction::dependencies(Alternative& a, const Keyword& k) {
  require_object(k);
  if (k.value.size() > kMostChoices) too_many_cases(k.node);
  for (const auto& [name, value] : k.value.items()) {
    OrderedJson names = OrderedJson::array({name});
    const JsonGuard of_names(names);
    const Node without = document_.derived(k.node, object_of({{kAbsent, names}}));
    OrderedJson then = object_of({{"required", names}});
    const JsonGuard of_then(then);
    if (value.is_array()) {
      for (const std::string& other : strings({k.node, k.key, value}))
        if (other != name) then["required"].push_back(other);
    } else {
      const Node schema = document_.child(k.node, k.key, name, value);
      require_schema({k.node, k.key, value});
      fresh_member(then, kParts) = OrderedJson::array({OrderedJson::array({schema, false})});
    }
    a.choose({{{without}}, {{document_.derived(k.node, std::move(then))}}});
  }
}

Parts Conjunction::of_property(const ObjectRule& rule, const std::string& name) {
  Parts parts;
  const std::string spelling = text_.spelling(name);
  for (const auto& scope : rule.scopes) {
    const auto found = scope->named.find(name);
    bool named = found != scope->named.end();
    if (named) parts.insert(parts.end(), found->second.begin(), found->second.end());
    for (const ObjectScope::Pattern& pattern : scope->patterns) {
      if (!queries_.matches(pattern.keys, spelling)) continue;
      parts.insert(parts.end(), pattern.value.begin(), pattern.value.end());
      named = true;
    }
    if (!named && scope->additional) parts.push_back({*scope->additional});
  }
  return parts;
}

}  // namespace puna::grammar
