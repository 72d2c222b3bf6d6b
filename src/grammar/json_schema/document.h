// document.h -- a JSON Schema and the places in it: every schema has a number and a JSON pointer, and $ref finds its
// target by pointer, anchor or $id. Schemas that we derive (a branch of `not`, the value of a const) are added, so
// that all rules are read from one kind of thing.
#pragma once
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/json.h"
#include "puna/base/error.h"
#include "puna/base/watch.h"

namespace puna::grammar {

using Node = uint32_t;

// JSON that is put together, and a place in it. What nlohmann-json does by itself does not survive memory running out:
// its constructor of a list of members loses what it has, and destructors allocate (base/json.h).
struct Member {
  std::string key;
  OrderedJson value;
  template <class V>
  Member(std::string_view k, V&& v) : key(k), value(std::forward<V>(v)) {}
  Member(const Member&) = default;
  ~Member() { dismantle(value); }
};
OrderedJson object_of(std::initializer_list<Member> members);

class SchemaDocument {
 public:
  SchemaDocument(std::string_view text, const Watch& watch);
  ~SchemaDocument();
  SchemaDocument(const SchemaDocument&) = delete;
  SchemaDocument& operator=(const SchemaDocument&) = delete;

  Node root() const noexcept { return 0; }
  const OrderedJson& json(Node node) const { return *places_[node].json; }
  // Long keys are cut: for messages.
  std::string pointer(Node node) const;
  // Drafts up to 7 ignore what stands beside a $ref, and spell some keywords differently.
  bool is_old(Node node) const { return resources_[places_[node].resource].dialect <= Dialect::draft7; }
  // Up to draft 4 an integer is what is written without a fraction: 1.0 is none.
  bool integers_are_digits(Node node) const { return resources_[places_[node].resource].dialect <= Dialect::draft4; }

  // The schema at json(node)[key], or json(node)[key][member].
  Node child(Node node, std::string_view key);
  Node child(Node node, std::string_view key, std::string_view member);
  // The same of a member or an element that is at hand: looking each of a thousand up again is a million steps.
  Node child(Node node, std::string_view key, std::string_view member, const OrderedJson& json);
  Node child(Node node, std::string_view key, size_t index, const OrderedJson& json);
  // What json(node)'s $ref means. Error{unsupported} when it is not in this document.
  Node target(Node node, const std::string& reference);
  // A schema of ours, said to stand where `from` does. Its keywords may be those of derived.h as well.
  Node derived(Node from, OrderedJson json);
  bool is_derived(Node node) const { return places_[node].derived; }
  // A value of the document, or of a derived schema, known by a number: what is derived from it need not hold a copy.
  uint32_t keep_value(const OrderedJson& value);
  const OrderedJson& value(uint32_t number) const { return *values_[number]; }

  // "at /properties/name/pattern: "
  std::string where(Node node, std::string_view key = "") const;
  [[noreturn]] void wrong(Node node, std::string_view key, const std::string& what,
                          Status status = Status::invalid_argument) const;

 private:
  // A pointer is that of the parent and a bit more: all of them written out would be the square of a hostile document.
  struct Place {
    const OrderedJson* json;
    uint32_t resource;
    Node parent;  // kNowhere: the pointer is `below` alone
    std::string below;
    bool derived = false;
  };
  static constexpr Node kNowhere = UINT32_MAX;
  enum class Dialect : uint8_t { draft4, draft7, later };  // each and those before it
  static Dialect dialect_of(const std::string& schema);
  struct Resource {  // a schema with an $id, and what is inside it
    std::string uri;
    Node root;
    Dialect dialect;
    std::map<std::string, const OrderedJson*, std::less<>> anchors;
  };

  Node place(const OrderedJson& json, uint32_t resource, Node parent, std::string below, bool derived = false);
  Node inner(Node node, const OrderedJson& json, std::string below);
  void find_resources(const Watch& watch);
  void enter(Node node);
  Node by_pointer(Node from, uint32_t resource, std::string_view pointer, const std::string& reference);
  const OrderedJson* member(const OrderedJson& object, const std::string& key);

  OrderedJson root_;
  std::deque<OrderedJson> derived_;
  std::vector<Place> places_;
  std::vector<const OrderedJson*> values_;
  std::vector<Resource> resources_;
  std::map<std::string, uint32_t, std::less<>> resource_of_;  // by URI; of several the first
  std::map<const OrderedJson*, Node> nodes_;
  // Of large objects that were looked into: their members by name.
  std::map<const OrderedJson*, std::unordered_map<std::string_view, const OrderedJson*>> members_;
};

}  // namespace puna::grammar
