// columns.h -- the parser's side: what the rules expect where a lexeme has just ended (an Earley set, CACM 1970, with
// nullable symbols as Aycock and Horspool have them, and Leo's treatment of a call that is the last thing of its
// caller).
//
// An *item* is a dot and where it returns to. "Return (column C, symbol S)": when the item's rule is through, the items
// of column C that wait for S go on. So a column is a set of items, equal sets are the same column, and a position of
// the answer with the same future has the same number: lists do not grow it, nesting does.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "grammar/intern.h"
#include "grammar/lexer_states.h"
#include "grammar/rules.h"

namespace puna::grammar {

inline constexpr uint32_t kThisColumn = UINT32_MAX;
inline constexpr uint32_t kWholeAnswer = UINT32_MAX - 1;  // nothing to return to: the root is through

struct Return {
  uint32_t column, symbol;
  bool operator==(const Return&) const = default;
  auto operator<=>(const Return&) const = default;
};

struct Item {
  uint32_t dot;
  Return to;
  uint32_t min_left, max_left;  // of a repetition: elements that must and may come, the one at the dot among them
  bool operator==(const Item&) const = default;
  auto operator<=>(const Item&) const = default;
  uint64_t mix_into(uint64_t hash) const noexcept {
    hash = mixed(hash, uint64_t(dot) << 32 | to.column);
    return mixed(mixed(hash, to.symbol), uint64_t(min_left) << 32 | max_left);
  }
};

// The items that a step leads to, before they are a column. Used again and again: it keeps its memory.
struct Kernel {
  std::vector<Item> items;  // without those at the end of their rule
  bool complete = false;    // the root is through
  void clear() {
    items.clear();
    complete = false;
    table_.clear();
    returns_.clear();
    return_table_.clear();
  }

 private:
  friend class Columns;
  struct Pending {
    Item item;
    bool skipped_separator;
  };
  std::vector<Pending> todo_;
  std::vector<Return> returns_;  // done
  InternTable table_, return_table_;
};

class Columns {
 public:
  Columns(const Rules& rules, LexerStates& lexers);

  // The column of the start of an answer.
  uint32_t start();
  // Moves the items of `column` that wait for `symbol` over it, and all that thereby comes to its end.
  void advance(Kernel& kernel, uint32_t column, uint32_t symbol);
  // Adds what the items predict; the same column for the same items.
  uint32_t intern(Kernel& kernel);

  bool complete(uint32_t column) const noexcept { return info_[column].complete; }
  uint32_t first_state(uint32_t column) const noexcept { return info_[column].first_state; }
  bool wants_tokens(uint32_t column) const noexcept { return info_[column].wants_tokens; }
  // The same column in another automaton, where those that it returns to are there already.
  uint32_t bring(const Columns& from, uint32_t column, std::span<const uint32_t> there);

  std::span<const Item> kernel_items(uint32_t column) const noexcept { return kernels_[info_[column].kernel]; }
  // Those and what they predict, sorted by the symbol that they wait for.
  std::span<const Item> items(uint32_t column) const noexcept { return all_[info_[column].all]; }
  std::span<const Item> waiting(uint32_t column, uint32_t symbol) const noexcept;
  uint32_t awaited(const Item& item) const noexcept { return rules_.dots[item.dot].next; }

  uint32_t size() const noexcept { return uint32_t(info_.size()); }
  size_t bytes_held() const noexcept {
    return info_.size() * sizeof(Info) + kernels_.bytes() + all_.bytes() + table_.bytes();
  }

 private:
  struct Info {
    uint32_t kernel, all;  // numbers of lists of items
    uint32_t first_state;  // of the lexemes that may begin here
    bool complete, wants_tokens;
  };
  void add(Kernel& kernel, const Item& item, bool skipped_separator = false);
  void move(Kernel& kernel, Item item, bool over_nothing);
  void return_to(Kernel& kernel, Return to);
  void settle(Kernel& kernel);
  uint32_t predict(const Kernel& kernel);

  const Rules& rules_;
  LexerStates& lexers_;
  std::vector<Info> info_;
  InternedLists<Item> kernels_, all_;
  InternTable table_;  // (kernel, complete)

  // Of predict().
  struct Called {
    uint32_t symbol;
    uint32_t callers = 0;
    bool tail = false;
    Return to{};
  };
  std::vector<Called> called_;
  std::vector<uint32_t> called_at_;  // by symbol: place in called_, kNone
  std::vector<Item> predicted_;
  std::vector<LexerItem> begins_;
};

}  // namespace puna::grammar
