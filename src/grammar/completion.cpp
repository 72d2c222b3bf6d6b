// completion.cpp -- what has to come: Matcher::forced, forced_but_space and shortest_completion.
#include "grammar/costs.h"
#include "grammar/matcher_impl.h"

namespace puna {

using grammar::Automaton;
using grammar::Configurations;
using grammar::Costs;

namespace {

constexpr std::string_view kSpaces = " \t\n\r";

// The only byte that may come besides those of `ignored`, -1: there are others, or none, or the answer may end, or a
// special token may come.
int only_byte(Automaton& automaton, uint32_t configuration, std::string_view ignored = {}) {
  Configurations& configurations = automaton.configurations();
  if (configurations.complete(configuration) || configurations.token_column(configuration) != grammar::kNone) return -1;
  grammar::ByteSet first;
  bool plain = true;
  for (const grammar::Thread& thread : configurations.threads(configuration))
    for (const grammar::LexerItem& item : automaton.lexers().items(thread.state)) {
      first |= automaton.regexes().first(item.left);
      plain = plain && automaton.regexes().plain(item.left);
    }
  for (const char byte : ignored) first.remove(uint8_t(byte));
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

uint64_t longest_token(const GrammarVocabulary& vocabulary) {
  uint64_t longest = 1;
  for (const grammar::TokenGroup& group : vocabulary.groups()) longest = std::max(longest, uint64_t(group.longest));
  return longest;
}

// A step that brings the end nearer: the least byte, or else a special token.
struct Shorter {
  uint32_t configuration;
  char byte;
  int32_t token;  // -1: the byte
};
Shorter shorter(Automaton& automaton, Costs& costs, uint32_t at, uint64_t left,
                std::span<const std::pair<int32_t, uint32_t>> specials) {
  const grammar::ByteClasses& classes = automaton.rules().classes;  // in the order of their least bytes
  for (size_t c = 0; c < size_t(classes.count); ++c) {
    const uint32_t next = automaton.step(at, classes.first_byte[c]);
    if (next != Configurations::kDead && costs.of_configuration(next) == left - 1)
      return {next, char(classes.first_byte[c]), -1};
  }
  for (const auto& [id, symbol] : specials) {
    const uint32_t next = automaton.configurations().step_token(at, symbol);
    if (next != Configurations::kDead && costs.of_configuration(next) == left - 1) return {next, 0, id};
  }
  fail(Status::internal, "a grammar's answer that ends in %ju bytes has no next one", left);
}

// What f(costs) says; a failure leaves nothing half done behind.
template <class F>
auto with_closing_costs(Automaton& automaton, F&& f) {
  try {
    return f(automaton.closing_costs());
  } catch (...) {
    automaton.forget_closing_costs();
    throw;
  }
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

Matcher::LikelyText Matcher::forced_but_space(FunctionRef<std::string_view(std::string_view)> space, size_t limit) {
  if (impl_->stopped) return {};
  return impl_->within_limits([&](Automaton& automaton) {
    LikelyText text;
    bool guessed = false;
    for (uint32_t at = impl_->at; text.bytes.size() < limit;) {
      int byte = only_byte(automaton, at);
      if (byte < 0) {
        byte = only_byte(automaton, at, kSpaces);
        if (byte < 0) break;
        const std::string guess(space(text.bytes));
        const uint32_t behind = impl_->after_bytes(automaton, at, guess);
        if (behind == Configurations::kDead || automaton.step(behind, uint8_t(byte)) == Configurations::kDead) break;
        guessed = true;
        text.bytes += guess;
        at = behind;
      }
      text.bytes += char(byte);
      at = automaton.step(at, uint8_t(byte));
      if (!guessed) text.certain = text.bytes.size();
    }
    return text;
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
      const Shorter next = shorter(automaton, costs, at, left, {});
      bytes += next.byte;
      at = next.configuration;
    }
    return bytes;
  });
}

uint64_t Matcher::bytes_to_close(int32_t id) {
  impl_->require_token(id);
  if (impl_->stopped) return UINT64_MAX;
  if (impl_->complete && impl_->is_stop(id)) return 0;
  return impl_->within_limits([&](Automaton& automaton) {
    const uint32_t next = impl_->after_token(automaton, impl_->at, id);
    if (next == Configurations::kDead) return UINT64_MAX;
    const uint64_t bytes = with_closing_costs(automaton, [&](Costs& costs) { return costs.of_configuration(next); });
    return bytes < Costs::kNever ? bytes : UINT64_MAX;
  });
}

std::optional<std::vector<int32_t>> Matcher::closing_tokens(size_t most) {
  std::vector<int32_t> tokens;
  if (impl_->stopped || impl_->complete) return tokens;
  const bool fits = impl_->within_limits([&](Automaton& automaton) {
    return with_closing_costs(automaton, [&](Costs& costs) {
      tokens.clear();
      std::string text;
      const auto spell = [&] {  // false: it cannot be, or takes too many
        for (std::string_view left = text; !left.empty();) {
          const int32_t id = impl_->vocabulary->longest_beginning(left);
          if (id < 0 || tokens.size() == most) return false;
          tokens.push_back(id);
          left.remove_prefix(impl_->vocabulary->tokenizer().bytes(id).size());
        }
        text.clear();
        return true;
      };
      uint32_t at = impl_->at;
      uint64_t left = costs.of_configuration(at);
      // Longer than what so many tokens can say: it need not be spelled out.
      if (left >= Costs::kNever || left / longest_token(*impl_->vocabulary) > most) return false;
      for (; left > 0; --left) {
        automaton.begin_step();
        const Shorter next = shorter(automaton, costs, at, left, impl_->special_tokens);
        at = next.configuration;
        if (next.token < 0) {
          text += next.byte;
          continue;
        }
        if (!spell() || tokens.size() == most) return false;
        tokens.push_back(next.token);
      }
      return spell();
    });
  });
  if (!fits) return std::nullopt;
  return tokens;
}

}  // namespace puna
