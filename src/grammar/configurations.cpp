// configurations.cpp -- one byte, all threads.
#include "grammar/configurations.h"

#include <algorithm>

namespace puna::grammar {

Configurations::Configurations(const Rules& rules, LexerStates& lexers, Columns& columns)
    : rules_(rules), lexers_(lexers), columns_(columns) {
  of({}, false, kNone);
}

uint32_t Configurations::of(std::span<const Thread> sorted, bool complete, uint32_t token_column) {
  const Info info{threads_.intern(sorted), token_column, complete};
  const uint64_t hash = mixed(mixed(info.threads, token_column), complete);
  const uint32_t known = table_.find(hash, [&](uint32_t n) { return info_[n] == info; });
  if (known != kNone) return known;
  table_.reserve_one();
  rows_.resize(info_.size() + 1, kNone);
  info_.push_back(info);
  table_.insert(hash, uint32_t(info_.size() - 1));
  return uint32_t(info_.size() - 1);
}

uint32_t Configurations::of_column(uint32_t column) {
  const Thread thread{column, columns_.first_state(column)};
  return of({&thread, thread.state == 0 ? size_t(0) : size_t(1)}, columns_.complete(column),
            columns_.wants_tokens(column) ? column : kNone);
}

uint32_t Configurations::first_step(uint32_t configuration, uint8_t byte) {
  const uint8_t byte_class = rules_.classes.of[byte];
  next_.clear();
  kernel_.clear();
  bool ended = false;
  for (const Thread& thread : threads(configuration)) {
    const LexerStates::Step step = lexers_.step(thread.state, byte_class);
    if (step.state != 0) next_.push_back({thread.column, step.state});
    for (const SymbolNumber& lexeme : lexers_.ended(step.ended)) {
      columns_.advance(kernel_, thread.column, lexeme.symbol);
      ended = true;
    }
  }
  uint32_t column = kNone;
  if (ended) {
    column = columns_.intern(kernel_);
    if (columns_.first_state(column) != 0) next_.push_back({column, columns_.first_state(column)});
  }
  std::sort(next_.begin(), next_.end());
  next_.erase(std::unique(next_.begin(), next_.end()), next_.end());
  const uint32_t next =
      of(next_, ended && columns_.complete(column), ended && columns_.wants_tokens(column) ? column : kNone);
  if (rows_[configuration] == kNone) {
    const size_t row = steps_.size();
    steps_.resize(row + size_t(rules_.classes.count), kNone);
    rows_[configuration] = uint32_t(row);
  }
  return steps_[rows_[configuration] + byte_class] = next;
}

uint32_t Configurations::step_token(uint32_t configuration, uint32_t symbol) {
  const uint32_t column = token_column(configuration);
  if (column == kNone || columns_.waiting(column, symbol).empty()) return kDead;
  kernel_.clear();
  columns_.advance(kernel_, column, symbol);
  return of_column(columns_.intern(kernel_));
}

}  // namespace puna::grammar
