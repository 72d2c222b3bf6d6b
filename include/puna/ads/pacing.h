// pacing.h -- what to bid so that a budget lasts for its day and buys the most. One small object a campaign, no thread,
// no clock: the caller says what share of the day is over. A bid is never above what the caller says is left of the
// money, which the ledger keeps (ledger.h).
//   dual      dual mirror descent: S. R. Balseiro, H. Lu, V. Mirrokni, "The best of many worlds: dual mirror descent
//             for online allocation problems", Operations Research 2023. bid = value / (1 + mu); each auction
//             log(1 + mu) += gain (spent - planned) / budget: the entropic mirror map, so that no unit of money
//             matters. With a least return the bid is also at most value / exp(phi), which falls as it is exceeded
//   pi        bid = lambda value, lambda corrected once a slot
//   throttle  bid = value, with the same lambda as the probability of taking part
//   none      bid = value, while there is money
#pragma once
#include <cstdint>

#include "puna/ads/money.h"
#include "puna/ads/spend_plan.h"

namespace puna::ads {

enum class PacingMethod : uint8_t { dual, pi, throttle, none };
enum class PaceBy : uint8_t { time, auctions };

struct PacerOptions {
  PacingMethod method = PacingMethod::dual;
  Micros budget = 0;                // of the day
  int64_t expected_auctions = 0;    // a day, roughly
  PaceBy pace_by = PaceBy::time;    // without a plan: evenly in time, or over the expected auctions
  const SpendPlan* plan = nullptr;  // NULL: none. Must live as long as the pacer; many campaigns may share one
  double multiplier = -1;           // mu to begin with: yesterday's; -1 = unknown
  double least_return = 0;          // what the day's value divided by its spend must reach at least; 0 = no target
  uint64_t seed = 0;                // of throttling
  // After a restart in the middle of the day: what share of it is over, and what is spent already.
  double at = 0;
  Micros spent = 0;
};

// Two cache lines: of a million campaigns a decision finds its own with one wait for memory.
class alignas(64) Pacer {
 public:
  // Error{invalid_argument} naming the option.
  explicit Pacer(const PacerOptions& options);

  // What to bid in an auction that is worth `value`, when `left` is neither spent nor reserved: from 0 (take no part)
  // to `left`. `at` is the share of the day that is over; a clock that goes backwards stands still.
  Micros bid(double at, Micros value, Micros left) noexcept;
  // What winning cost and was worth, as soon as it is known. Nothing needs to be said of lost auctions.
  void won(Micros price, Micros value) noexcept;

  double multiplier() const noexcept;  // mu: for tomorrow's options. Of throttle and none 0: they bid the value
  double lambda() const noexcept;      // 1 / (1 + mu), or the probability of taking part
  double trust() const noexcept;       // in the plan: 1 = as given, 0 = it was dropped

 private:
  void step_dual(double at) noexcept;
  void step_slots(double at) noexcept;
  double gain() const noexcept;
  double share_due(double at) noexcept;
  void doubt_plan() noexcept;

  struct Dual {
    double theta, theta0;      // log(1 + mu), and what it began with
    double least_return, phi;  // and by what the bids are divided for it: exp(phi)
    double trust;
    double average;        // of theta - theta0, lately
    double planned, even;  // shares of the budget that were due at the last bid: by the plan, and evenly
    double squares;        // sum of (price / budget)^2
    double gain;
  };
  struct BySlot {  // pi and throttle
    double lambda;
    Micros spent;  // in this slot
    uint64_t seed;
    int32_t slot;
  };
  const SpendPlan* plan_;
  Micros budget_, spent_;
  uint64_t bids_;
  int64_t expected_;
  union {
    Dual dual_;
    BySlot slots_;
  };
  PacingMethod method_;
  PaceBy pace_by_;
  bool warm_;
};

}  // namespace puna::ads
