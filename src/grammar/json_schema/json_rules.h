// json_rules.h -- from alternatives to rules. A place in the document, together with everything else that must hold
// there, is one rule; rules that are needed wait in a list, so a schema may refer to itself and nothing recurses.
#pragma once
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "grammar/builder.h"
#include "grammar/json_schema/conjunction.h"

namespace puna::grammar {

class JsonRules {
 public:
  JsonRules(SchemaDocument& document, Builder& build, const JsonSchemaOptions& options, const Watch& watch,
            JsonNotation notation = JsonNotation::json);

  // The rule for values that satisfy all parts; none: any value.
  Symbol value(const Parts& parts);
  // For objects as the arguments of a call: key=value of Python's, key:value of Gemma's, joined by commas.
  Symbol keywords(const Parts& parts);
  // Writes all rules that were asked for.
  void complete();
  const std::vector<std::string>& notes() const noexcept { return schemas_.notes(); }

 private:
  struct Pair {  // a key and its value
    Regex key;   // "key":
    Symbol value;
    bool required;
  };
  struct Members;

  struct Brackets {  // what stands around an object's pairs
    Symbol open, close, none;
    bool keywords;
  };

  bool has_bare_keys(const Brackets& around) const { return around.keywords || notation_ == JsonNotation::gemma; }
  void write(Symbol rule, const Parts& parts);
  void write_keywords(Symbol rule, const Parts& parts);
  void write_array(Symbol rule, const ArrayRule& array);
  void write_object(Symbol rule, const ObjectRule& object, const Brackets& around);
  void write_members(Symbol rule, const ObjectRule& object, const SomeKey* witness, const Brackets& around);
  void write_with_witness(Symbol rule, const ObjectRule& object, const SomeKey& witness, const Regex* names,
                          const std::vector<std::string>& spoken_for, const std::vector<Pair>& pairs,
                          const std::vector<Pair>& before, const Brackets& around);
  bool is_satisfied(const ObjectRule& object, const SomeKey& some);
  void require_no_others(const ObjectRule& object, const SomeKey& some, bool keywords);
  SharedSet<std::string> known_keys(const ObjectRule& object) const;
  Symbol items_from(const ArrayRule& array, size_t index, size_t prefix, uint64_t min, uint64_t max);
  std::vector<Symbol> containing(const ArrayRule& array);
  void add_others(const ObjectRule& object, const Regex* names, const std::vector<std::string>& known, bool keywords,
                  std::vector<Pair>& extra);
  std::vector<Symbol> in_order(const std::vector<Pair>& pairs, const std::vector<Pair>& extra);
  Symbol counted(Members& members, size_t index, bool first, uint64_t min, uint64_t max);
  Symbol first_of(const Members& members);
  Symbol either_pair(const std::vector<Pair>& extra, bool comma);

  Symbol pair(const Pair& pair, bool comma);
  void impossible(Symbol rule);  // a rule must have an alternative, be it one that nothing matches
  Symbol rule_of(std::string_view name, std::initializer_list<Symbol> sequence);
  Regex joined(std::initializer_list<Regex> parts) { return regexes_.concat(std::vector<Regex>(parts)); }
  Symbol lexeme(std::initializer_list<Regex> parts) { return build_.lexeme(joined(parts)); }
  Regex literal(std::string_view text) { return regexes_.literal(text); }
  // `bare`: Python's keywords are, and Gemma's keys where they can be.
  Regex key_regex(Regex content, bool bare) {
    if (notation_ == JsonNotation::gemma) return joined({bare ? content : text_.quoted(content), literal(":")});
    return bare ? joined({content, literal("=")}) : joined({text_.quoted(content), literal(":"), space_});
  }

  SchemaDocument& document_;
  Builder& build_;
  RegexBuilder& regexes_;
  const Watch& watch_;
  const JsonNotation notation_;
  RegexQueries queries_;
  JsonText text_;
  Conjunction schemas_;
  Regex space_;  // what may stand between two lexemes
  Symbol comma_;
  std::map<Parts, Symbol> rules_;
  std::deque<std::pair<Symbol, Parts>> unwritten_, unwritten_keywords_;
};

}  // namespace puna::grammar
