// The ledger on disk: what was answered is there after a kill, spend and open reservations never exceed budget or cap,
// and a simulated day that is killed again and again buys what an undisturbed one does.
#include <sqlite3.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <thread>

#include "puna/ads/durable_ledger.h"
#include "puna/ads/pacing.h"
#include "puna/ads/simulate.h"
#include "puna/base/philox.h"
#include "support/catch.h"
#include "support/files.h"
#include "support/killed.h"
#include "support/status.h"

using namespace puna;
using namespace puna::ads;
using namespace puna::test;

namespace {

constexpr int64_t kSecond = 1'000'000;

ReservationId reserve_one(DurableLedger& ledger, CampaignId c, Micros amount, int64_t now = 0, int64_t ttl = kSecond,
                          int64_t tag = 0) {
  const Wanted wanted{.campaign = c, .amount = amount, .tag = tag};
  return ledger.reserve({&wanted, 1}, now, ttl)[0];
}
Settled settle_one(DurableLedger& ledger, ReservationId r, Micros spent) {
  const Settlement s{.reservation = r, .spent = spent};
  return ledger.settle({&s, 1})[0];
}

void check_sound(const Balance& b) {
  CHECK(b.spent >= 0);
  CHECK(b.reserved >= 0);
  CHECK(b.spent + b.reserved <= b.limit);
}

void execute(const std::string& path, const std::string& sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
  CHECK(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(db);
}

// row(first column) for each row.
template <class Row>
void each_row(const std::string& path, const std::string& sql, Row&& row) {
  sqlite3* db = nullptr;
  sqlite3_stmt* s = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
  REQUIRE(sqlite3_prepare_v2(db, sql.c_str(), -1, &s, nullptr) == SQLITE_OK);
  while (sqlite3_step(s) == SQLITE_ROW) row(sqlite3_column_int64(s, 0));
  sqlite3_finalize(s);
  sqlite3_close(db);
}
int64_t asked(const std::string& path, const std::string& sql) {
  int64_t value = -1;
  each_row(path, sql, [&](int64_t v) { value = v; });
  return value;
}

// A day against prices that are known to the test: bids are reserved, answered, settled. A reservation carries the
// auction's number, so that after a kill the exchange can be asked what became of it.
struct Day {
  std::vector<AuctionRecord> auctions;
  Micros budget;
  int64_t next = 0;        // where to go on
  double multiplier = -1;  // that was acknowledged last

  Day(uint64_t seed, int64_t count)
      : auctions(simulated_day(PacingProcess::plain, seed, count)), budget(budget_of(auctions, 0.3)) {}

  Micros paid(int64_t t, Micros bid) const {
    const Micros price = auctions[size_t(t)].price;
    return bid > price ? price : 0;
  }
  // done(t, multiplier) after each auction.
  template <class Done>
  void play(DurableLedger& ledger, const Done& done) const {
    if (ledger.campaign_count() == 0) ledger.add_campaign(ledger.add_account(budget), budget);
    std::vector<Settlement> notices;
    for (const OpenReservation& o : ledger.open_reservations())
      notices.push_back({.reservation = o.reservation, .spent = paid(o.tag, o.amount)});
    ledger.settle(notices);
    PacerOptions o;
    o.budget = budget;
    o.expected_auctions = int64_t(auctions.size());
    o.multiplier = multiplier;
    o.at = next < int64_t(auctions.size()) ? auctions[size_t(next)].at : 1;
    o.spent = ledger.campaign(0).spent;
    Pacer pacer(o);
    for (int64_t t = next; t < int64_t(auctions.size()); ++t) {
      const AuctionRecord& a = auctions[size_t(t)];
      const Balance b = ledger.campaign(0);
      const Micros bid = pacer.bid(a.at, a.value, b.limit - b.spent - b.reserved);
      const ReservationId r =
          bid > 0 ? reserve_one(ledger, 0, bid, int64_t(a.at * 86'400) * kSecond, 60 * kSecond, t) : 0;
      if (r != 0) {
        settle_one(ledger, r, paid(t, bid));
        if (paid(t, bid) > 0) pacer.won(paid(t, bid), a.value);
      }
      done(t, pacer.multiplier());
    }
  }
  // Of what was settled in the ledger's file.
  double value(const std::string& path) const {
    double sum = 0;
    each_row(path, "SELECT tag FROM settlements WHERE spent > 0",
             [&](int64_t t) { sum += double(auctions[size_t(t)].value); });
    return sum;
  }
};

}  // namespace

TEST_CASE("the durable ledger reserves, settles and remembers", "[ledger]") {
  const TempFolder folder;
  ReservationId open = 0, used = 0;
  {
    const auto ledger = open_ledger(folder / "ledger");
    const AccountId account = ledger->add_account(150);
    const CampaignId a = ledger->add_campaign(account, 100), b = ledger->add_campaign(account, 100);
    CHECK(ledger->campaign_count() == 2);
    const std::vector<Wanted> wanted{{a, 80, 1}, {a, 30, 2}, {b, 60, 3}, {b, 71, 4}};
    const auto ids = ledger->reserve(wanted, 0, kSecond);
    REQUIRE(ids.size() == 4);
    CHECK(ids[0] > 0);
    CHECK(ids[1] == 0);  // the campaign's budget
    CHECK(ids[2] > ids[0]);
    CHECK(ids[3] == 0);  // the account's cap
    used = ids[0];
    open = ids[2];
    CHECK(settle_one(*ledger, used, 50) == Settled::booked);
    CHECK(settle_one(*ledger, used, 50) == Settled::unknown);
    CHECK(status_of([&] { settle_one(*ledger, open, 61); }) == Status::invalid_argument);
    CHECK(status_of([&] { reserve_one(*ledger, 2, 1); }) == Status::invalid_argument);
    CHECK(status_of([&] { reserve_one(*ledger, a, -1); }) == Status::invalid_argument);
    CHECK(ledger->account(account).spent == 50);
    CHECK(ledger->account(account).reserved == 60);
    ledger->verify();
  }
  const auto ledger = open_ledger(folder / "ledger");
  CHECK(ledger->campaign(0).spent == 50);
  CHECK(ledger->campaign(1).reserved == 60);
  for (int64_t now = 0; now < 100 * kSecond; now += kSecond) CHECK(ledger->expire(now) == 0);  // it counts as spent
  const auto still = ledger->open_reservations();
  REQUIRE(still.size() == 1);
  CHECK(still[0].reservation == open);
  CHECK(still[0].tag == 3);
  CHECK(settle_one(*ledger, open, 60) == Settled::booked);
  const ReservationId next = reserve_one(*ledger, 0, 1);
  CHECK(next > open);  // no number is used twice
  ledger->verify();
}

TEST_CASE("the durable ledger's late settlements are booked where there is room", "[ledger]") {
  const TempFolder folder;
  ReservationId forgotten = 0;
  {
    const auto ledger = open_ledger(folder / "ledger");
    const CampaignId c = ledger->add_campaign(ledger->add_account(1000), 100);
    const ReservationId late = reserve_one(*ledger, c, 60), later = reserve_one(*ledger, c, 40);
    CHECK(ledger->expire(kSecond) == 2);
    CHECK(settle_one(*ledger, late, 60) == Settled::booked_late);
    const ReservationId now = reserve_one(*ledger, c, 30, kSecond);
    REQUIRE(now > 0);
    CHECK(settle_one(*ledger, later, 40) == Settled::refused_late);
    check_sound(ledger->campaign(c));
    CHECK(ledger->campaign(c).refused_late == 40);
    forgotten = reserve_one(*ledger, c, 5, kSecond, 0);
    CHECK(ledger->expire(kSecond) == 1);
    ledger->forget_late();
    CHECK(settle_one(*ledger, forgotten, 5) == Settled::unknown);
    ledger->verify();
  }
  const auto ledger = open_ledger(folder / "ledger");
  CHECK(ledger->campaign(0).refused_late == 40);
  CHECK(ledger->campaign(0).reserved == 30);
  CHECK(reserve_one(*ledger, 0, 1) > forgotten);
  ledger->verify();
}

TEST_CASE("threads share a durable ledger and never overspend", "[ledger]") {
  const TempFolder folder;
  const auto ledger = open_ledger(folder / "ledger");
  const AccountId account = ledger->add_account(5000);
  for (int i = 0; i < 3; ++i) ledger->add_campaign(account, 2000);
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 8; ++i) {
        std::vector<Wanted> wanted;
        for (uint64_t j = 0; j < 16; ++j)
          wanted.push_back({.campaign = int32_t(philox(uint64_t(t), uint64_t(i), j).word[0] % 3), .amount = 20});
        std::vector<Settlement> done;
        for (const ReservationId r : ledger->reserve(wanted, 0, kSecond))
          if (r != 0) done.push_back({.reservation = r, .spent = 15});
        ledger->settle(done);
      }
    });
  for (std::thread& t : threads) t.join();
  Micros sum = 0;
  for (int i = 0; i < 3; ++i) {
    check_sound(ledger->campaign(i));
    sum += ledger->campaign(i).spent;
  }
  CHECK(ledger->account(account).spent == sum);
  CHECK(sum > 4900);
  CHECK(sum <= 5000);
  ledger->verify();
}

TEST_CASE("a ledger is open in one process, and files that are none are refused by name", "[ledger]") {
  const TempFolder folder;
  write_file(folder / "text", std::string(5000, 'x'));
  CHECK(status_of([&] { open_ledger(folder / "text"); }) == Status::bad_file);
  execute(folder / "other", "CREATE TABLE accounts (a)");
  CHECK(status_of([&] { open_ledger(folder / "other"); }) == Status::bad_file);
  CHECK(status_of([&] { open_ledger(folder / "no/such/folder"); }) == Status::io);
  const auto after = [&](const std::string& sql) {
    const std::string path = folder / "ledger" + std::to_string(folder.file_count());
    {
      const auto ledger = open_ledger(path);
      const CampaignId c = ledger->add_campaign(ledger->add_account(1000), 100);
      settle_one(*ledger, reserve_one(*ledger, c, 50), 50);
      reserve_one(*ledger, c, 30);
    }
    execute(path, sql);
    return status_of([&] { open_ledger(path)->verify(); });
  };
  CHECK(after("SELECT 1") == Status::ok);
  CHECK(after("UPDATE campaigns SET spent = 101") == Status::bad_file);
  CHECK(after("UPDATE campaigns SET spent = -1") == Status::bad_file);
  CHECK(after("UPDATE campaigns SET spent = 40") == Status::bad_file);  // not the sum of its settlements
  CHECK(after("UPDATE campaigns SET account = 7") == Status::bad_file);
  CHECK(after("UPDATE campaigns SET budget = 70") == Status::bad_file);  // reserved and spent are more
  CHECK(after("UPDATE campaigns SET refused = 9223372036854775807") == Status::bad_file);
  CHECK(after("UPDATE accounts SET cap = 70") == Status::bad_file);
  CHECK(after("UPDATE accounts SET id = 5") == Status::bad_file);
  CHECK(after("UPDATE reservations SET amount = -1") == Status::bad_file);
  CHECK(after("UPDATE reservations SET amount = 51") == Status::bad_file);
  CHECK(after("UPDATE reservations SET campaign = 1") == Status::bad_file);
  CHECK(after("UPDATE reservations SET id = 9223372036854775807") == Status::bad_file);
  CHECK(after("UPDATE settlements SET campaign = 3") == Status::bad_file);
  CHECK(after("UPDATE settlements SET kind = 9") == Status::bad_file);
  CHECK(after("CREATE TRIGGER t AFTER INSERT ON settlements BEGIN DELETE FROM settlements; END") == Status::bad_file);
  CHECK(after("DROP TABLE settlements") == Status::bad_file);
}

namespace {

// A day killed `kills` times at drawn moments: its value over that of the undisturbed day.
double killed_day(uint64_t seed, int64_t auctions, int kills) {
  const TempFolder folder;
  Day day(seed, auctions);
  const std::string whole = folder / "whole", killed = folder / "killed";
  day.play(*open_ledger(whole), [](int64_t, double) {});
  const auto sound = [&](const std::string& path) {
    const auto ledger = open_ledger(path);
    check_sound(ledger->campaign(0));
    CHECK(ledger->campaign(0).limit == day.budget);
    ledger->verify();
  };
  sound(whole);
  for (int k = 0; k < kills; ++k) {
    const int64_t until = std::max(day.next, auctions * (k + 1) / (kills + 1) - philox(seed, uint64_t(k)).word[0] % 3);
    const int64_t told = killed_after(until << 32, [&](auto acknowledge) {
      const auto ledger = open_ledger(killed);
      day.play(*ledger, [&](int64_t t, double mu) { acknowledge(t << 32 | int64_t(std::min(mu, 4000.0) * 1e6)); });
      while (true) acknowledge(auctions << 32);
    });
    sound(killed);
    day.multiplier = double(told & 0xFFFFFFFF) * 1e-6;
    // The exchange knows of no second bid in one auction: those that are in the file are over.
    day.next = std::max({(told >> 32) + 1, asked(killed, "SELECT coalesce(max(tag), -1) + 1 FROM settlements"),
                         asked(killed, "SELECT coalesce(max(tag), -1) + 1 FROM reservations")});
  }
  day.play(*open_ledger(killed), [](int64_t, double) {});
  sound(killed);
  CHECK(asked(killed, "SELECT count(*) - count(DISTINCT tag) FROM settlements") == 0);
  return day.value(killed) / day.value(whole);
}

}  // namespace

// What a kill costs is what one auction moved the pacer by, where it falls: 25 runs gave .969 (11 times), .992 (13) and
// 1.011 (1). So short a day shows a single auction; the bar is the least of them less one more such step, .023. That
// killing costs next to nothing is for the long day to show.
TEST_CASE("a day killed a few times never overspends, and goes on", "[ledger]") {
  CHECK(killed_day(3, 100, 3) >= 0.94);
}

TEST_CASE("a day killed five hundred times never overspends, and goes on", "[ledger][slow]") {
  CHECK(killed_day(4, 3000, 500) >= 0.995);
}
