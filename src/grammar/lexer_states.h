// lexer_states.h -- the expressions that are under way at once, as one number: a lexer state is a sorted set of
// (lexeme, what is left of it). A lazily built automaton: a byte leads to another state and to the lexemes that may end
// there.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "grammar/intern.h"
#include "grammar/liveness.h"
#include "grammar/rules.h"

namespace puna::grammar {

struct LexerItem {
  uint32_t lexeme;  // symbol
  Regex left;
  bool operator==(const LexerItem&) const = default;
  uint64_t mix_into(uint64_t hash) const noexcept { return mixed(hash, uint64_t(lexeme) << 32 | uint64_t(left)); }
};

struct SymbolNumber {
  uint32_t symbol;
  bool operator==(const SymbolNumber&) const = default;
  uint64_t mix_into(uint64_t hash) const noexcept { return mixed(hash, symbol); }
};

class LexerStates {
 public:
  // State 0: nothing is under way. Set 0: no lexeme.
  struct Step {
    uint32_t state, ended;  // where the lexemes go on; number of the set of those that may end here
  };

  LexerStates(const Rules& rules, RegexBuilder& arena, Derivatives& derivatives, Liveness& liveness);

  uint32_t intern(std::span<const LexerItem> items) { return states_.intern(items); }  // sorted
  Step step(uint32_t state, int byte_class) {
    if (state < rows_.size() && rows_[state] != kNone) {
      const Step known = steps_[rows_[state] + size_t(byte_class)];
      if (known.state != kNone) return known;
    }
    return first_step(state, byte_class);
  }
  std::span<const LexerItem> items(uint32_t state) const noexcept { return states_[state]; }
  std::span<const SymbolNumber> ended(uint32_t set) const noexcept { return ended_[set]; }
  uint32_t size() const noexcept { return states_.size(); }
  size_t bytes_held() const noexcept {
    return states_.bytes() + ended_.bytes() + rows_.size() * sizeof(uint32_t) + steps_.size() * sizeof(Step);
  }

 private:
  Step first_step(uint32_t state, int byte_class);

  const Rules& rules_;
  RegexBuilder& arena_;
  Derivatives& derivatives_;
  Liveness& liveness_;
  InternedLists<LexerItem> states_;
  InternedLists<SymbolNumber> ended_;
  std::vector<uint32_t> rows_;  // by state: where its steps begin, kNone before the first one is asked for
  std::vector<Step> steps_;
  std::vector<LexerItem> next_;
  std::vector<SymbolNumber> ends_;
};

}  // namespace puna::grammar
