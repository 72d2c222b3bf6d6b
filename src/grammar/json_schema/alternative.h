// alternative.h -- one way to satisfy a schema: what is asked of a value, type by type, with no choice left. A keyword
// says nothing about values of types other than its own, so each type has its rule and `types` says which are possible.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "grammar/frontends/json_number.h"
#include "grammar/json_schema/document.h"
#include "grammar/json_schema/shared_set.h"

namespace puna::grammar {

enum Types : uint8_t { kNull = 1, kBoolean = 2, kNumber = 4, kString = 8, kArray = 16, kObject = 32, kAllTypes = 63 };

// A schema that must hold, or must not.
struct Part {
  Node node;
  bool negated = false;
  bool operator==(const Part&) const = default;
  auto operator<=>(const Part&) const = default;
};
using Parts = std::vector<Part>;  // all of them hold; in the order in which they were met

// Where in the schema something is said: the numbers of the keywords and elements on the way to it, as they are
// written. Behind kDeepest of them all is one place.
class Place {
 public:
  Place below(uint32_t number) const {
    if (path_ && path_->size() >= kDeepest) return *this;
    auto path = std::make_shared<std::vector<uint32_t>>(path_ ? *path_ : std::vector<uint32_t>());
    path->push_back(number);
    Place place;
    place.path_ = std::move(path);
    return place;
  }
  bool operator<(const Place& other) const noexcept {
    static const std::vector<uint32_t> root;
    return (path_ ? *path_ : root) < (other.path_ ? *other.path_ : root);
  }

 private:
  static constexpr size_t kDeepest = 64;
  std::shared_ptr<const std::vector<uint32_t>> path_;
};

struct StringRule {
  uint64_t min = 0, max = kUnbounded;  // characters
  std::vector<Regex> matches;          // all of these; over the spellings of JsonText
  std::vector<Regex> differs;          // none of these
  std::optional<std::vector<std::string>> among;
};

// A schema's own `items`: additional ones are counted from the end of its own prefix.
struct ArrayScope {
  std::vector<Node> prefix;
  std::optional<Node> rest;
};
struct ArrayRule {
  uint64_t min = 0, max = kUnbounded;
  std::vector<ArrayScope> scopes;
  struct Contains {
    Part item;
    uint64_t min;
  };
  std::vector<Contains> contains;
};

// A schema's own `properties`: additional ones are those that it does not name itself.
struct ObjectScope {
  struct Pattern {
    Regex keys;
    Parts value;
  };
  Node node;
  Place place;
  std::vector<std::string> names;  // in the schema's order
  std::map<std::string, Parts, std::less<>> named;
  std::vector<Pattern> patterns;
  std::optional<Node> additional;
};
// There is a key of these whose value satisfies the parts: what is left of additionalProperties, patternProperties and
// propertyNames inside `not`.
struct SomeKey {
  Node node;  // whose keyword is negated
  Regex keys;
  Parts value;
};
struct ObjectRule {
  uint64_t min = 0, max = kUnbounded;
  std::vector<std::shared_ptr<const ObjectScope>> scopes;
  SharedSet<std::string> required, absent;
  Parts names;  // what holds for every key, as a string
  std::vector<SomeKey> some;
};

struct Alternative {
  uint8_t types = kAllTypes;
  bool can_be_true = true, can_be_false = true;
  NumberRule number;
  StringRule string;
  ArrayRule array;
  ObjectRule object;

  struct Pending {
    Part part;
    Place place;
  };
  struct Choice {
    std::shared_ptr<const std::vector<Parts>> ways;
    Place place;
  };
  std::vector<Pending> pending;  // schemas that are still to be applied
  SharedSet<Part> applied;
  std::vector<Choice> choices;  // of each, one must hold as well
  // Of the schema that is being applied, and what the next thing that it says is numbered.
  Place here;
  uint32_t said = 0;

  Place next_place() { return here.below(said++); }
  void only(uint8_t kept) noexcept { types &= kept; }
  void require(Part part) { pending.push_back({part, next_place()}); }
  void require(const Parts& parts, const Place& place) {
    for (size_t i = 0; i < parts.size(); ++i) pending.push_back({parts[i], place.below(uint32_t(i))});
  }
  void choose(std::vector<Parts> ways) {
    if (ways.size() == 1) return require(ways[0], next_place());
    choices.push_back({std::make_shared<const std::vector<Parts>>(std::move(ways)), next_place()});
  }
};

}  // namespace puna::grammar
