// builder.h -- the intermediate form that every front end (JSON Schema, regular expressions, GBNF, EBNF, choices, tool
// calls) builds: a context-free grammar whose terminals are regular expressions over bytes ("lexemes") and token ids.
// There is no tokenising step with its own rules: a lexeme ends wherever its expression accepts and the grammar can go
// on, so the language is exactly what the rules say.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "grammar/regex.h"
#include "puna/grammar/grammar.h"

namespace puna::grammar {

enum class Symbol : uint32_t {};  // a rule, a lexeme, a token or a repetition: an id in its builder

class Builder {
 public:
  virtual ~Builder() = default;
  virtual RegexBuilder& regexes() = 0;

  virtual Symbol lexeme(Regex regex) = 0;                   // equal expressions are the same symbol; may match nothing
  virtual Symbol special_token(std::string_view name) = 0;  // the token itself, never its text ("<|python_start|>")
  // A rule is declared, then given its alternatives; one that never gets any is an error in finish().
  virtual Symbol rule(std::string_view name) = 0;  // the name is for messages only, it need not be unique
  virtual void alternative(Symbol rule, std::span<const Symbol> sequence) = 0;  // empty: the empty string
  // `symbol` min to max times, with `separator` between two when there is one. Counters, not copies.
  virtual Symbol repeat(Symbol symbol, uint64_t min, uint64_t max) = 0;
  virtual Symbol repeat(Symbol symbol, uint64_t min, uint64_t max, Symbol separator) = 0;

  // Checks (every rule reachable from the root has an alternative that ends; the language is not empty) and freezes.
  // Symbols that cannot produce a string are removed together with the alternatives that need them.
  virtual GrammarPtr finish(Symbol root) = 0;
};

// `watch` must outlive the builder.
std::unique_ptr<Builder> make_builder(const GrammarLimits& limits, const Watch& watch);

}  // namespace puna::grammar
