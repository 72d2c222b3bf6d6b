// simulate.h -- days of auctions and streams of impressions on which pacing, choice and bidding are measured: built-in
// processes of a seed, the same on every machine, or the caller's own numbers.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "puna/ads/choice.h"
#include "puna/ads/pacing.h"
#include "puna/ads/spend_plan.h"
#include "puna/base/watch.h"

namespace puna::ads {

// ---- pacing ----

// Prices are log-normal around a level that follows the hour, values log-normal.
//   plain         level 1 + .5 sin(2 pi (hour - 6) / 24)
//   drifting      the level doubles over the day
//   spiking       plain, and three times that from 12 to 14
//   heavy_tailed  plain, log values and log prices with deviation 1.2 in place of .6
//   traffic       plain, and auctions come with density 1 + .8 sin(2 pi (hour - 10) / 24)
enum class PacingProcess : uint8_t { plain, drifting, spiking, heavy_tailed, traffic };
std::vector<AuctionRecord> simulated_day(PacingProcess process, uint64_t seed, int64_t auctions,
                                         const Watch& watch = Watch());
// This share of what winning everything below its value would cost.
Micros budget_of(std::span<const AuctionRecord> day, double share);

struct PacingRun {
  std::string name;
  double used = 0, overspend = 0, value_over_oracle = 0;  // of the budget; of best_in_hindsight
  double deviation = 0, mean_deviation = 0;  // |spent - planned| / budget at the slots' ends, by the run's own plan
  double money_gone_hour = 24;               // when a thousandth of the budget was left
  double value = 0;                          // in units
  int64_t won = 0;
  std::vector<double> spent;    // [kSlots] share of the budget at the end of each slot
  std::vector<double> planned;  // and by its own plan
};
// Every method on the same day; with the plans of yesterday, if there is one. Money goes through a Ledger.
std::vector<PacingRun> simulate_pacing(std::span<const AuctionRecord> day, Micros budget,
                                       std::span<const AuctionRecord> yesterday, Micros yesterdays_budget,
                                       uint64_t seed, const Watch& watch = Watch());

// ---- choice ----

struct World {
  int32_t segments = 0, variants = 0;
  std::vector<double> p;      // [segments][variants] click rates
  std::vector<double> rates;  // what a ranker predicts; empty: there is none
};
struct Impression {
  int32_t segment = 0;
  double u = 0;  // clicked when u < p[segment][variant]
};
// logit p = -4.6 + main_k + inter_sk, normal with deviations .25 and `interaction`; segments by Dirichlet(3, ..., 3).
// The ranker's log odds are off by normal errors of deviation .3.
World simulated_world(uint64_t seed, int32_t segments, int32_t variants, double interaction);
std::vector<Impression> simulated_stream(const World& world, uint64_t seed, int64_t impressions,
                                         const Watch& watch = Watch());

// Where a run is after so many impressions.
struct ChoiceMoment {
  int64_t impressions = 0;
  double clicks = 0, regret = 0;  // so far
  std::vector<double> shares;     // [variants] of the impressions since the moment before
};
struct ChoiceRun {
  std::string name;
  double over_oracle = 0;          // sum of p of what was shown over that of the best variants
  double clicks = 0;               // that the stream gave
  double regret = 0;               // expected clicks below the oracle's
  std::vector<double> shares;      // [variants] of the impressions
  std::vector<ChoiceMoment> path;  // about kChoiceMoments of them, the last at the end
};
inline constexpr int64_t kChoiceMoments = 60;
std::vector<ChoiceRun> simulate_choice(const World& world, std::span<const Impression> stream, int64_t batch,
                                       uint64_t seed, const Watch& watch = Watch());

// ---- auctions ----

struct BiddingRun {
  std::string rule, bidder;  // "first price", "shaded"
  double surplus = 0, spent = 0, value = 0;
  int64_t won = 0;
};
// A bidder against the day's prices: truthful or shaded in a second- and a first-price auction. The shaded one learns
// the prices of each hour from wins and losses alone.
std::vector<BiddingRun> simulate_bidding(std::span<const AuctionRecord> day, const Watch& watch = Watch());

struct SlotRun {
  std::string rule;         // "gsp", "vcg"
  double revenue = 0;       // an auction, all bidding their values
  double largest_gain = 0;  // that a bidder could make by bidding something else, over its surplus
};
// Auctions of `slots` slots among `bidders` with log-normal values and qualities; gains are looked for on a grid of
// bids.
std::vector<SlotRun> simulate_slots(uint64_t seed, int64_t auctions, int32_t bidders, int32_t slots,
                                    const Watch& watch = Watch());

}  // namespace puna::ads
