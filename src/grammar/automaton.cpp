// automaton.cpp -- limits, and the way from one automaton into another.
#include "grammar/automaton.h"

#include <algorithm>

#include "grammar/costs.h"

namespace puna::grammar {

Automaton::Automaton(const Rules& rules)
    : rules_(rules),
      regexes_(rules.regexes),
      derivatives_(regexes_, rules.classes),
      liveness_(regexes_, derivatives_, rules.classes, rules.limits.states, nullptr, rules.limits.bytes),
      lexers_(rules, regexes_, derivatives_, liveness_),
      columns_(rules, lexers_),
      configurations_(rules, lexers_, columns_),
      start_(configurations_.start()) {}

Automaton::~Automaton() = default;

Costs& Automaton::closing_costs() {
  if (!closing_costs_) closing_costs_ = std::make_unique<Costs>(*this, 1);
  return *closing_costs_;
}
void Automaton::forget_closing_costs() noexcept { closing_costs_.reset(); }

size_t Automaton::bytes_held() const noexcept {
  size_t clamps = 0;
  for (const auto& [length, clamp] : clamps_) clamps += clamp.bytes_held();
  return clamps + regexes_.bytes_held() + derivatives_.bytes_held() + liveness_.bytes_held() + lexers_.bytes_held() +
         columns_.bytes_held() + configurations_.bytes_held() + known_masks_.size() * 96;
}

void Automaton::check() const {
  if (states() - states_at_begin_ > rules_.limits.states)
    throw AutomatonFull{"states", rules_.limits.states, calls_ <= 1};
  if (bytes_held() > rules_.limits.bytes) throw AutomatonFull{"bytes", rules_.limits.bytes, calls_ <= 1};
}

Regex Automaton::clamped(Regex r, int bytes) {
  for (auto& [length, clamp] : clamps_)
    if (length == bytes) return clamp.of(r);
  clamps_.emplace_back(bytes, Clamp(regexes_, derivatives_, rules_.classes, bytes));
  return clamps_.back().second.of(r);
}

// Columns return to columns with smaller numbers, so in ascending order everything is there when it is needed.
uint32_t Automaton::move_to(Automaton& other, uint32_t configuration) const {
  std::vector<uint32_t> regexes_there(regexes_.size(), kNone), columns_there(columns_.size(), kNone);
  std::vector<bool> wanted(columns_.size(), false);
  const std::span<const Thread> threads = configurations_.threads(configuration);
  const uint32_t token_column = configurations_.token_column(configuration);
  uint32_t last = 0;
  for (const Thread& thread : threads) {
    wanted[thread.column] = true;
    last = std::max(last, thread.column);
  }
  if (token_column != kNone) {
    wanted[token_column] = true;
    last = std::max(last, token_column);
  }
  for (uint32_t column = last + 1; column-- > 0;) {
    if (!wanted[column]) continue;
    for (const Item& item : columns_.kernel_items(column))
      if (item.to.column < kWholeAnswer) wanted[item.to.column] = true;
  }
  for (uint32_t column = 0; column <= last && column < wanted.size(); ++column)
    if (wanted[column]) columns_there[column] = other.columns_.bring(columns_, column, columns_there);
  std::vector<Thread> there;
  std::vector<LexerItem> items;
  for (const Thread& thread : threads) {
    items.clear();
    for (const LexerItem& item : lexers_.items(thread.state))
      items.push_back({item.lexeme, other.regexes_.import(regexes_, item.left, regexes_there)});
    there.push_back({columns_there[thread.column], other.lexers_.intern(items)});
  }
  std::sort(there.begin(), there.end());
  return other.configurations_.of(there, configurations_.complete(configuration),
                                  token_column == kNone ? kNone : columns_there[token_column]);
}

}  // namespace puna::grammar

namespace puna {

Grammar::Grammar(grammar::Rules rules) : rules_(std::move(rules)) {}
Grammar::~Grammar() = default;

std::shared_ptr<grammar::Automaton> Grammar::automaton(const grammar::Automaton* full) const {
  const std::lock_guard lock(mutex_);
  if (!automaton_ || automaton_.get() == full) automaton_ = std::make_shared<grammar::Automaton>(rules_);
  return automaton_;
}

}  // namespace puna
