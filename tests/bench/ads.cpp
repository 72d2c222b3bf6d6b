// ads.cpp -- how long a pacing decision, a reservation, a choice and an update of the hierarchical model take, on one
// thread of a machine that does nothing else.
//   ads [durable FOLDER]      with a folder: also reservations and settlements on its disk, by batch
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "base/normals.h"
#include "puna/ads/choice.h"
#if PUNA_HAVE_SQLITE
#include "puna/ads/durable_ledger.h"
#endif
#include "puna/ads/ledger.h"
#include "puna/ads/simulate.h"

namespace {

using namespace puna;
using namespace puna::ads;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

void pacing() {
  const auto day = simulated_day(PacingProcess::plain, 1, 2'000'000);
  PacerOptions o;
  o.budget = budget_of(day, 0.3);
  o.expected_auctions = int64_t(day.size());
  Pacer pacer(o);
  Micros left = o.budget;
  const double start = now();
  for (const AuctionRecord& a : day) {
    if (pacer.bid(a.at, a.value, left) <= a.price) continue;
    left -= a.price;
    pacer.won(a.price, a.value);
  }
  printf("pacing decisions, one campaign:       %10.0f a second\n", double(day.size()) / (now() - start));
}

void many_campaigns(size_t campaigns) {
  PacerOptions o;
  o.budget = kOneUnit;
  o.expected_auctions = 1000;
  std::vector<Pacer> pacers(campaigns, Pacer(o));
  Ledger ledger;
  const AccountId account = ledger.add_account(kMostMicros);
  for (size_t i = 0; i < campaigns; ++i) ledger.add_campaign(account, o.budget);
  constexpr int kDecisions = 1'000'000;
  const double start = now();
  for (int i = 0; i < kDecisions; ++i) {
    const auto c = CampaignId(uint64_t(philox(1, uint64_t(i)).word[0]) * campaigns >> 32);
    const Micros bid = pacers[size_t(c)].bid(double(i) / kDecisions, 3000, ledger.left(c));
    const ReservationId r = ledger.reserve(c, bid, i, 1'000'000);
    ledger.settle(r, bid / 2);
    pacers[size_t(c)].won(bid / 2, 3000);
  }
  printf("with reserve and settle, %7zu campaigns: %8.0f a second; %zu bytes a pacer\n", campaigns,
         kDecisions / (now() - start), sizeof(Pacer));
}

void choice() {
  const World w = simulated_world(1, 6, 8, 0.35);
  const auto stream = simulated_stream(w, 1, 1'000'000);
  ChooserOptions o;
  o.segments = 6;
  o.variants = 8;
  Chooser chooser(o);
  std::vector<Outcome> cells;
  for (int32_t s = 0; s < 6; ++s)
    for (int32_t k = 0; k < 8; ++k)
      cells.push_back({.segment = s, .variant = k, .shown = 1000.0 + 100 * s, .clicks = 10.0 + k});
  constexpr int kUpdates = 200;
  double start = now();
  for (int i = 0; i < kUpdates; ++i) {
    chooser.update(cells);
    for (int32_t s = 0; s < 6; ++s) chooser.propensities(s);
  }
  printf("update of 48 cells, all propensities:  %9.3f ms\n", (now() - start) / kUpdates * 1e3);
  start = now();
  double sum = 0;
  for (size_t t = 0; t < stream.size(); ++t) sum += chooser.choose(stream[t].segment, 1, t).propensity;
  printf("choice of 8 variants:                  %9.3f us (%.3f)\n", (now() - start) / double(stream.size()) * 1e6,
         sum / double(stream.size()));
}

#if PUNA_HAVE_SQLITE
void durable(const std::string& folder) {
  for (const int batch : {1, 16, 256, 1024}) {
    const auto ledger = open_ledger(folder + "/ledger" + std::to_string(batch) + ".db");
    const CampaignId c = ledger->add_campaign(ledger->add_account(kMostMicros), kMostMicros);
    const int rounds = batch == 1 ? 300 : 40;
    const double start = now();
    for (int i = 0; i < rounds; ++i) {
      std::vector<Settlement> settlements;
      for (const ReservationId r : ledger->reserve(std::vector<Wanted>(size_t(batch), Wanted{c, 10, i}), i, 1'000'000))
        settlements.push_back({.reservation = r, .spent = 5});
      ledger->settle(settlements);
    }
    printf("durable, %4d a call:                  %10.0f reservations and settlements a second\n", batch,
           rounds * batch / (now() - start));
  }
}
#endif

}  // namespace

int main(int argc, char** argv) {
  pacing();
  many_campaigns(1000);
  many_campaigns(1'000'000);
  choice();
  if (argc == 3 && !strcmp(argv[1], "durable")) {
#if PUNA_HAVE_SQLITE
    durable(argv[2]);
#else
    fprintf(stderr, "ads: this build has no SQLite\n");
    return 1;
#endif
  }
}
