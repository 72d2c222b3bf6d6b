// conjunction.h -- from schemas that hold together to the alternatives that satisfy them all. anyOf, oneOf, if and the
// rest are choices; the result is their disjunctive normal form, without the alternatives that contradict themselves.
// This is where every keyword is read.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "grammar/frontends/json_text.h"
#include "grammar/json_schema/alternative.h"
#include "grammar/queries.h"
#include "puna/base/watch.h"

namespace puna::grammar {

class Conjunction {
 public:
  Conjunction(SchemaDocument& document, RegexBuilder& build, RegexQueries& queries, JsonText& text, const Watch& watch)
      : document_(document), build_(build), queries_(queries), text_(text), watch_(watch) {}

  // Error{invalid_argument} or {unsupported} naming the keyword's place.
  std::vector<Alternative> alternatives(const Parts& parts);
  // Nothing satisfies them, as far as a search `depth` properties deep can see: true is certain, false is not.
  bool provably_empty(const Parts& parts, int depth);
  bool is_never(const Parts& parts) const;  // one of them is `false`

  Regex string_language(const StringRule& rule);  // the spellings between the quotes
  Regex name_language(const Parts& names);        // of the keys that satisfy these, as strings
  Parts of_property(const ObjectRule& rule, const std::string& name);
  static Parts of_item(const ArrayRule& rule, size_t index);

  // Keywords that are none: what a typo leaves behind. A sentence each.
  const std::vector<std::string>& notes() const noexcept { return notes_; }

 private:
  struct Keyword {
    Node node;
    const std::string& key;
    const OrderedJson& value;
  };
  static constexpr size_t kMostAlternatives = 4096;  // of one place in the document
  static constexpr size_t kMostChoices = 1024;       // that are open in one alternative: two ways each
  static constexpr size_t kMostBranches = 512;       // of a oneOf: every two of them are compared
  using Apply = void (Conjunction::*)(Alternative&, const Keyword&);
  static const std::map<std::string, Apply, std::less<>>& keywords();
  static const std::map<std::string, Apply, std::less<>>& derived_keywords();

  void apply(Alternative& a, const Alternative::Pending& pending);
  void unknown(Node node, const std::string& key);
  bool contradicts_itself(Alternative& a, int depth);
  [[noreturn]] void too_many_cases(Node node) const;

  // negation.cpp: the ways in which a schema may fail to hold.
  std::vector<Parts> negations(Node node);
  void negate_keyword(const Keyword& k, std::vector<Parts>& ways);
  void negate_keys(const Keyword& k, std::vector<Parts>& ways);
  void negate_items(const Keyword& k, std::vector<Parts>& ways);

  // Keywords, by what they speak of (keywords_*.cpp).
  void ignore(Alternative&, const Keyword&) {}
  void type(Alternative&, const Keyword&);
  void constant(Alternative&, const Keyword&);
  void constant_value(Alternative&, const Keyword&);
  void enumeration(Alternative&, const Keyword&);
  void scalars(Alternative&, const Keyword&);
  void not_scalars(Alternative&, const Keyword&);
  void minimum(Alternative&, const Keyword&);
  void maximum(Alternative&, const Keyword&);
  void exclusive_minimum(Alternative&, const Keyword&);
  void exclusive_maximum(Alternative&, const Keyword&);
  void multiple_of(Alternative&, const Keyword&);
  void not_multiple_of(Alternative&, const Keyword&);
  void not_integer(Alternative&, const Keyword&);
  void min_length(Alternative&, const Keyword&);
  void max_length(Alternative&, const Keyword&);
  void pattern(Alternative&, const Keyword&);
  void not_pattern(Alternative&, const Keyword&);
  void format(Alternative&, const Keyword&);
  void content(Alternative&, const Keyword&);
  void not_format(Alternative&, const Keyword&);
  void items(Alternative&, const Keyword&);
  void min_items(Alternative&, const Keyword&);
  void max_items(Alternative&, const Keyword&);
  void contains(Alternative&, const Keyword&);
  void unique_items(Alternative&, const Keyword&);
  void properties(Alternative&, const Keyword&);
  void required(Alternative&, const Keyword&);
  void absent(Alternative&, const Keyword&);
  void some_key(Alternative&, const Keyword&);
  void min_properties(Alternative&, const Keyword&);
  void max_properties(Alternative&, const Keyword&);
  void property_names(Alternative&, const Keyword&);
  void dependencies(Alternative&, const Keyword&);
  void all_of(Alternative&, const Keyword&);
  void any_of(Alternative&, const Keyword&);
  void one_of_these(Alternative&, const Keyword&);
  void negation(Alternative&, const Keyword&);
  void conditional(Alternative&, const Keyword&);
  void reference(Alternative&, const Keyword&);
  void parts(Alternative&, const Keyword&);
  void unsupported(Alternative&, const Keyword&);

  // Values of keywords, checked.
  uint64_t count(const Keyword& k) const;
  Decimal number(const Keyword& k) const;
  const std::string& string(const Keyword& k) const;
  std::vector<std::string> strings(const Keyword& k) const;
  std::vector<Node> listed(const Keyword& k);  // schemas
  void require_object(const Keyword& k) const;
  void require_array(const Keyword& k) const;
  void require_schema(const Keyword& k) const;
  [[noreturn]] void wrong(const Keyword& k, const std::string& what, Status status = Status::invalid_argument) const {
    document_.wrong(k.node, k.key, what, status);
  }
  Regex pattern_language(const Keyword& k, const std::string& pattern, bool search);

  SchemaDocument& document_;
  RegexBuilder& build_;
  RegexQueries& queries_;
  JsonText& text_;
  const Watch& watch_;
  std::map<std::pair<std::string, bool>, Regex> patterns_;
  std::map<std::pair<Node, Node>, bool> disjoint_;
  std::vector<std::string> notes_;
  std::map<std::string, std::string, std::less<>> suggestions_;  // by unknown keyword
};

}  // namespace puna::grammar
