#include "grammar/json_schema/document.h"

#include <algorithm>

#include "base/shown.h"
#include "grammar/json_schema/uri.h"

namespace puna::grammar {
namespace {

constexpr size_t kShownOfKey = 100;   // bytes: of pointers no more is ever shown
constexpr size_t kLongestUri = 4096;  // bytes: each resource inside it has one of its own
constexpr size_t kSmallObject = 16;   // members that are looked through one by one

std::string escaped(std::string_view key) {  // RFC 6901
  std::string out;
  for (const char c : key.substr(0, kShownOfKey)) {
    if (c == '~')
      out += "~0";
    else if (c == '/')
      out += "~1";
    else
      out += c;
  }
  return out;
}

// The keywords whose values hold schemas: one, a list of them, or members of any name.
constexpr std::string_view kOne[] = {
    "additionalItems",  "additionalProperties",  "contains",     "else", "if", "items", "not", "propertyNames", "then",
    "unevaluatedItems", "unevaluatedProperties", "contentSchema"};
constexpr std::string_view kList[] = {"allOf", "anyOf", "items", "oneOf", "prefixItems"};
constexpr std::string_view kMembers[] = {
    "$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"};

const std::string* text_at(const OrderedJson& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? &found->get_ref<const std::string&>() : nullptr;
}

}  // namespace

SchemaDocument::Dialect SchemaDocument::dialect_of(const std::string& schema) {
  for (const char* draft : {"draft-03", "draft-04"})
    if (schema.find(draft) != std::string::npos) return Dialect::draft4;
  for (const char* draft : {"draft-05", "draft-06", "draft-07"})
    if (schema.find(draft) != std::string::npos) return Dialect::draft7;
  return Dialect::later;
}

SchemaDocument::SchemaDocument(std::string_view text, const Watch& watch) {
  root_ = parse_json_argument(text, "JSON Schema", watch, /*exactly=*/true);
  try {
    if (!root_.is_object() && !root_.is_boolean())
      fail(Status::invalid_argument, "JSON Schema: expected an object, true or false");
    find_resources(watch);
  } catch (...) {
    dismantle(root_);
    throw;
  }
}

SchemaDocument::~SchemaDocument() {
  dismantle(root_);
  for (OrderedJson& json : derived_) dismantle(json);
}

Node SchemaDocument::place(const OrderedJson& json, uint32_t resource, Node parent, std::string below, bool derived) {
  const auto [known, added] = nodes_.try_emplace(&json, Node(places_.size()));
  if (added) places_.push_back({&json, resource, parent, std::move(below), derived});
  return known->second;
}

std::string SchemaDocument::pointer(Node node) const {
  std::vector<Node> way{node};
  while (places_[way.back()].parent != kNowhere) way.push_back(places_[way.back()].parent);
  std::string text;
  for (size_t i = way.size(); i-- > 0;) text += places_[way[i]].below;
  return text;
}

// Walks all schemas, the outer before the inner, so that each knows the $id it stands under.
void SchemaDocument::find_resources(const Watch& watch) {
  resources_.push_back({"", 0, Dialect::later, {}});
  if (root_.is_object())
    if (const std::string* schema = text_at(root_, "$schema")) resources_[0].dialect = dialect_of(*schema);
  place(root_, 0, kNowhere, "");
  for (Node node = 0; node < places_.size(); ++node) {
    watch.tick();
    const OrderedJson& json = *places_[node].json;
    if (!json.is_object()) continue;
    enter(node);
    const uint32_t resource = places_[node].resource;
    const auto visit = [&](const OrderedJson& inner, const std::string& at) {
      if (inner.is_object() || inner.is_boolean()) place(inner, resource, node, at);
    };
    for (const auto& [key, value] : json.items()) {
      watch.tick();
      const std::string at = "/" + escaped(key);
      if (std::find(std::begin(kOne), std::end(kOne), key) != std::end(kOne)) visit(value, at);
      if (value.is_array() && std::find(std::begin(kList), std::end(kList), key) != std::end(kList))
        for (size_t i = 0; i < value.size(); ++i) visit(value[i], at + "/" + std::to_string(i));
      if (value.is_object() && std::find(std::begin(kMembers), std::end(kMembers), key) != std::end(kMembers))
        for (const auto& [name, schema] : value.items()) visit(schema, at + "/" + escaped(name));
    }
  }
}

// $id begins a resource of its own; anchors belong to the resource they stand in.
void SchemaDocument::enter(Node node) {
  const OrderedJson& json = *places_[node].json;
  uint32_t& resource = places_[node].resource;
  const std::string* id = text_at(json, "$id");
  const bool old = resources_[resource].dialect <= Dialect::draft7;
  if (!id && old) id = text_at(json, "id");
  const bool overruled = old && json.contains("$ref");
  if (id && !overruled) {
    const auto hash = id->find('#');
    const std::string_view uri = std::string_view(*id).substr(0, hash);
    if (hash != std::string::npos && hash + 1 < id->size())
      resources_[resource].anchors.emplace(id->substr(hash + 1), &json);
    if (!uri.empty()) {
      Dialect dialect = resources_[resource].dialect;
      if (const std::string* schema = text_at(json, "$schema")) dialect = dialect_of(*schema);
      const std::string absolute = resolve_uri(resources_[resource].uri, uri);
      if (absolute.size() > kLongestUri) wrong(node, "$id", "a URI of more than 4096 bytes", Status::unsupported);
      if (&json == &root_) {
        resources_[0].uri = absolute;
        resource_of_.emplace(absolute, 0);
      } else {
        resources_.push_back({absolute, node, dialect, {}});
        resource_of_.emplace(absolute, uint32_t(resources_.size() - 1));
        resource = uint32_t(resources_.size() - 1);
      }
    }
  }
  for (const char* keyword : {"$anchor", "$dynamicAnchor"})
    if (const std::string* anchor = text_at(json, keyword)) resources_[resource].anchors.emplace(*anchor, &json);
}

// A part of a derived schema is derived as well.
Node SchemaDocument::inner(Node node, const OrderedJson& json, std::string below) {
  return place(json, places_[node].resource, node, std::move(below), places_[node].derived);
}

Node SchemaDocument::child(Node node, std::string_view key) {
  return inner(node, json(node).at(std::string(key)), "/" + escaped(key));
}

Node SchemaDocument::child(Node node, std::string_view key, std::string_view member, const OrderedJson& json) {
  return inner(node, json, "/" + escaped(key) + "/" + escaped(member));
}

Node SchemaDocument::child(Node node, std::string_view key, size_t index, const OrderedJson& json) {
  return inner(node, json, "/" + escaped(key) + "/" + std::to_string(index));
}

Node SchemaDocument::target(Node node, const std::string& reference) {
  const auto hash = reference.find('#');
  const std::string uri = reference.substr(0, hash);
  const std::string fragment = hash == std::string::npos ? "" : percent_decoded(reference.substr(hash + 1));
  uint32_t resource = places_[node].resource;
  if (!uri.empty()) {
    const std::string absolute = resolve_uri(resources_[resource].uri, uri);
    const auto found = resource_of_.find(absolute);
    if (found == resource_of_.end())
      wrong(node, "$ref", "'" + shown(reference) + "' is not in this document, and nothing else is fetched",
            Status::unsupported);
    resource = found->second;
  }
  if (fragment.empty()) return resources_[resource].root;
  if (fragment[0] == '/') return by_pointer(node, resource, fragment, reference);
  const auto anchor = resources_[resource].anchors.find(fragment);
  if (anchor == resources_[resource].anchors.end())
    wrong(node, "$ref", "there is no '" + shown(reference) + "' in this document");
  return place(*anchor->second, resource, kNowhere, "#" + fragment);
}

const OrderedJson* SchemaDocument::member(const OrderedJson& object, const std::string& key) {
  if (object.size() <= kSmallObject) {
    const auto found = object.find(key);
    return found == object.end() ? nullptr : &*found;
  }
  auto& names = members_[&object];
  if (names.empty())
    for (const auto& [name, value] : object.items()) names.emplace(name, &value);
  const auto found = names.find(key);
  return found == names.end() ? nullptr : found->second;
}

Node SchemaDocument::by_pointer(Node from, uint32_t resource, std::string_view pointer, const std::string& reference) {
  const OrderedJson* json = places_[resources_[resource].root].json;
  for (size_t at = 0; at < pointer.size();) {
    const size_t end = std::min(pointer.find('/', at + 1), pointer.size());
    std::string key;
    for (size_t i = at + 1; i < end; ++i) {
      const bool escape = pointer[i] == '~' && i + 1 < end && (pointer[i + 1] == '0' || pointer[i + 1] == '1');
      key += escape ? (pointer[i + 1] == '0' ? '~' : '/') : pointer[i];
      i += escape;
    }
    const OrderedJson* next = nullptr;
    if (json->is_object()) {
      next = member(*json, key);
    } else if (json->is_array()) {
      const bool number = !key.empty() && key.size() < 10 && key.find_first_not_of("0123456789") == std::string::npos;
      if (number && size_t(std::stoul(key)) < json->size()) next = &(*json)[size_t(std::stoul(key))];
    }
    if (!next) wrong(from, "$ref", "there is no '" + shown(reference) + "' in this document");
    json = next;
    at = end;
  }
  if (!json->is_object() && !json->is_boolean())
    wrong(from, "$ref", "'" + shown(reference) + "' is no schema: expected an object, true or false");
  return place(*json, resource, kNowhere, std::string(pointer));
}

OrderedJson object_of(std::initializer_list<Member> members) {
  OrderedJson object = OrderedJson::object();
  try {
    for (const Member& member : members) fresh_member(object, member.key) = member.value;
  } catch (...) {
    dismantle(object);
    throw;
  }
  return object;
}

Node SchemaDocument::derived(Node from, OrderedJson json) {
  derived_.push_back(std::move(json));
  places_.push_back({&derived_.back(), places_[from].resource, from, "", true});
  return Node(places_.size() - 1);
}

uint32_t SchemaDocument::keep_value(const OrderedJson& value) {
  values_.push_back(&value);
  return uint32_t(values_.size() - 1);
}

std::string SchemaDocument::where(Node node, std::string_view key) const {
  std::string at = pointer(node);
  if (!key.empty()) at += "/" + escaped(key);
  return "JSON Schema, at " + (at.empty() ? "the root" : shown(at));
}

void SchemaDocument::wrong(Node node, std::string_view key, const std::string& what, Status status) const {
  fail(status, "%s: %s", where(node, key).c_str(), what.c_str());
}

}  // namespace puna::grammar
