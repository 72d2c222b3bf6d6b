// builder.h -- the intermediate form that every front end (JSON Schema, regular expressions, GBNF, EBNF, choices, tool
// calls) builds: a context-free grammar whose terminals are regular expressions over bytes ("lexemes") and token ids.
// There is no tokenising step with its own rules: a lexeme ends wherever its expression accepts and the grammar can go
// on, so the language is exactly what the rules say.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "grammar/regex.h"
#include "puna/grammar/grammar.h"

namespace puna::grammar {

enum class Symbol : uint32_t {};  // a rule, a lexeme, a token or a repetition: an id in its builder

class Builder {
 public:
  Builder(const GrammarLimits& limits, const Watch& watch);

  RegexBuilder& regexes() noexcept { return regexes_; }

  Symbol lexeme(Regex regex);                   // equal expressions are the same symbol; may match nothing
  Symbol special_token(std::string_view name);  // the token itself, never its text ("<|python_start|>")
  // A rule is declared, then given its alternatives; one that never gets any is an error in finish().
  Symbol rule(std::string_view name);  // the name is for messages only, it need not be unique
  void alternative(Symbol rule, std::span<const Symbol> sequence);  // empty: the empty string
  // `symbol` min to max times, with `separator` between two when there is one. Counters, not copies.
  Symbol repeat(Symbol symbol, uint64_t min, uint64_t max);
  Symbol repeat(Symbol symbol, uint64_t min, uint64_t max, Symbol separator);

  // Checks (every rule reachable from the root has an alternative that ends; the language is not empty) and freezes.
  // Symbols that cannot produce a string are removed together with the alternatives that need them.
  GrammarPtr finish(Symbol root);

 private:
  friend class Freezer;
  enum class Kind : uint8_t { rule, lexeme, token, repeat };
  struct Entry {
    Kind kind;
    Regex regex{};                  // lexeme
    Symbol element{}, separator{};  // repeat; no separator: Symbol(kNone)
    uint64_t min = 0, max = 0;
    uint32_t name = 0;                                             // token: number of its name; rule: likewise
    uint32_t first_alternative = kNone, last_alternative = kNone;  // rule: a chain
  };
  struct Alternative {
    size_t begin, end;  // in sequences_
    uint32_t next;      // of the same rule
  };
  Symbol add(const Entry& entry);
  void require_known(Symbol symbol) const;

  GrammarLimits limits_;
  const Watch* watch_;
  RegexBuilder regexes_;
  std::vector<Entry> symbols_;
  std::vector<Alternative> alternatives_;
  std::vector<Symbol> sequences_;
  std::vector<std::string> names_;
  std::unordered_map<uint32_t, Symbol> lexemes_;    // by expression
  std::unordered_map<std::string, Symbol> tokens_;  // by name
};

// `watch` must outlive the builder.
std::unique_ptr<Builder> make_builder(const GrammarLimits& limits, const Watch& watch);
// Error{invalid_argument} when a text is longer than `bytes`: it would not fit, and is not looked at.
void require_text_within(std::string_view text, const GrammarLimits& limits);

}  // namespace puna::grammar
