// ledger.h -- who may spend what: money is reserved before a bid is answered, and settled when the price is known. At
// no moment, on no thread, are spend and open reservations of a campaign above its budget, or those of an account's
// campaigns above the account's cap. What a bid may cost at most is its reservation.
//   reserve   puts money aside, or refuses
//   settle    of a reservation, some or all was spent; the rest is free again. Once: a second time is refused
//   expire    gives back what was reserved and never settled. A settlement that comes after that is late: it is booked
//             where there is still room, and refused and counted (refused_late) where there is none
// In memory, for a process; durable_ledger.h is the same on disk. The clock is the caller's, in microseconds, and may
// jump: backwards it stands still, and forwards a call moves the ledger's own time by at most a minute, so that a clock
// that was set wrong for a moment frees nothing that is in flight.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "puna/ads/money.h"

namespace puna::ads {

using AccountId = int32_t;
using CampaignId = int32_t;
using ReservationId = int64_t;  // above 0; never used twice

inline constexpr int64_t kLongestStep = 60'000'000;  // of the ledger's time in one call, microseconds

// Time that only goes forward, out of a clock that may jump.
class LedgerTime {
 public:
  // The clock says `now`; the ledger's time in microseconds since the first call.
  int64_t at(int64_t now) noexcept {
    const uint64_t passed = uint64_t(now) - uint64_t(last_);  // no difference of two times overflows it
    if (begun_ && now > last_) elapsed_ += passed < uint64_t(kLongestStep) ? int64_t(passed) : kLongestStep;
    begun_ = true;
    last_ = now;
    return elapsed_;
  }

 private:
  int64_t last_ = 0, elapsed_ = 0;
  bool begun_ = false;
};

struct Balance {
  Micros limit = 0;         // the budget or the cap
  Micros spent = 0;         // settled
  Micros reserved = 0;      // open
  Micros refused_late = 0;  // late settlements for which there was no room: never part of spent
};

enum class Settled : uint8_t { booked, booked_late, refused_late, unknown };

// Safe to call from many threads, except that accounts and campaigns are added before the first reservation.
class Ledger {
 public:
  Ledger();
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  AccountId add_account(Micros cap);
  CampaignId add_campaign(AccountId account, Micros budget);

  // The reservation, or 0: the campaign or its account has not that much left. It may be settled at its full time and
  // after; expire() frees it once `time_to_live` microseconds have passed. Error{invalid_argument}: no such campaign,
  // an amount below 0 or above kMostMicros.
  ReservationId reserve(CampaignId campaign, Micros amount, int64_t now, int64_t time_to_live);
  // Error{invalid_argument}: spent is below 0 or above what was reserved.
  Settled settle(ReservationId reservation, Micros spent);
  // Frees what is over its time; how many reservations. They are remembered for late settlements until forget_late().
  int64_t expire(int64_t now);
  void forget_late();
  // After a restart, from what the caller wrote down: reservation 0: the campaign had spent `amount`. Else that
  // reservation was open: it counts as spent until it is settled, and does not expire; later ones of its campaign have
  // higher numbers. While no other thread uses the ledger. Error{invalid_argument}: there is no room, or it is there
  // already.
  void restore(CampaignId campaign, ReservationId reservation, Micros amount);

  Balance campaign(CampaignId campaign) const;
  Balance account(AccountId account) const;
  // What a campaign could still reserve.
  Micros left(CampaignId campaign) const;
  int64_t campaign_count() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace puna::ads
