// lexer_states.cpp -- one step of all expressions that are under way.
#include "grammar/lexer_states.h"

namespace puna::grammar {

LexerStates::LexerStates(const Rules& rules, RegexBuilder& arena, Derivatives& derivatives, Liveness& liveness)
    : rules_(rules), arena_(arena), derivatives_(derivatives), liveness_(liveness) {
  states_.intern({});
  ended_.intern({});
}

LexerStates::Step LexerStates::first_step(uint32_t state, int byte_class) {
  if (state == 0) return {0, 0};
  if (state >= rows_.size()) rows_.resize(states_.size(), kNone);
  if (rows_[state] == kNone) {
    const size_t row = steps_.size();
    steps_.resize(row + size_t(rules_.classes.count), {kNone, 0});
    rows_[state] = uint32_t(row);
  }
  next_.clear();
  ends_.clear();
  for (size_t i = 0, n = states_[state].size(); i < n; ++i) {
    const LexerItem item = states_[state][i];
    const Regex left = derivatives_.of(item.left, byte_class);
    if (left == arena_.nothing()) continue;
    if (arena_.nullable(left)) ends_.push_back({item.lexeme});
    if (liveness_.goes_on(left)) next_.push_back({item.lexeme, left});
  }
  const uint32_t next = states_.intern(next_), ended = ended_.intern(ends_);
  return steps_[rows_[state] + size_t(byte_class)] = {next, ended};
}

}  // namespace puna::grammar
