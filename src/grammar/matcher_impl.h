// matcher_impl.h -- Matcher's inside: a place in a grammar's automaton, and the tokens that led there.
#pragma once
#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "grammar/automaton.h"
#include "grammar/vocabulary.h"
#include "puna/base/error.h"
#include "puna/grammar/matcher.h"

namespace puna {

struct Matcher::Impl {
  Impl(GrammarPtr grammar, GrammarVocabularyPtr vocabulary, std::span<const int32_t> stop_tokens);

  // What a call does in the automaton, f(automaton): under its lock, within the limits. Where those do not suffice
  // because of what earlier calls have built, again in an emptier automaton. `at` is the place in the automaton at
  // hand.
  template <class F>
  auto within_limits(F&& f) {
    for (int tries_left = 2;; --tries_left) {
      try {
        const std::lock_guard lock(automaton->mutex);
        automaton->begin_call();
        return f(*automaton);
      } catch (const grammar::AutomatonFull& full) {
        if (tries_left == 0 || full.first_call)
          fail(Status::invalid_argument, "one step of the grammar takes more than its limit of %ju %s", full.most,
               full.limit);
      }
      move_on();
    }
  }
  void move_on();
  void arrive(uint32_t configuration) noexcept;  // under the lock

  bool is_stop(int32_t id) const noexcept { return std::binary_search(stops.begin(), stops.end(), id); }
  void require_token(int32_t id) const;
  // From a configuration over a token that is no stop token; Configurations::kDead where it may not come.
  uint32_t after_token(grammar::Automaton& automaton, uint32_t configuration, int32_t id) const;
  uint32_t after_bytes(grammar::Automaton& automaton, uint32_t configuration, std::string_view bytes) const;

  std::shared_ptr<const grammar::StoredMask> grammar_mask();

  GrammarPtr grammar;
  GrammarVocabularyPtr vocabulary;
  std::vector<int32_t> stops;                                // ascending
  std::vector<std::pair<int32_t, uint32_t>> special_tokens;  // id, symbol; ascending
  std::shared_ptr<grammar::Automaton> automaton;
  uint32_t at = 0;
  bool complete = false, goes_on = false;  // of `at`, which is looked at under the lock only
  bool stopped = false;                    // a stop token came
  std::vector<int32_t> history;            // tokens, and bytes that came as text: -1 - byte

  std::shared_ptr<const grammar::StoredMask> last_mask;  // what the spans of mask() point into
};

}  // namespace puna
