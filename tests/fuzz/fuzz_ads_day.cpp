// fuzz_ads_day.cpp -- any bytes as a day of auctions: an Error, or a day on which no method overspends.
#include "ads/world_files.h"
#include "expect_error.h"
#include "scratch_folder.h"
#include "target.h"

FUZZ_TARGET(ads_day) {
  using namespace puna;
  test::expect_error_only([&] {
    const auto day = ads::read_auctions({.text = test::text_of(data, size), .name = "day.csv"});
    for (const ads::AuctionRecord& a : day)
      test::require(a.at >= 0 && a.at < 1 && a.value >= 0 && a.price >= 0 && a.value <= ads::kMostMicros);
    if (day.size() > 2000) return;
    const ads::Micros budget = std::max<ads::Micros>(1, ads::budget_of(day, 0.5));
    for (const ads::PacingRun& r : ads::simulate_pacing(day, budget, day, budget, 1))
      test::require(r.overspend == 0 && r.used >= 0 && r.used <= 1 && r.spent.size() == size_t(ads::kSlots));
    ads::simulate_bidding(day);
  });
  return 0;
}
