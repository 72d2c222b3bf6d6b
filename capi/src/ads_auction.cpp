// ads_auction.cpp -- puna_auction_*, puna_clearing_prices_*: what things sell for, and what to bid at the first price.
#if PUNA_ADS
#include <cmath>

#include "ads_handles.h"
#include "puna/ads/auction.h"

using namespace puna;
using namespace puna::capi;
using namespace puna::ads;

namespace {

constexpr int64_t kMostBidders = 1'000'000;

int32_t checked_hour(const puna_clearing_prices& p, int32_t hour) {
  return int32_t(in_range(hour, 0, p.hours - 1, "hour"));
}

}  // namespace

puna_status puna_clearing_prices_create(int32_t hours, double typical, double spread, puna_clearing_prices** prices) {
  return guard([&] {
    PUNA_REQUIRE(prices != nullptr, "prices is NULL");
    *prices = new puna_clearing_prices{ClearingPrices(hours, typical, spread != 0 ? spread : 1), hours};
  });
}

puna_status puna_clearing_prices_observe(puna_clearing_prices* prices, int32_t hour, int32_t kind, double price) {
  return guard([&] {
    ClearingPrices& p = ads_handle(prices, "prices");
    (void)checked_hour(*prices, hour);
    PUNA_REQUIRE(std::isfinite(price) && price > 0, "price is %g, expected a number above 0", price);
    switch (kind) {
      case PUNA_PRICE_SEEN: return p.saw(hour, price);
      case PUNA_PRICE_WON: return p.won(hour, price);
      case PUNA_PRICE_LOST: return p.lost(hour, price);
      default: fail(Status::invalid_argument, "kind is %d, expected PUNA_PRICE_SEEN, _WON or _LOST", kind);
    }
  });
}

puna_status puna_clearing_prices_bid(const puna_clearing_prices* prices, int32_t hour, double value, double* bid,
                                     double* probability) {
  return guard([&] {
    const ClearingPrices& p = ads_handle(prices, "prices");
    double& out = ads_output(bid, "bid");
    (void)checked_hour(*prices, hour);
    PUNA_REQUIRE(std::isfinite(value) && value >= 0, "value is %g, expected 0 or more", value);
    const double best = p.shaded_bid(hour, value);
    if (probability) *probability = best > 0 ? p.win_probability(hour, best) : 0;
    out = best;
  });
}

void puna_clearing_prices_free(puna_clearing_prices* prices) { delete prices; }

puna_status puna_auction_sell(int32_t rule, const double* bids, size_t count, double reserve, int32_t* winner,
                              double* price) {
  return guard([&] {
    PUNA_REQUIRE(rule == PUNA_AUCTION_SECOND_PRICE || rule == PUNA_AUCTION_FIRST_PRICE,
                 "rule is %d, expected PUNA_AUCTION_SECOND_PRICE or _FIRST_PRICE", rule);
    const auto list = array_view(bids, count, "bids");
    (void)in_range(int64_t(count), 0, kMostBidders, "count");
    int32_t& who = ads_output(winner, "winner");
    double& pays = ads_output(price, "price");
    const SingleResult r = rule == PUNA_AUCTION_SECOND_PRICE ? second_price(list, reserve) : first_price(list, reserve);
    who = r.winner;
    pays = r.price;
  });
}

puna_status puna_auction_sell_slots(int32_t rule, const double* bids, const double* qualities, size_t count,
                                    const double* click_factors, size_t slot_count, int32_t* winners, double* per_click,
                                    double* expected) {
  return guard([&] {
    PUNA_REQUIRE(rule == PUNA_SLOTS_GSP || rule == PUNA_SLOTS_VCG, "rule is %d, expected PUNA_SLOTS_GSP or _VCG", rule);
    (void)in_range(int64_t(count), 0, kMostBidders, "count");
    (void)in_range(int64_t(slot_count), 1, kMostBidders, "slot_count");
    const auto b = array_view(bids, count, "bids"), q = array_view(qualities, count, "qualities"),
               c = array_view(click_factors, slot_count, "click_factors");
    PUNA_REQUIRE(winners && per_click && expected, "%s is NULL",
                 !winners     ? "winners"
                 : !per_click ? "per_click"
                              : "expected");
    const auto slots = sell_slots(rule == PUNA_SLOTS_GSP ? SlotRule::gsp : SlotRule::vcg, b, q, c);
    for (size_t j = 0; j < slot_count; ++j) {
      winners[j] = slots[j].winner;
      per_click[j] = slots[j].per_click;
      expected[j] = slots[j].expected;
    }
  });
}
#endif
