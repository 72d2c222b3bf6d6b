// Auctions: prices are the exact externality, the rules agree where they must, and honesty pays where it should.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/normals.h"
#include "puna/ads/auction.h"
#include "puna/ads/clearing_price.h"
#include "puna/ads/simulate.h"
#include "support/catch.h"
#include "support/status.h"

using namespace puna;
using namespace puna::ads;
using namespace puna::test;

namespace {

struct Market {
  std::vector<double> bids, qualities, factors;
};

Market drawn(uint64_t seed, size_t bidders, size_t slots) {
  Normals n(seed, 1);
  Market m;
  for (size_t i = 0; i < bidders; ++i) {
    m.bids.push_back(std::round(std::exp(0.6 * double(n.next())) * 8) / 8);  // with ties
    m.qualities.push_back(std::exp(0.3 * double(n.next())));
  }
  double f = 0.6;
  for (size_t j = 0; j < slots; ++j) m.factors.push_back(f *= 0.4 + 0.6 * n.uniform());
  return m;
}

// The most that all but bidder `without` can have, by sorting: welfare of the best assignment.
double best_welfare(const Market& m, int without) {
  std::vector<double> scores;
  for (size_t i = 0; i < m.bids.size(); ++i)
    if (int(i) != without) scores.push_back(m.bids[i] * m.qualities[i]);
  std::sort(scores.rbegin(), scores.rend());
  double sum = 0;
  for (size_t j = 0; j < std::min(scores.size(), m.factors.size()); ++j) sum += m.factors[j] * scores[j];
  return sum;
}

}  // namespace

TEST_CASE("VCG prices are what the others lose", "[ads]") {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const Market m = drawn(seed, 1 + seed % 7, 1 + seed % 5);
    const auto sold = sell_slots(SlotRule::vcg, m.bids, m.qualities, m.factors);
    REQUIRE(sold.size() == m.factors.size());
    double welfare = 0;
    for (size_t j = 0; j < sold.size(); ++j)
      if (sold[j].winner >= 0)
        welfare += m.factors[j] * m.bids[size_t(sold[j].winner)] * m.qualities[size_t(sold[j].winner)];
    CHECK(std::fabs(welfare - best_welfare(m, -1)) <= 1e-12 * welfare);
    for (size_t j = 0; j < sold.size(); ++j) {
      if (sold[j].winner < 0) continue;
      const auto i = size_t(sold[j].winner);
      const double others = welfare - m.factors[j] * m.bids[i] * m.qualities[i];
      CHECK(std::fabs(sold[j].expected - (best_welfare(m, int(i)) - others)) <= 1e-9 * (1 + welfare));
      CHECK(sold[j].per_click <= m.bids[i] * (1 + 1e-12));
    }
  }
}

TEST_CASE("GSP earns at least what VCG does, and with one slot both are the second price", "[ads]") {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Market m = drawn(seed, 2 + seed % 6, 1 + seed % 4);
    const auto gsp = sell_slots(SlotRule::gsp, m.bids, m.qualities, m.factors),
               vcg = sell_slots(SlotRule::vcg, m.bids, m.qualities, m.factors);
    for (size_t j = 0; j < gsp.size(); ++j) {
      CHECK(gsp[j].winner == vcg[j].winner);
      CHECK(gsp[j].expected >= vcg[j].expected - 1e-12);
    }
    std::fill(m.qualities.begin(), m.qualities.end(), 1.0);
    const std::vector<double> one{1.0};
    const SingleResult second = second_price(m.bids);
    for (const SlotRule rule : {SlotRule::gsp, SlotRule::vcg}) {
      const auto sold = sell_slots(rule, m.bids, m.qualities, one);
      CHECK(sold[0].winner == second.winner);
      CHECK(sold[0].per_click == second.price);
    }
    const auto best = std::max_element(m.bids.begin(), m.bids.end());
    CHECK(second.winner == int32_t(best - m.bids.begin()));  // ties: the lowest number
    CHECK(first_price(m.bids).price == *best);
    CHECK(first_price(m.bids).winner == second.winner);
  }
}

TEST_CASE("reserves are kept, and what is no bid is refused", "[ads]") {
  const std::vector<double> bids{1, 3, 2};
  CHECK(second_price(bids, 2.5).price == 2.5);
  CHECK(second_price(bids, 1.5).price == 2);
  CHECK(second_price(bids, 3.5).winner == -1);
  CHECK(second_price(bids, 3).winner == 1);
  CHECK(first_price(bids, 3.5).winner == -1);
  CHECK(second_price({}, 0).winner == -1);
  const std::vector<double> wrong{1, NAN}, two{1, 1}, rising{0.1, 0.2};
  CHECK(status_of([&] { second_price(wrong); }) == Status::invalid_argument);
  CHECK(status_of([&] { sell_slots(SlotRule::gsp, bids, two, two); }) == Status::invalid_argument);
  CHECK(status_of([&] { sell_slots(SlotRule::vcg, two, two, rising); }) == Status::invalid_argument);
  const auto more_slots = sell_slots(SlotRule::vcg, two, two, std::vector<double>{0.5, 0.4, 0.3});
  CHECK(more_slots[2].winner == -1);
  CHECK(more_slots[2].expected == 0);
}

TEST_CASE("truthful bids are best under VCG, and not under GSP", "[ads]") {
  const auto runs = simulate_slots(11, 300, 6, 4);
  REQUIRE(runs.size() == 2);
  CHECK(runs[0].rule == "gsp");
  CHECK(runs[0].largest_gain > 1e-3);
  CHECK(runs[1].largest_gain <= 1e-9);
  CHECK(runs[0].revenue >= runs[1].revenue);
  for (int i = 0; i <= 40; ++i) {  // second price: any bid on a grid against any other price
    const double value = 1;
    for (int j = 0; j <= 40; ++j) {
      const double price = 0.05 * j;
      const auto surplus = [&](double bid) {
        const SingleResult r = second_price(std::vector<double>{bid, price});
        return r.winner == 0 ? value - r.price : 0;
      };
      CHECK(surplus(0.05 * i) <= surplus(value) + 1e-15);
    }
  }
}

TEST_CASE("clearing prices are learnt from wins and losses alone", "[ads]") {
  for (const double spread : {0.3, 0.8}) {
    ClearingPrices prices(2, 1, 1);
    Normals n(7, 3);
    for (int t = 0; t < 60'000; ++t) {
      const int hour = t % 2;
      const double price = std::exp((hour == 0 ? 0.5 : -0.7) + spread * double(n.next()));
      const double bid = std::exp((hour == 0 ? 0.5 : -0.7) + 1.5 * (n.uniform() - 0.5) * 2);
      bid > price ? prices.won(hour, bid) : prices.lost(hour, bid);
    }
    for (const int hour : {0, 1}) {
      CAPTURE(spread, hour, prices.median(hour), prices.spread(hour));
      CHECK(std::fabs(std::log(prices.median(hour)) - (hour == 0 ? 0.5 : -0.7)) <= 0.05);
      CHECK(std::fabs(std::log(prices.spread(hour) / spread)) <= 0.1);
    }
    // The shaded bid is the best of a fine grid.
    for (const double value : {0.2, 1.0, 5.0}) {
      const double bid = prices.shaded_bid(0, value);
      CHECK(bid > 0);
      CHECK(bid < value);
      const auto surplus = [&](double b) { return (value - b) * prices.win_probability(0, b); };
      for (int i = 0; i <= 200; ++i) CHECK(surplus(value * i / 200) <= surplus(bid) * (1 + 1e-6) + 1e-12);
    }
  }
  ClearingPrices told(1, 1);
  Normals n(8, 4);
  for (int t = 0; t < 20'000; ++t) told.saw(0, std::exp(-0.2 + 0.5 * double(n.next())));
  CHECK(std::fabs(std::log(told.median(0)) + 0.2) <= 0.03);
  CHECK(std::fabs(told.spread(0) - 0.5) <= 0.03);
  told.saw(0, NAN);
  told.won(0, -1);
  told.lost(0, INFINITY);
  CHECK(std::isfinite(told.median(0)));
  CHECK(status_of([&] { told.saw(1, 1); }) == Status::invalid_argument);
  CHECK(status_of([] { ClearingPrices p(0, 1); }) == Status::invalid_argument);
}

TEST_CASE("shading pays at the first price, and bidding the value pays nothing there", "[ads]") {
  const auto day = simulated_day(PacingProcess::plain, 21, 20'000);
  const auto runs = simulate_bidding(day);
  REQUIRE(runs.size() == 4);
  const auto surplus = [&](const char* rule, const char* bidder) {
    for (const BiddingRun& r : runs)
      if (r.rule == rule && r.bidder == bidder) return r.surplus;
    FAIL("no such run");
    return 0.0;
  };
  CHECK(std::fabs(surplus("first price", "truthful")) <= 1e-6 * double(day.size()));
  CHECK(surplus("second price", "truthful") >= surplus("second price", "shaded"));
  CHECK(surplus("first price", "shaded") > 0.4 * surplus("second price", "truthful"));
}
