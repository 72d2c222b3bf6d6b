// costs.h -- how many bytes the rest of an answer takes at least: of an expression, a symbol, an item's return, a
// configuration. Exact, so that the shortest completion is found by going down one at a time.
#pragma once
#include <cstdint>
#include <map>
#include <vector>

#include "grammar/automaton.h"

namespace puna::grammar {

class Costs {
 public:
  // No number of bytes: special tokens have to come.
  static constexpr uint64_t kNever = UINT64_MAX / 4;

  // token: what a special token counts, kNever: there must be none.
  explicit Costs(Automaton& automaton, uint64_t token = kNever);
  uint64_t of_configuration(uint32_t configuration);

 private:
  uint64_t of_expression(Regex r);
  uint64_t search(Regex r);
  uint64_t of_alternative(uint32_t dot) const;
  uint64_t of_start(const Start& start) const;
  uint64_t after(const Item& item) const;
  uint64_t of_return(uint32_t column, uint32_t symbol);
  void find_returns(uint32_t column);
  void find_symbols();
  static uint64_t sum(uint64_t a, uint64_t b) noexcept { return a + b < kNever ? a + b : kNever; }
  static uint64_t times(uint64_t a, uint64_t n) noexcept { return n != 0 && a > kNever / n ? kNever : a * n; }

  Automaton& automaton_;
  const Rules& rules_;
  std::vector<uint64_t> symbols_;
  std::vector<uint64_t> expressions_;                         // by expression, kUnknown
  std::map<uint32_t, std::map<uint32_t, uint64_t>> returns_;  // by column, by symbol that is waited for
  static constexpr uint64_t kUnknown = UINT64_MAX;
  const uint64_t token_;
};

}  // namespace puna::grammar
