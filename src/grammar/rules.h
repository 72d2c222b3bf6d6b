// rules.h -- a finished grammar as the parser reads it: symbols, and dots, which are the places between the symbols of
// alternatives and repetitions. See columns.h for how they move.
#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "grammar/derivative.h"
#include "grammar/regex.h"
#include "puna/grammar/grammar.h"

namespace puna::grammar {

inline constexpr uint32_t kManyLeft = UINT32_MAX;  // of a repetition without a maximum

// Before symbol `next` of an alternative (place `dot + 1` is after it), or before a repetition's element or separator.
struct Dot {
  enum class In : uint8_t { rule, element, separator };
  In in;
  bool tail;      // nothing follows `next`: who completes it completes the whole
  uint32_t next;  // symbol; kNone: at the end of an alternative
};

// A dot that a symbol starts with, and how many elements are still needed and possible there (repetitions only).
struct Start {
  uint32_t dot, min_left, max_left;
};

struct SymbolInfo {
  enum class Kind : uint8_t { rule, lexeme, token, repeat };
  Kind kind;
  bool nullable;
  Regex regex{};                        // lexeme
  uint32_t token = 0;                   // number of its name
  uint32_t starts = 0, starts_end = 0;  // rule and repeat: in Rules::starts; nullable beginnings are left out already
  uint32_t element_dot = 0;             // repeat; the separator's is the next one, and has no `next` without separator
  uint32_t min = 0, max = 0;
};

struct Rules {
  RegexBuilder regexes{UINT32_MAX, nullptr};
  ByteClasses classes{{}};
  std::vector<SymbolInfo> symbols;
  std::vector<Dot> dots;
  std::vector<Start> starts;
  std::vector<std::string> token_names;
  uint32_t start_dot = 0;  // before the whole answer
  GrammarLimits limits;
};

class Automaton;

}  // namespace puna::grammar

namespace puna {

class Grammar {
 public:
  explicit Grammar(grammar::Rules rules);
  ~Grammar();
  const grammar::Rules& rules() const noexcept { return rules_; }

  // The automaton that matchers share, made at the first call. Given the one that a matcher found full, another one.
  std::shared_ptr<grammar::Automaton> automaton(const grammar::Automaton* full = nullptr) const;

 private:
  grammar::Rules rules_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<grammar::Automaton> automaton_;
};

}  // namespace puna
