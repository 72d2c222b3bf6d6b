// matcher.cpp -- Matcher: following an answer. What may come next is in mask.cpp and completion.cpp.
#include <algorithm>

#include "grammar/matcher_impl.h"

namespace puna {

using grammar::Automaton;
using grammar::Configurations;

Matcher::Impl::Impl(GrammarPtr grammar_in, GrammarVocabularyPtr vocabulary_in, std::span<const int32_t> stop_tokens)
    : grammar(std::move(grammar_in)), vocabulary(std::move(vocabulary_in)) {
  PUNA_REQUIRE(grammar != nullptr, "a matcher needs a grammar");
  PUNA_REQUIRE(vocabulary != nullptr, "a matcher needs a vocabulary");
  const Tokenizer& tokenizer = vocabulary->tokenizer();
  stops.assign(stop_tokens.begin(), stop_tokens.end());
  if (stops.empty()) stops = tokenizer.specials().stop;
  std::sort(stops.begin(), stops.end());
  stops.erase(std::unique(stops.begin(), stops.end()), stops.end());
  for (const int32_t id : stops) require_token(id);
  const grammar::Rules& rules = grammar->rules();
  for (uint32_t symbol = 0; symbol < rules.symbols.size(); ++symbol) {
    if (rules.symbols[symbol].kind != grammar::SymbolInfo::Kind::token) continue;
    const std::string& name = rules.token_names[rules.symbols[symbol].token];
    const int32_t id = tokenizer.find(name);
    PUNA_REQUIRE(id >= 0, "the grammar uses the special token '%s', which this vocabulary does not have", name.c_str());
    PUNA_REQUIRE(tokenizer.kind(id) != TokenKind::normal && tokenizer.kind(id) != TokenKind::byte,
                 "the grammar uses '%s' as a special token, and it is ordinary text in this vocabulary", name.c_str());
    special_tokens.emplace_back(id, symbol);
  }
  std::sort(special_tokens.begin(), special_tokens.end());
  automaton = grammar->automaton();
  const std::lock_guard lock(automaton->mutex);
  arrive(automaton->start());
}

void Matcher::Impl::arrive(uint32_t configuration) noexcept {
  at = configuration;
  complete = automaton->configurations().complete(at);
  goes_on = automaton->configurations().goes_on(at);
}

// Into the automaton that the grammar's matchers share now, or a new one where that is ours.
void Matcher::Impl::move_on() {
  const std::shared_ptr<Automaton> other = grammar->automaton(automaton.get());
  const std::scoped_lock lock(automaton->mutex, other->mutex);
  at = automaton->move_to(*other, at);
  automaton = other;
}

void Matcher::Impl::require_token(int32_t id) const {
  PUNA_REQUIRE(id >= 0 && id < vocabulary->size(), "token %d is not one of the vocabulary's %d", id,
               vocabulary->size());
}

uint32_t Matcher::Impl::after_bytes(Automaton& automaton, uint32_t configuration, std::string_view bytes) const {
  for (const char byte : bytes) {
    if (configuration == Configurations::kDead) break;
    configuration = automaton.step(configuration, uint8_t(byte));
  }
  return configuration;
}

uint32_t Matcher::Impl::after_token(Automaton& automaton, uint32_t configuration, int32_t id) const {
  const auto special = std::ranges::lower_bound(special_tokens, std::pair(id, uint32_t(0)));
  for (auto it = special; it != special_tokens.end() && it->first == id; ++it) {
    const uint32_t next = automaton.configurations().step_token(configuration, it->second);
    if (next != Configurations::kDead) return next;
  }
  return vocabulary->is_text(id) ? after_bytes(automaton, configuration, vocabulary->tokenizer().bytes(id))
                                 : Configurations::kDead;
}

Matcher::Matcher(GrammarPtr grammar, GrammarVocabularyPtr vocabulary, std::span<const int32_t> stop_tokens)
    : impl_(std::make_unique<Impl>(std::move(grammar), std::move(vocabulary), stop_tokens)) {}
Matcher::Matcher(const Matcher& other) : impl_(std::make_unique<Impl>(*other.impl_)) {}
Matcher::Matcher(Matcher&&) noexcept = default;
Matcher& Matcher::operator=(Matcher other) noexcept {
  impl_ = std::move(other.impl_);
  return *this;
}
Matcher::~Matcher() = default;

bool Matcher::accepting() const noexcept { return impl_->complete; }
bool Matcher::ended() const noexcept { return impl_->stopped || !impl_->goes_on; }
std::span<const int32_t> Matcher::history() const noexcept { return impl_->history; }

bool Matcher::allows(int32_t id) {
  impl_->require_token(id);
  if (impl_->stopped) return false;
  if (impl_->complete && impl_->is_stop(id)) return true;
  return impl_->within_limits(
      [&](Automaton& automaton) { return impl_->after_token(automaton, impl_->at, id) != Configurations::kDead; });
}

void Matcher::accept(int32_t id) {
  impl_->require_token(id);
  PUNA_REQUIRE(!impl_->stopped, "token %d comes after a stop token", id);
  impl_->history.reserve(impl_->history.size() == impl_->history.capacity() ? 2 * impl_->history.size() + 64 : 0);
  if (impl_->complete && impl_->is_stop(id)) {
    impl_->stopped = true;
    impl_->history.push_back(id);
    return;
  }
  impl_->within_limits([&](Automaton& automaton) {
    const uint32_t next = impl_->after_token(automaton, impl_->at, id);
    PUNA_REQUIRE(next != Configurations::kDead, "the grammar does not allow token %d here", id);
    impl_->arrive(next);
  });
  impl_->history.push_back(id);
}

void Matcher::accept_bytes(std::string_view bytes) {
  PUNA_REQUIRE(!impl_->stopped || bytes.empty(), "text comes after a stop token");
  impl_->history.reserve(std::max(impl_->history.size() + bytes.size(), impl_->history.capacity()));
  impl_->within_limits([&](Automaton& automaton) {
    uint32_t next = impl_->at;
    for (size_t i = 0; i < bytes.size(); ++i) {
      automaton.begin_step();
      next = automaton.step(next, uint8_t(bytes[i]));
      PUNA_REQUIRE(next != Configurations::kDead, "the grammar does not allow byte 0x%02X at %zu of this text",
                   unsigned(uint8_t(bytes[i])), i);
    }
    impl_->arrive(next);
  });
  for (const char byte : bytes) impl_->history.push_back(-1 - int32_t(uint8_t(byte)));
}

size_t Matcher::accepted_prefix(std::span<const int32_t> ids) {
  if (impl_->stopped) return 0;
  return impl_->within_limits([&](Automaton& automaton) {
    uint32_t next = impl_->at;
    for (size_t i = 0; i < ids.size(); ++i) {
      if (ids[i] < 0 || ids[i] >= impl_->vocabulary->size()) return i;
      if (automaton.configurations().complete(next) && impl_->is_stop(ids[i])) return i + 1;
      next = impl_->after_token(automaton, next, ids[i]);
      if (next == Configurations::kDead) return i;
    }
    return ids.size();
  });
}

void Matcher::reset() {
  const std::lock_guard lock(impl_->automaton->mutex);
  impl_->arrive(impl_->automaton->start());
  impl_->stopped = false;
  impl_->history.clear();
}

}  // namespace puna
