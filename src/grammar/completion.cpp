// completion.cpp -- what has to come: Matcher::forced and shortest_completion.
#include "grammar/costs.h"
#include "grammar/matcher_impl.h"

namespace puna {

using grammar::Automaton;
using grammar::Configurations;
using grammar::Costs;

namespace {

// The only byte that may come, -1: there are others, or the answer may end, or a special token may come.
int only_byte(Automaton& automaton, uint32_t configuration) {
  Configurations& configurations = automaton.configurations();
  if (configurations.complete(configuration) || configurations.token_column(configuration) != grammar::kNone) return -1;
  grammar::ByteSet first;
  bool plain = true;
  for (const grammar::Thread& thread : configurations.threads(configuration))
    for (const grammar::LexerItem& item : automaton.lexers().items(thread.state)) {
      first |= automaton.regexes().first(item.left);
      plain = plain && automaton.regexes().plain(item.left);
    }
  if (plain && first.count() != 1) return -1;
  int only = -1;
  for (int byte = 0; byte < 256; ++byte) {
    if (!first.has(uint8_t(byte))) continue;
    if (automaton.step(configuration, uint8_t(byte)) == Configurations::kDead) continue;
    if (only >= 0) return -1;
    only = byte;
  }
  return only;
}

}  // namespace

std::string Matcher::forced(size_t limit) {
  if (impl_->stopped) return {};
  return impl_->within_limits([&](Automaton& automaton) {
    std::string bytes;
    for (uint32_t at = impl_->at; bytes.size() < limit;) {
      const int byte = only_byte(automaton, at);
      if (byte < 0) break;
      bytes += char(byte);
      at = automaton.step(at, uint8_t(byte));
    }
    return bytes;
  });
}

std::string Matcher::shortest_completion(size_t limit) {
  if (impl_->stopped || impl_->complete) return {};
  return impl_->within_limits([&](Automaton& automaton) {
    Costs costs(automaton);
    std::string bytes;
    uint32_t at = impl_->at;
    uint64_t left = costs.of_configuration(at);
    PUNA_REQUIRE(left < Costs::kNever, "the answer cannot be completed by text alone: a special token has to come");
    PUNA_REQUIRE(left <= limit, "the shortest completion has %ju bytes, more than the limit of %zu", left, limit);
    for (; left > 0; --left) {
      automaton.begin_step();
      const int classes = automaton.rules().classes.count;
      int c = 0;  // classes are in the order of their least bytes
      for (; c < classes; ++c) {
        const uint32_t next = automaton.step(at, automaton.rules().classes.first_byte[size_t(c)]);
        if (next == Configurations::kDead || costs.of_configuration(next) != left - 1) continue;
        bytes += char(automaton.rules().classes.first_byte[size_t(c)]);
        at = next;
        break;
      }
      PUNA_INVARIANT(c < classes);
    }
    return bytes;
  });
}

}  // namespace puna
