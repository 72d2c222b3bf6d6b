#include <algorithm>

#include "base/det_math.h"
#include "base/normals.h"
#include "puna/ads/auction.h"
#include "puna/ads/clearing_price.h"
#include "puna/ads/simulate.h"
#include "puna/base/error.h"

namespace puna::ads {

std::vector<BiddingRun> simulate_bidding(std::span<const AuctionRecord> day, const Watch& watch) {
  PUNA_REQUIRE(!day.empty(), "there are no auctions");
  double values = 0;
  for (const AuctionRecord& a : day) values += double(a.value);
  const double typical = std::max(1.0, 0.5 * values / double(day.size()));  // of prices: half of what is offered
  std::vector<BiddingRun> runs;
  for (const bool first : {false, true})
    for (const bool shades : {false, true}) {
      BiddingRun run{.rule = first ? "first price" : "second price", .bidder = shades ? "shaded" : "truthful"};
      ClearingPrices prices(24, typical);
      for (const AuctionRecord& a : day) {
        watch.tick();
        const int hour = std::clamp(int(a.at * 24), 0, 23);
        const double bid = shades ? prices.shaded_bid(hour, double(a.value)) : double(a.value);
        const bool won = bid > double(a.price);
        if (shades) won ? prices.won(hour, bid) : prices.lost(hour, bid);
        if (!won) continue;
        run.spent += (first ? bid : double(a.price)) / double(kOneUnit);
        run.value += double(a.value) / double(kOneUnit);
        ++run.won;
      }
      run.surplus = run.value - run.spent;
      runs.push_back(run);
    }
  return runs;
}

std::vector<SlotRun> simulate_slots(uint64_t seed, int64_t auctions, int32_t bidders, int32_t slots,
                                    const Watch& watch) {
  PUNA_REQUIRE(bidders >= 1 && bidders <= 1000, "bidders is %d, expected 1 to 1000", int(bidders));
  PUNA_REQUIRE(slots >= 1 && slots <= 100, "slots is %d, expected 1 to 100", int(slots));
  PUNA_REQUIRE(auctions >= 1, "auctions is %jd, expected at least 1", auctions);
  std::vector<SlotRun> runs;
  for (const SlotRule rule : {SlotRule::gsp, SlotRule::vcg}) {
    SlotRun run{.rule = rule == SlotRule::gsp ? "gsp" : "vcg"};
    Normals normals(seed, 201);
    std::vector<double> factors;
    for (double f = 0.5; factors.size() < size_t(slots); f *= 0.7) factors.push_back(f);
    for (int64_t t = 0; t < auctions; ++t) {
      std::vector<double> values(static_cast<size_t>(bidders)), qualities(static_cast<size_t>(bidders));
      for (double& v : values) v = det::exp(0.6 * double(normals.next()));
      for (double& q : qualities) q = det::exp(0.3 * double(normals.next()));
      const auto surplus = [&](const std::vector<SlotResult>& sold, int32_t bidder) {
        for (size_t j = 0; j < sold.size(); ++j)
          if (sold[j].winner == bidder)
            return factors[j] * qualities[size_t(bidder)] * (values[size_t(bidder)] - sold[j].per_click);
        return 0.0;
      };
      const std::vector<SlotResult> truthful = sell_slots(rule, values, qualities, factors);
      for (const SlotResult& slot : truthful) run.revenue += slot.expected / double(auctions);
      const auto bidder = int32_t(t % bidders);
      const double honest = surplus(truthful, bidder);
      std::vector<double> bids = values;
      for (int step = 0; step <= 40; ++step) {
        watch.tick();
        bids[size_t(bidder)] = values[size_t(bidder)] * 0.05 * step;
        const double gain = surplus(sell_slots(rule, bids, qualities, factors), bidder) - honest;
        run.largest_gain = std::max(run.largest_gain, gain);
      }
    }
    runs.push_back(run);
  }
  return runs;
}

}  // namespace puna::ads
