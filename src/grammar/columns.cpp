// columns.cpp -- how items move.
//   advance()  over a symbol that has been seen; an item at its end returns, which moves others (settle)
//   predict()  what may come: the starts of every symbol that an item waits for. Callers of a symbol in one column
//              share its items, which return to (this column, symbol). Where there is one caller only and the call is
//              the last thing of its rule, they return to where the caller would: `list = x list | x` stays one column.
#include "grammar/columns.h"

#include <algorithm>

namespace puna::grammar {

Columns::Columns(const Rules& rules, LexerStates& lexers)
    : rules_(rules), lexers_(lexers), called_at_(rules.symbols.size(), kNone) {}

std::span<const Item> Columns::waiting(uint32_t column, uint32_t symbol) const noexcept {
  const std::span<const Item> all = items(column);
  const auto range = std::ranges::equal_range(all, symbol, {}, [&](const Item& item) { return awaited(item); });
  return {range.begin(), range.end()};
}

uint32_t Columns::start() {
  Kernel kernel;
  add(kernel, {rules_.start_dot, {kWholeAnswer, 0}, 0, 0});
  settle(kernel);
  return intern(kernel);
}

void Columns::advance(Kernel& kernel, uint32_t column, uint32_t symbol) {
  for (Item item : waiting(column, symbol)) {
    if (item.to.column == kThisColumn) item.to.column = column;
    move(kernel, item, false);
  }
  settle(kernel);
}

// A new item, once.
void Columns::add(Kernel& kernel, const Item& item, bool skipped_separator) {
  const uint64_t hash = item.mix_into(0);
  if (kernel.table_.find(hash, [&](uint32_t n) { return kernel.items[n] == item; }) != kNone) return;
  kernel.table_.reserve_one();
  kernel.items.push_back(item);
  kernel.table_.insert(hash, uint32_t(kernel.items.size() - 1));
  kernel.todo_.push_back({item, skipped_separator});
}

void Columns::return_to(Kernel& kernel, Return to) {
  if (to.column == kWholeAnswer) {
    kernel.complete = true;
    return;
  }
  const uint64_t hash = mixed(to.column, to.symbol);
  if (kernel.return_table_.find(hash, [&](uint32_t n) { return kernel.returns_[n] == to; }) != kNone) return;
  kernel.return_table_.reserve_one();
  kernel.returns_.push_back(to);
  kernel.return_table_.insert(hash, uint32_t(kernel.returns_.size() - 1));
}

// The item's dot to behind the symbol that it waits for.
void Columns::move(Kernel& kernel, Item item, bool over_nothing) {
  const Dot& dot = rules_.dots[item.dot];
  switch (dot.in) {
    case Dot::In::rule:
      if (dot.tail)
        return_to(kernel, item.to);
      else
        add(kernel, {item.dot + 1, item.to, 0, 0});
      return;
    case Dot::In::separator: add(kernel, {item.dot - 1, item.to, item.min_left, item.max_left}, over_nothing); return;
    case Dot::In::element:
      if (item.min_left > 0) --item.min_left;
      if (item.max_left != kManyLeft) --item.max_left;
      if (item.min_left == 0) return_to(kernel, item.to);
      if (item.max_left == 0) return;
      if (rules_.dots[item.dot + 1].next != kNone) ++item.dot;
      add(kernel, item);
      return;
  }
}

// Returns, and steps over symbols that may be empty, until there is nothing new. An element that an empty separator led
// to is not skipped in its turn: the separator's own item allows as much. Nor is one of a repetition without
// separators: skipping the whole repetition is the same.
void Columns::settle(Kernel& kernel) {
  size_t returned = 0;
  while (!kernel.todo_.empty() || returned < kernel.returns_.size()) {
    if (kernel.todo_.empty()) {
      const Return to = kernel.returns_[returned++];
      for (Item item : waiting(to.column, to.symbol)) {
        if (item.to.column == kThisColumn) item.to.column = to.column;
        move(kernel, item, false);
      }
      continue;
    }
    const Kernel::Pending pending = kernel.todo_.back();
    kernel.todo_.pop_back();
    const Dot& dot = rules_.dots[pending.item.dot];
    if (!rules_.symbols[dot.next].nullable || pending.skipped_separator) continue;
    if (dot.in == Dot::In::element && rules_.dots[pending.item.dot + 1].next == kNone) continue;
    move(kernel, pending.item, true);
  }
}

uint32_t Columns::intern(Kernel& kernel) {
  std::sort(kernel.items.begin(), kernel.items.end());
  const uint32_t list = kernels_.intern(kernel.items);
  const uint64_t hash = mixed(list, kernel.complete);
  const uint32_t known =
      table_.find(hash, [&](uint32_t n) { return info_[n].kernel == list && info_[n].complete == kernel.complete; });
  if (known != kNone) return known;
  table_.reserve_one();
  const uint32_t all = predict(kernel);
  begins_.clear();
  bool wants_tokens = false;
  for (const Item& item : all_[all]) {
    const uint32_t symbol = awaited(item);
    const SymbolInfo& info = rules_.symbols[symbol];
    wants_tokens = wants_tokens || info.kind == SymbolInfo::Kind::token;
    if (info.kind == SymbolInfo::Kind::lexeme && (begins_.empty() || begins_.back().lexeme != symbol))
      begins_.push_back({symbol, info.regex});
  }
  info_.push_back({list, all, lexers_.intern(begins_), kernel.complete, wants_tokens});
  table_.insert(hash, uint32_t(info_.size() - 1));
  return uint32_t(info_.size() - 1);
}

uint32_t Columns::bring(const Columns& from, uint32_t column, std::span<const uint32_t> there) {
  Kernel kernel;
  for (Item item : from.kernel_items(column)) {
    if (item.to.column < kWholeAnswer) item.to.column = there[item.to.column];
    kernel.items.push_back(item);
  }
  kernel.complete = from.complete(column);
  return intern(kernel);
}

// Two passes: who calls whom, then the items. A symbol that is called once is called by what came before it in
// `called_`, so its caller's return is known.
uint32_t Columns::predict(const Kernel& kernel) {
  for (const Called& called : called_) called_at_[called.symbol] = kNone;  // of a call that failed
  called_.clear();
  const auto call = [&](uint32_t dot, Return to) {
    const uint32_t symbol = rules_.dots[dot].next;
    const SymbolInfo::Kind kind = rules_.symbols[symbol].kind;
    if (kind != SymbolInfo::Kind::rule && kind != SymbolInfo::Kind::repeat) return;
    if (called_at_[symbol] == kNone) {
      called_.push_back({.symbol = symbol});
      called_at_[symbol] = uint32_t(called_.size() - 1);
    }
    Called& called = called_[called_at_[symbol]];
    ++called.callers;
    called.tail = rules_.dots[dot].tail;
    called.to = to;
  };
  for (const Item& item : kernel.items) call(item.dot, item.to);
  for (size_t i = 0; i < called_.size(); ++i) {
    const SymbolInfo& info = rules_.symbols[called_[i].symbol];
    // The return of a caller that is itself called: found in the second pass, by its place.
    for (uint32_t s = info.starts; s < info.starts_end; ++s)
      call(rules_.starts[s].dot, {kThisColumn, called_[i].symbol});
  }
  predicted_.clear();
  const auto is_tail_call = [&](uint32_t dot) {
    const uint32_t at = called_at_[rules_.dots[dot].next];
    return at != kNone && called_[at].callers == 1 && called_[at].tail;
  };
  for (Called& called : called_) {
    if (called.callers != 1 || !called.tail)
      called.to = {kThisColumn, called.symbol};
    else if (called.to.column == kThisColumn)
      called.to = called_[called_at_[called.to.symbol]].to;
    const SymbolInfo& info = rules_.symbols[called.symbol];
    for (uint32_t s = info.starts; s < info.starts_end; ++s) {
      const Start& start = rules_.starts[s];
      if (!is_tail_call(start.dot)) predicted_.push_back({start.dot, called.to, start.min_left, start.max_left});
    }
  }
  for (const Item& item : kernel.items)
    if (!is_tail_call(item.dot)) predicted_.push_back(item);
  for (const Called& called : called_) called_at_[called.symbol] = kNone;
  std::sort(predicted_.begin(), predicted_.end(), [&](const Item& a, const Item& b) {
    const uint32_t wa = awaited(a), wb = awaited(b);
    return wa != wb ? wa < wb : a < b;
  });
  predicted_.erase(std::unique(predicted_.begin(), predicted_.end()), predicted_.end());
  return all_.intern(predicted_);
}

}  // namespace puna::grammar
