// builder.cpp -- collects symbols; freeze.cpp checks them and makes a Grammar.
#include "grammar/builder.h"

#include "puna/base/error.h"

namespace puna::grammar {

Builder::Builder(const GrammarLimits& limits, const Watch& watch)
    : limits_(limits), watch_(&watch), regexes_(limits.nodes, &watch) {}

std::unique_ptr<Builder> make_builder(const GrammarLimits& limits, const Watch& watch) {
  return std::make_unique<Builder>(limits, watch);
}

void require_text_within(std::string_view text, const GrammarLimits& limits) {
  PUNA_REQUIRE(text.size() <= limits.bytes, "the grammar's text has %zu bytes, more than the limit of %ju", text.size(),
               limits.bytes);
}

Symbol Builder::add(const Entry& entry) {
  watch_->tick();
  PUNA_REQUIRE(symbols_.size() + sequences_.size() < limits_.nodes,
               "the grammar's rules have more than the limit of %ju nodes", limits_.nodes);
  symbols_.push_back(entry);
  return Symbol(symbols_.size() - 1);
}

void Builder::require_known(Symbol symbol) const {
  PUNA_REQUIRE(size_t(symbol) < symbols_.size(), "symbol %u is not one of this builder's %zu", unsigned(symbol),
               symbols_.size());
}

Symbol Builder::lexeme(Regex regex) {
  if (const auto known = lexemes_.find(uint32_t(regex)); known != lexemes_.end()) return known->second;
  const Symbol symbol = add({.kind = Kind::lexeme, .regex = regex});
  lexemes_.emplace(uint32_t(regex), symbol);
  return symbol;
}

Symbol Builder::special_token(std::string_view name) {
  if (const auto known = tokens_.find(std::string(name)); known != tokens_.end()) return known->second;
  const Symbol symbol = add({.kind = Kind::token, .name = uint32_t(names_.size())});
  names_.emplace_back(name);
  tokens_.emplace(name, symbol);
  return symbol;
}

Symbol Builder::rule(std::string_view name) {
  const Symbol symbol = add({.kind = Kind::rule, .name = uint32_t(names_.size())});
  names_.emplace_back(name);
  return symbol;
}

void Builder::alternative(Symbol rule, std::span<const Symbol> sequence) {
  require_known(rule);
  for (const Symbol symbol : sequence) require_known(symbol);
  PUNA_REQUIRE(symbols_[size_t(rule)].kind == Kind::rule, "symbol %u is not a rule and takes no alternatives",
               unsigned(rule));
  watch_->tick(1 + sequence.size() / 16);
  PUNA_REQUIRE(symbols_.size() + sequences_.size() + sequence.size() < limits_.nodes,
               "the grammar's rules have more than the limit of %ju nodes", limits_.nodes);
  const size_t begin = sequences_.size();
  sequences_.insert(sequences_.end(), sequence.begin(), sequence.end());
  alternatives_.push_back({begin, sequences_.size(), kNone});
  Entry& entry = symbols_[size_t(rule)];
  const uint32_t number = uint32_t(alternatives_.size() - 1);
  (entry.last_alternative == kNone ? entry.first_alternative : alternatives_[entry.last_alternative].next) = number;
  entry.last_alternative = number;
}

Symbol Builder::repeat(Symbol symbol, uint64_t min, uint64_t max) { return repeat(symbol, min, max, Symbol(kNone)); }

Symbol Builder::repeat(Symbol symbol, uint64_t min, uint64_t max, Symbol separator) {
  require_known(symbol);
  if (separator != Symbol(kNone)) require_known(separator);
  PUNA_REQUIRE(min <= max, "a repetition of at least %ju and at most %ju times", min, max);
  PUNA_REQUIRE(min < kNone, "a repetition of at least %ju times is longer than any answer", min);
  return add({.kind = Kind::repeat, .element = symbol, .separator = separator, .min = min, .max = max});
}

}  // namespace puna::grammar
