// configurations.h -- where a matcher is, as one number: all the ways to read the bytes so far. A *thread* is a column
// and the lexer state that began there. A byte moves every thread; lexemes that may end open a new column, with a
// thread of its own, beside the old ones: one reading goes on, the other has ended the lexeme. The automaton over
// configurations is built as far as it is walked.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "grammar/columns.h"
#include "grammar/intern.h"
#include "grammar/lexer_states.h"

namespace puna::grammar {

struct Thread {
  uint32_t column, state;
  bool operator==(const Thread&) const = default;
  auto operator<=>(const Thread&) const = default;
  uint64_t mix_into(uint64_t hash) const noexcept { return mixed(hash, uint64_t(column) << 32 | state); }
};

class Configurations {
 public:
  static constexpr uint32_t kDead = 0;  // no way to read the bytes

  Configurations(const Rules& rules, LexerStates& lexers, Columns& columns);

  uint32_t start() { return of_column(columns_.start()); }
  // Where a byte leads, kNone: nobody has gone there yet.
  uint32_t known_step(uint32_t configuration, uint8_t byte) const noexcept {
    const uint32_t row = rows_[configuration];
    return row == kNone ? kNone : steps_[row + rules_.classes.of[byte]];
  }
  uint32_t first_step(uint32_t configuration, uint8_t byte);
  // After a special token (a symbol of the grammar); kDead where it may not come.
  uint32_t step_token(uint32_t configuration, uint32_t symbol);

  // The bytes so far are a whole answer.
  bool complete(uint32_t configuration) const noexcept { return info_[configuration].complete; }
  bool goes_on(uint32_t configuration) const noexcept {
    return !threads(configuration).empty() || info_[configuration].token_column != kNone;
  }
  // The column whose items wait for special tokens, kNone: there is none.
  uint32_t token_column(uint32_t configuration) const noexcept { return info_[configuration].token_column; }
  std::span<const Thread> threads(uint32_t configuration) const noexcept {
    return threads_[info_[configuration].threads];
  }
  uint32_t of(std::span<const Thread> sorted, bool complete, uint32_t token_column);

  uint32_t size() const noexcept { return uint32_t(info_.size()); }
  size_t bytes_held() const noexcept {
    return info_.size() * (sizeof(Info) + sizeof(uint32_t)) + threads_.bytes() + table_.bytes() +
           steps_.size() * sizeof(uint32_t);
  }

 private:
  struct Info {
    uint32_t threads, token_column;
    bool complete;
    bool operator==(const Info&) const = default;
  };
  uint32_t of_column(uint32_t column);

  const Rules& rules_;
  LexerStates& lexers_;
  Columns& columns_;
  std::vector<Info> info_;
  InternTable table_;
  InternedLists<Thread> threads_;
  std::vector<uint32_t> rows_;   // by configuration: where its steps begin, kNone: none is known
  std::vector<uint32_t> steps_;  // by class
  std::vector<Thread> next_;
  Kernel kernel_;
};

}  // namespace puna::grammar
