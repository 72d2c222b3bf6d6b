// ads_ledger.cpp -- puna_ledger_*: reservations and settlements against budgets and caps.
#if PUNA_ADS
#include "ads_handles.h"

using namespace puna;
using namespace puna::capi;
using namespace puna::ads;

namespace {

void write_balance(const Balance& b, Micros left, puna_balance* theirs) {
  puna_balance c{};
  c.limit = b.limit;
  c.spent = b.spent;
  c.open = b.reserved;
  c.refused_late = b.refused_late;
  c.left = left;
  write_info(c, theirs, "puna_balance");
}

static_assert(PUNA_SETTLED_BOOKED == int(Settled::booked) && PUNA_SETTLED_BOOKED_LATE == int(Settled::booked_late) &&
              PUNA_SETTLED_REFUSED_LATE == int(Settled::refused_late) && PUNA_SETTLED_UNKNOWN == int(Settled::unknown));

}  // namespace

puna_status puna_ledger_create(puna_ledger** ledger) {
  return guard([&] {
    puna_ledger*& out = ads_output(ledger, "ledger");  // first: the right side of an assignment is made before the left
    out = new puna_ledger;
  });
}

puna_status puna_ledger_add_account(puna_ledger* ledger, int64_t cap, int32_t* account) {
  return guard([&] {
    Ledger& l = ads_handle(ledger, "ledger");
    int32_t& out = ads_output(account, "account");
    out = l.add_account(amount_in(cap, "cap"));
  });
}

puna_status puna_ledger_add_campaign(puna_ledger* ledger, int32_t account, int64_t budget, int32_t* campaign) {
  return guard([&] {
    Ledger& l = ads_handle(ledger, "ledger");
    int32_t& out = ads_output(campaign, "campaign");
    out = l.add_campaign(account, amount_in(budget, "budget"));
  });
}

puna_status puna_ledger_reserve(puna_ledger* ledger, int32_t campaign, int64_t amount, int64_t now,
                                int64_t time_to_live, int64_t* reservation) {
  return guard([&] {
    Ledger& l = ads_handle(ledger, "ledger");
    int64_t& out = ads_output(reservation, "reservation");
    out = l.reserve(campaign, amount_in(amount, "amount"), now, in_range(time_to_live, 0, INT64_MAX, "time_to_live"));
  });
}

puna_status puna_ledger_settle(puna_ledger* ledger, int64_t reservation, int64_t spent, int32_t* outcome) {
  return guard([&] {
    Ledger& l = ads_handle(ledger, "ledger");
    int32_t& out = ads_output(outcome, "outcome");
    out = int32_t(l.settle(reservation, amount_in(spent, "spent")));
  });
}

puna_status puna_ledger_expire(puna_ledger* ledger, int64_t now, int64_t* freed) {
  return guard([&] {
    Ledger& l = ads_handle(ledger, "ledger");
    int64_t& out = ads_output(freed, "freed");
    out = l.expire(now);
  });
}

puna_status puna_ledger_forget_late(puna_ledger* ledger) {
  return guard([&] { ads_handle(ledger, "ledger").forget_late(); });
}

puna_status puna_ledger_restore(puna_ledger* ledger, int32_t campaign, int64_t reservation, int64_t amount) {
  return guard([&] { ads_handle(ledger, "ledger").restore(campaign, reservation, amount_in(amount, "amount")); });
}

puna_status puna_ledger_get_campaign(const puna_ledger* ledger, int32_t campaign, puna_balance* balance) {
  return guard([&] {
    const Ledger& l = ads_handle(ledger, "ledger");
    write_balance(l.campaign(campaign), l.left(campaign), balance);
  });
}

puna_status puna_ledger_get_account(const puna_ledger* ledger, int32_t account, puna_balance* balance) {
  return guard([&] {
    const Balance b = ads_handle(ledger, "ledger").account(account);
    write_balance(b, b.limit - b.spent - b.reserved, balance);
  });
}

void puna_ledger_free(puna_ledger* ledger) { delete ledger; }
#endif
