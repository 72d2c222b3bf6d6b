// costs.cpp -- least fixpoints, from above: start with "never" and go down until nothing changes.
#include "grammar/costs.h"

#include <algorithm>

namespace puna::grammar {

Costs::Costs(Automaton& automaton, uint64_t token) : automaton_(automaton), rules_(automaton.rules()), token_(token) {
  find_symbols();
}

// Children first. Below an intersection or a complement there is no arithmetic: breadth first through derivatives.
uint64_t Costs::of_expression(Regex wanted) {
  using Op = RegexBuilder::Op;
  std::vector<Regex> stack{wanted};
  while (!stack.empty()) {
    RegexBuilder& arena = automaton_.regexes();
    if (expressions_.size() < arena.size()) expressions_.resize(arena.size(), kUnknown);
    const Regex r = stack.back();
    if (expressions_[size_t(r)] != kUnknown) {
      stack.pop_back();
      continue;
    }
    const Op op = arena.op(r);
    const bool by_parts = op == Op::concat || op == Op::either || op == Op::repeat;
    if (arena.nullable(r) || !by_parts) {
      const uint64_t cost = arena.nullable(r) ? 0 : op == Op::bytes ? 1 : op == Op::nothing ? kNever : search(r);
      expressions_[size_t(r)] = cost;
      continue;
    }
    const size_t before = stack.size();
    for (const Regex child : arena.children(r))
      if (expressions_[size_t(child)] == kUnknown) stack.push_back(child);
    if (stack.size() > before) continue;
    uint64_t cost = op == Op::either ? kNever : 0;
    for (const Regex child : arena.children(r)) {
      const uint64_t of_child = expressions_[size_t(child)];
      cost = op == Op::either ? std::min(cost, of_child) : sum(cost, of_child);
    }
    if (op == Op::repeat) cost = times(cost, arena.bounds(r).min);
    expressions_[size_t(r)] = cost;
    stack.pop_back();
  }
  return expressions_[size_t(wanted)];
}

uint64_t Costs::search(Regex r) {
  std::vector<Regex> seen{r};
  std::vector<bool> known(size_t(r) + 1);
  known[size_t(r)] = true;
  size_t next = 0;
  for (uint64_t length = 0; next < seen.size(); ++length)
    for (const size_t end = seen.size(); next < end; ++next) {
      if (automaton_.regexes().nullable(seen[next])) return length;
      for (int c = 0; c < rules_.classes.count; ++c) {
        const Regex left = automaton_.derivative(seen[next], c);
        if (left == automaton_.regexes().nothing()) continue;
        if (size_t(left) >= known.size()) known.resize(2 * size_t(left) + 1);
        if (known[size_t(left)]) continue;
        known[size_t(left)] = true;
        seen.push_back(left);
        automaton_.check();
      }
    }
  return kNever;
}

uint64_t Costs::of_alternative(uint32_t dot) const {
  uint64_t cost = 0;
  for (; rules_.dots[dot].next != kNone; ++dot) cost = sum(cost, symbols_[rules_.dots[dot].next]);
  return cost;
}

// What an item takes after the symbol that it waits for, until its own is through.
uint64_t Costs::after(const Item& item) const {
  const Dot& dot = rules_.dots[item.dot];
  if (dot.in == Dot::In::rule) return dot.tail ? 0 : of_alternative(item.dot + 1);
  const uint32_t element_dot = dot.in == Dot::In::element ? item.dot : item.dot - 1;
  const uint32_t separator = rules_.dots[element_dot + 1].next;
  const uint64_t element = symbols_[rules_.dots[element_dot].next];
  const uint64_t more = sum(element, separator == kNone ? 0 : symbols_[separator]);
  const uint64_t others = times(more, item.min_left == 0 ? 0 : item.min_left - 1);
  return dot.in == Dot::In::element ? others : sum(element, others);
}

uint64_t Costs::of_start(const Start& start) const {
  const Item item{start.dot, {kWholeAnswer, 0}, start.min_left, start.max_left};
  return sum(symbols_[rules_.dots[start.dot].next], after(item));
}

void Costs::find_symbols() {
  const size_t count = rules_.symbols.size();
  symbols_.assign(count, kNever);
  std::vector<std::vector<uint32_t>> users(count);
  std::vector<uint32_t> todo;
  for (uint32_t n = 0; n < count; ++n) {
    const SymbolInfo& info = rules_.symbols[n];
    if (info.nullable)
      symbols_[n] = 0;
    else if (info.kind == SymbolInfo::Kind::lexeme)
      symbols_[n] = of_expression(info.regex);
    else if (info.kind == SymbolInfo::Kind::token)
      symbols_[n] = token_;
    if (symbols_[n] != kNever) todo.push_back(n);
    for (uint32_t s = info.starts; s < info.starts_end; ++s) {
      const uint32_t first = rules_.starts[s].dot;
      if (rules_.dots[first].in != Dot::In::rule) {
        const uint32_t element_dot = info.element_dot;
        users[rules_.dots[element_dot].next].push_back(n);
        if (const uint32_t separator = rules_.dots[element_dot + 1].next; separator != kNone)
          users[separator].push_back(n);
        continue;
      }
      for (uint32_t dot = first; rules_.dots[dot].next != kNone; ++dot) users[rules_.dots[dot].next].push_back(n);
    }
  }
  for (size_t next = 0; next < todo.size(); ++next)
    for (const uint32_t n : users[todo[next]]) {
      const SymbolInfo& info = rules_.symbols[n];
      uint64_t cost = symbols_[n];
      for (uint32_t s = info.starts; s < info.starts_end; ++s) cost = std::min(cost, of_start(rules_.starts[s]));
      if (cost == symbols_[n]) continue;
      symbols_[n] = cost;
      todo.push_back(n);
    }
}

// Columns that this one returns to come first: they have smaller numbers.
uint64_t Costs::of_return(uint32_t column, uint32_t symbol) {
  if (!returns_.contains(column)) {
    std::vector<uint32_t> wanted{column};
    for (size_t i = 0; i < wanted.size(); ++i)
      for (const Item& item : automaton_.columns().items(wanted[i])) {
        const uint32_t to = item.to.column;
        if (to >= kWholeAnswer || returns_.contains(to)) continue;
        returns_[to];
        wanted.push_back(to);
      }
    std::sort(wanted.begin(), wanted.end());
    for (const uint32_t each : wanted) find_returns(each);
  }
  const auto& of_column = returns_[column];
  const auto found = of_column.find(symbol);
  return found == of_column.end() ? kNever : found->second;
}

void Costs::find_returns(uint32_t column) {
  std::map<uint32_t, uint64_t>& costs = returns_[column];
  for (bool changed = true; changed;) {
    changed = false;
    for (const Item& item : automaton_.columns().items(column)) {
      uint64_t cost = 0;
      if (item.to.column != kWholeAnswer) {
        const std::map<uint32_t, uint64_t>& from = returns_[item.to.column == kThisColumn ? column : item.to.column];
        const auto found = from.find(item.to.symbol);
        if (found == from.end()) continue;
        cost = found->second;
      }
      cost = sum(cost, after(item));
      const auto [known, is_new] = costs.try_emplace(automaton_.columns().awaited(item), cost);
      if (!is_new && known->second <= cost) continue;
      known->second = cost;
      changed = true;
    }
  }
}

uint64_t Costs::of_configuration(uint32_t configuration) {
  if (automaton_.configurations().complete(configuration)) return 0;
  uint64_t cost = kNever;
  for (const Thread& thread : automaton_.configurations().threads(configuration))
    for (const LexerItem& item : automaton_.lexers().items(thread.state))
      cost = std::min(cost, sum(of_expression(item.left), of_return(thread.column, item.lexeme)));
  const uint32_t column = automaton_.configurations().token_column(configuration);
  if (token_ == kNever || column == kNone) return cost;
  for (const Item& item : automaton_.columns().items(column)) {
    const uint32_t symbol = automaton_.columns().awaited(item);
    if (rules_.symbols[symbol].kind == SymbolInfo::Kind::token)
      cost = std::min(cost, sum(token_, of_return(column, symbol)));
  }
  return cost;
}

}  // namespace puna::grammar
