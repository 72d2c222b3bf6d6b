// durable_ledger.h -- the ledger of ledger.h on disk: what it has answered is there after a crash. A call is one
// transaction, so many reservations and settlements in one call cost one flush. After a restart all that was reserved
// counts as spent: those reservations have no end any more, until each is settled (at 0, when the exchange says that it
// bought nothing).
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "puna/ads/ledger.h"

namespace puna::ads {

struct Wanted {
  CampaignId campaign = 0;
  Micros amount = 0;
  int64_t tag = 0;  // the caller's: what the bid is called at the exchange
};
struct Settlement {
  ReservationId reservation = 0;
  Micros spent = 0;
};
struct OpenReservation {
  ReservationId reservation = 0;
  CampaignId campaign = 0;
  Micros amount = 0;
  int64_t tag = 0;
  bool expired = false;
};

// Safe to call from several threads. Error{io} when the disk cannot take it: then nothing of the call has happened.
class DurableLedger {
 public:
  virtual ~DurableLedger() = default;
  virtual AccountId add_account(Micros cap) = 0;
  virtual CampaignId add_campaign(AccountId account, Micros budget) = 0;
  // One reservation each, 0 where there is no room; in order, so that earlier ones come first where room is short.
  virtual std::vector<ReservationId> reserve(std::span<const Wanted> wanted, int64_t now, int64_t time_to_live) = 0;
  virtual std::vector<Settled> settle(std::span<const Settlement> settlements) = 0;
  virtual int64_t expire(int64_t now) = 0;
  virtual void forget_late() = 0;
  virtual std::vector<OpenReservation> open_reservations() = 0;
  virtual Balance campaign(CampaignId campaign) = 0;
  virtual Balance account(AccountId account) = 0;
  virtual int64_t campaign_count() = 0;
  // Whether spend is the sum of the settlements, campaign by campaign. Error{bad_file} naming one where it is not.
  virtual void verify() = 0;
};

// An SQLite database (created where there is none), journal mode WAL, open in one process at a time. Linked into
// programs that ask for the CMake target puna_sqlite, never into libpuna. Error{io}, {bad_file} when it is something
// else, or when its numbers are not those of a ledger.
std::unique_ptr<DurableLedger> open_ledger(const std::string& path);

}  // namespace puna::ads
