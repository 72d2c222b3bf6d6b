// fuzz_ads_ledger.cpp -- any bytes as the SQLite database of a ledger: an Error, or a ledger whose campaigns and
// accounts never exceed their limits, whatever is asked of it, and which has it all when it is opened again.
#include <filesystem>

#include "expect_error.h"
#include "puna/ads/durable_ledger.h"
#include "scratch_folder.h"
#include "target.h"

FUZZ_TARGET(ads_ledger) {
  using namespace puna;
  using namespace puna::ads;
  static const test::ScratchFolder folder;
  for (const char* beside : {"ledger.db-wal", "ledger.db-shm", "ledger.db-journal"})
    std::filesystem::remove(folder / beside);
  const std::string path = folder.write("ledger.db", test::text_of(data, size));
  const auto sound = [](const Balance& b) {
    test::require(b.spent >= 0 && b.reserved >= 0 && b.spent + b.reserved <= b.limit);
  };
  test::expect_error_only([&] {
    Balance before;
    int64_t campaigns = 0;
    {
      const auto ledger = open_ledger(path);
      test::expect_error_only([&] { ledger->verify(); });
      campaigns = ledger->campaign_count();
      std::vector<Wanted> wanted;
      for (int64_t c = 0; c < std::min<int64_t>(campaigns, 8); ++c)
        wanted.push_back({.campaign = CampaignId(c), .amount = 7, .tag = c});
      std::vector<Settlement> settlements;
      for (const ReservationId r : ledger->reserve(wanted, 0, 1)) settlements.push_back({.reservation = r, .spent = 5});
      for (const OpenReservation& o : ledger->open_reservations())
        if (settlements.size() < 16) settlements.push_back({.reservation = o.reservation, .spent = o.amount / 2});
      std::erase_if(settlements, [](const Settlement& s) { return s.reservation == 0; });
      ledger->settle(settlements);
      ledger->expire(10);
      for (int64_t c = 0; c < std::min<int64_t>(campaigns, 100); ++c) sound(ledger->campaign(CampaignId(c)));
      if (campaigns > 0) before = ledger->campaign(0);
    }
    const auto again = open_ledger(path);
    test::require(again->campaign_count() == campaigns);
    if (campaigns > 0) test::require(again->campaign(0).spent == before.spent);
  });
  return 0;
}
