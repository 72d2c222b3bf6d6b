// draft_length.h -- how long a draft should be, by what became of those before it, and what drafts may cost in all.
#pragma once
#include <cstdint>

namespace puna {

// What another row of a pass costs, in passes of one row: 0.4 where products are slow (AVX2), less where memory is what
// one row waits for. One figure for all, so that the same answer has the same drafts everywhere.
inline constexpr double kDraftRowCost = 0.35;

// Learns how often a draft's next token is accepted. One that stopped being right is tried again later.
class DraftLength {
 public:
  // What is believed at first; what making one token costs.
  DraftLength(double chance, double token_cost) noexcept
      : first_(chance), token_cost_(token_cost), hits_(chance * kMemory / 2) {}

  // The length with the most tokens for its cost, at most `most` and within `credit`; 0 = drafting does not pay now.
  // sure: tokens that are drafted before these and are right.
  int64_t best(int64_t most, double credit, int64_t sure = 0) const noexcept;
  void learn(int64_t drafted, int64_t accepted) noexcept;
  void passed_over() noexcept;  // there could have been a draft, and best() was 0

 private:
  static constexpr double kMemory = 16;  // tokens that the estimate follows from
  double first_, token_cost_;
  double hits_, trials_ = kMemory / 2;
};

// Drafts may cost what earlier ones have saved, and besides a hundredth of the answer: where they are always wrong,
// they cost no more than that.
class DraftBudget {
 public:
  double credit() const noexcept { return credit_; }
  void add_pass(double draft_cost) noexcept;
  void add_saved_pass() noexcept;

 private:
  double credit_ = 1.5;
};

}  // namespace puna
