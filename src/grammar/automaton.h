// automaton.h -- all that is built while matching: derivatives, lexer states, columns, configurations. One for all
// matchers of a grammar, who lock it for the length of a call; each has its place in it as a number. It only grows;
// when it holds more than the grammar's limits, a matcher carries its place over into another one (move_to) and the old
// one is freed with its last matcher.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <tuple>
#include <utility>
#include <vector>

#include "grammar/clamp.h"
#include "grammar/columns.h"
#include "grammar/configurations.h"
#include "grammar/derivative.h"
#include "grammar/lexer_states.h"
#include "grammar/liveness.h"
#include "grammar/mask_cache.h"
#include "grammar/rules.h"

namespace puna::grammar {

// One call of a matcher has built more than the limits allow; the matcher may try again in an emptier automaton.
struct AutomatonFull {
  const char* limit;
  uint64_t most;
  bool first_call;  // of the automaton: another one would not do better
};

class Costs;

class Automaton {
 public:
  explicit Automaton(const Rules& rules);
  ~Automaton();
  Automaton(const Automaton&) = delete;
  Automaton& operator=(const Automaton&) = delete;

  const Rules& rules() const noexcept { return rules_; }
  Configurations& configurations() noexcept { return configurations_; }
  Columns& columns() noexcept { return columns_; }
  LexerStates& lexers() noexcept { return lexers_; }
  RegexBuilder& regexes() noexcept { return regexes_; }
  uint32_t start() const noexcept { return start_; }

  // For walks: counts what was built since begin_call() and throws AutomatonFull.
  void begin_call() noexcept {
    states_at_begin_ = states();
    ++calls_;
  }
  // A call that takes many steps: the limit is of one.
  void begin_step() noexcept { states_at_begin_ = states(); }
  void check() const;
  uint32_t step(uint32_t configuration, uint8_t byte) {
    const uint32_t known = configurations_.known_step(configuration, byte);
    if (known != kNone) return known;
    check();
    return configurations_.first_step(configuration, byte);
  }
  size_t states() const noexcept { return regexes_.size() + lexers_.size() + columns_.size() + configurations_.size(); }
  size_t bytes_held() const noexcept;
  // The same place in another automaton of the same grammar.
  uint32_t move_to(Automaton& other, uint32_t configuration) const;

  // Of an expression that this automaton knows, for some vocabulary and one of its groups; where it lies and whether it
  // still does is the vocabulary's affair.
  std::weak_ptr<const ExpressionMask>& known_mask(const void* vocabulary, uint32_t group, Regex r) {
    return known_masks_[{vocabulary, group, r}];
  }
  Regex clamped(Regex r, int bytes);
  // Of what completes an answer, special tokens counted as one byte. Kept; when a call on it throws, forget it.
  Costs& closing_costs();
  void forget_closing_costs() noexcept;
  Regex derivative(Regex r, int byte_class) { return derivatives_.of(r, byte_class); }

  std::mutex mutex;

 private:
  const Rules& rules_;
  RegexBuilder regexes_;
  Derivatives derivatives_;
  Liveness liveness_;
  LexerStates lexers_;
  Columns columns_;
  Configurations configurations_;
  std::vector<std::pair<int, Clamp>> clamps_;  // by length
  std::map<std::tuple<const void*, uint32_t, Regex>, std::weak_ptr<const ExpressionMask>> known_masks_;
  std::unique_ptr<Costs> closing_costs_;
  uint32_t start_;
  size_t states_at_begin_ = 0;
  uint64_t calls_ = 0;
};

}  // namespace puna::grammar
