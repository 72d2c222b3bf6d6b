// The ledger in memory: spend and open reservations never exceed a budget or a cap, whatever threads, clocks and late
// settlements do.
#include <atomic>
#include <map>
#include <thread>
#include <vector>

#include "puna/ads/ledger.h"
#include "puna/base/philox.h"
#include "support/catch.h"
#include "support/status.h"

using namespace puna;
using namespace puna::ads;
using namespace puna::test;

namespace {

constexpr int64_t kSecond = 1'000'000;

void check_sound(const Balance& b) {
  CHECK(b.spent >= 0);
  CHECK(b.reserved >= 0);
  CHECK(b.spent + b.reserved <= b.limit);
}

}  // namespace

TEST_CASE("money is reserved, settled once, and free again", "[ads]") {
  Ledger ledger;
  const AccountId account = ledger.add_account(150);
  const CampaignId a = ledger.add_campaign(account, 100), b = ledger.add_campaign(account, 100);
  const ReservationId first = ledger.reserve(a, 80, 0, kSecond);
  REQUIRE(first > 0);
  CHECK(ledger.left(a) == 20);
  CHECK(ledger.left(b) == 70);  // the account's cap
  CHECK(ledger.reserve(a, 21, 0, kSecond) == 0);
  CHECK(ledger.reserve(b, 71, 0, kSecond) == 0);
  CHECK(ledger.campaign(b).reserved == 0);  // a refusal leaves nothing behind
  CHECK(ledger.settle(first, 30) == Settled::booked);
  CHECK(ledger.settle(first, 30) == Settled::unknown);
  CHECK(ledger.campaign(a).spent == 30);
  CHECK(ledger.campaign(a).reserved == 0);
  CHECK(ledger.account(account).spent == 30);
  CHECK(ledger.left(a) == 70);
  CHECK(ledger.settle(-5, 0) == Settled::unknown);
  CHECK(ledger.settle(INT64_MAX, 0) == Settled::unknown);
  const ReservationId second = ledger.reserve(a, 70, 0, kSecond);
  CHECK(status_of([&] { ledger.settle(second, 71); }) == Status::invalid_argument);
  CHECK(status_of([&] { ledger.settle(second, -1); }) == Status::invalid_argument);
  CHECK(ledger.settle(second, 70) == Settled::booked);
  CHECK(ledger.left(a) == 0);
  CHECK(status_of([&] { ledger.reserve(9, 1, 0, 0); }) == Status::invalid_argument);
  CHECK(status_of([&] { ledger.reserve(a, -1, 0, 0); }) == Status::invalid_argument);
  CHECK(status_of([&] { ledger.add_campaign(7, 1); }) == Status::invalid_argument);
  CHECK(status_of([&] { ledger.add_account(-1); }) == Status::invalid_argument);
}

TEST_CASE("a settlement that comes late is booked where there is room and refused where there is none", "[ads]") {
  Ledger ledger;
  const CampaignId c = ledger.add_campaign(ledger.add_account(1000), 100);
  const ReservationId late = ledger.reserve(c, 60, 0, kSecond), later = ledger.reserve(c, 40, 0, kSecond);
  CHECK(ledger.expire(kSecond / 2) == 0);
  CHECK(ledger.expire(kSecond) == 2);
  CHECK(ledger.left(c) == 100);
  CHECK(ledger.settle(late, 60) == Settled::booked_late);
  const ReservationId now = ledger.reserve(c, 30, kSecond, kSecond);
  REQUIRE(now > 0);
  CHECK(ledger.settle(later, 40) == Settled::refused_late);  // 60 + 30 + 40 > 100
  check_sound(ledger.campaign(c));
  CHECK(ledger.campaign(c).refused_late == 40);
  CHECK(ledger.campaign(c).spent == 60);
  CHECK(ledger.settle(now, 0) == Settled::booked);
  const ReservationId forgotten = ledger.reserve(c, 10, kSecond, 0);
  CHECK(ledger.expire(kSecond) == 1);
  ledger.forget_late();
  CHECK(ledger.settle(forgotten, 10) == Settled::unknown);
}

TEST_CASE("a clock that jumps frees nothing that is in flight", "[ads]") {
  Ledger ledger;
  const CampaignId c = ledger.add_campaign(ledger.add_account(1000), 100);
  const int64_t now = 1'700'000'000 * kSecond, ttl = 300 * kSecond;
  const ReservationId r = ledger.reserve(c, 60, now, ttl);
  CHECK(ledger.expire(now + 86'400 * kSecond) == 0);  // a day ahead: counts as a minute
  CHECK(ledger.expire(now - 86'400 * kSecond) == 0);  // and back
  CHECK(ledger.expire(INT64_MAX) == 0);
  CHECK(ledger.expire(INT64_MIN) == 0);
  CHECK(ledger.campaign(c).reserved == 60);
  int64_t at = now;
  while (ledger.campaign(c).reserved != 0 && at < now + 10 * ttl) ledger.expire(at += 10 * kSecond);
  CHECK(at - now <= ttl + 2 * kLongestStep);
  CHECK(ledger.settle(r, 60) == Settled::booked_late);
}

TEST_CASE("eight threads never overspend, at any moment", "[ads]") {
  Ledger ledger;
  constexpr int kThreads = 8, kCampaigns = 5, kSteps = 20'000;
  const AccountId account = ledger.add_account(300'000);
  for (int i = 0; i < kCampaigns; ++i) ledger.add_campaign(account, 80'000 + 10'000 * i);
  std::atomic<int64_t> booked{0}, broken{0};
  std::atomic<bool> over{false};
  std::vector<std::thread> threads;
  threads.emplace_back([&] {  // watches
    while (!over) {
      for (int i = 0; i <= kCampaigns; ++i) {
        const Balance b = i < kCampaigns ? ledger.campaign(i) : ledger.account(account);
        broken += b.spent < 0 || b.reserved < 0 || b.spent + b.reserved > b.limit;
      }
    }
  });
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      std::vector<std::pair<ReservationId, Micros>> open;
      for (int i = 0; i < kSteps; ++i) {
        const Philox draw = philox(uint64_t(t), uint64_t(i));
        const Micros amount = draw.word[0] % 200;
        const ReservationId r = ledger.reserve(int(draw.word[1] % kCampaigns), amount, i * kSecond / 100, kSecond);
        if (r != 0) open.emplace_back(r, amount);
        if (draw.word[2] % 64 == 0) ledger.expire(i * kSecond / 100);
        if (open.size() > draw.word[3] % 8) {
          const auto [id, reserved] = open[draw.word[2] % open.size()];
          std::erase_if(open, [&, id = id](const auto& o) { return o.first == id; });
          const Micros paid = reserved / 2;
          const Settled how = ledger.settle(id, paid);
          if (how == Settled::booked || how == Settled::booked_late) booked += paid;
          broken += how == Settled::unknown;
        }
      }
      for (const auto& [id, reserved] : open) {
        const Settled how = ledger.settle(id, reserved);
        if (how == Settled::booked || how == Settled::booked_late) booked += reserved;
      }
    });
  for (size_t t = 1; t < threads.size(); ++t) threads[t].join();
  over = true;
  threads[0].join();
  CHECK(broken == 0);
  Micros sum = 0;
  for (int i = 0; i < kCampaigns; ++i) {
    const Balance b = ledger.campaign(i);
    check_sound(b);
    CHECK(b.reserved == 0);
    sum += b.spent;
  }
  CHECK(sum == booked);
  CHECK(ledger.account(account).spent == sum);
  CHECK(sum > 250'000);  // it was busy
}

TEST_CASE("thousands of open reservations, settled, expired and forgotten in any order, are as a plain list's",
          "[ads]") {
  struct Kept {
    CampaignId campaign;
    Micros amount;
    int64_t deadline;
    bool expired;
  };
  Ledger ledger;
  constexpr Micros kBudget = 40'000;
  const AccountId account = ledger.add_account(3 * kBudget);
  std::vector<CampaignId> campaigns;
  for (int i = 0; i < 200; ++i) ledger.add_campaign(account, kBudget);  // all but four stay empty
  for (const int c : {3, 67, 131, 150}) campaigns.push_back(c);         // three of them share a part of the table
  std::map<ReservationId, Kept> open;
  std::map<CampaignId, Micros> spent, reserved;
  Micros refused = 0;
  const auto all = [](const std::map<CampaignId, Micros>& sums) {
    Micros sum = 0;
    for (const auto& [c, amount] : sums) sum += amount;
    return sum;
  };
  int64_t now = 0;
  for (uint64_t i = 0; i < 40'000; ++i) {
    const Philox draw = philox(77, i);
    const CampaignId c = campaigns[draw.word[0] % 4];
    const Micros amount = Micros(1 + draw.word[1] % 20);
    const auto fits = [&](Micros more) {
      return spent[c] + reserved[c] + more <= kBudget && all(spent) + all(reserved) + more <= 3 * kBudget;
    };
    if (draw.word[2] % 8 < 5) {
      const ReservationId r = ledger.reserve(c, amount, now, 50'000'000);
      REQUIRE((r != 0) == fits(amount));
      if (r == 0) continue;
      REQUIRE(open.emplace(r, Kept{c, amount, now + 50'000'000, false}).second);
      reserved[c] += amount;
    } else if (draw.word[2] % 8 < 7 && !open.empty()) {
      auto at = open.lower_bound(ReservationId(draw.word[3] % uint64_t(open.rbegin()->first)));
      const auto [r, kept] = *at;
      open.erase(at);
      const Micros price = kept.amount / 2;
      Settled expected = Settled::booked;
      if (kept.expired) {
        const bool room = spent[kept.campaign] + reserved[kept.campaign] + price <= kBudget &&
                          all(spent) + all(reserved) + price <= 3 * kBudget;
        expected = room ? Settled::booked_late : Settled::refused_late;
      } else {
        reserved[kept.campaign] -= kept.amount;
      }
      (expected == Settled::refused_late ? refused : spent[kept.campaign]) += price;
      REQUIRE(ledger.settle(r, price) == expected);
      REQUIRE(ledger.settle(r, price) == Settled::unknown);
    } else if (draw.word[2] % 512 == 7) {
      now += 30'000'000;
      int64_t freed = 0;
      for (auto& [r, kept] : open)
        if (!kept.expired && kept.deadline <= now) {
          kept.expired = true;
          reserved[kept.campaign] -= kept.amount;
          ++freed;
        }
      REQUIRE(ledger.expire(now) == freed);
      if (draw.word[3] % 2 == 0) {
        ledger.forget_late();
        std::erase_if(open, [](const auto& entry) { return entry.second.expired; });
      }
    }
  }
  for (const CampaignId c : campaigns) {
    CHECK(ledger.campaign(c).spent == spent[c]);
    CHECK(ledger.campaign(c).reserved == reserved[c]);
  }
  CHECK(ledger.account(account).refused_late == refused);
  CHECK(all(spent) > kBudget / 2);
  CHECK(open.size() > 1000);
}

TEST_CASE("a ledger that is restored has what was spent and open, and gives newer numbers", "[ads]") {
  Ledger before, after;
  for (Ledger* l : {&before, &after}) l->add_campaign(l->add_account(1000), 500);
  std::vector<ReservationId> open;
  for (int i = 0; i < 30; ++i) open.push_back(before.reserve(0, 10, 0, kSecond));
  for (int i = 0; i < 10; ++i) before.settle(open[size_t(i)], 5);
  after.restore(0, 0, before.campaign(0).spent);
  for (size_t i = 29; i >= 10; --i) after.restore(0, open[i], 10);
  CHECK(after.campaign(0).spent == 50);
  CHECK(after.campaign(0).reserved == 200);
  CHECK(after.left(0) == before.left(0));
  CHECK(status_of([&] { after.restore(0, open[12], 1); }) == Status::invalid_argument);
  CHECK(status_of([&] { after.restore(0, 0, 251); }) == Status::invalid_argument);
  CHECK(status_of([&] { after.restore(0, INT64_MAX, 1); }) == Status::invalid_argument);
  CHECK(status_of([&] { after.restore(0, -1, 1); }) == Status::invalid_argument);
  CHECK(after.left(0) == before.left(0));
  CHECK(after.reserve(0, 1, 0, 0) > open.back());
  CHECK(after.expire(INT64_MAX) == 1);
  CHECK(after.settle(open[20], 10) == Settled::booked);
}
