// ledger.cpp -- two counters a purse (a campaign or an account), changed by compare-and-swap; reservations in 64 parts
// with a lock each.
#include "puna/ads/ledger.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <mutex>
#include <unordered_map>

#include "puna/base/error.h"

namespace puna::ads {
namespace {

struct Purse {
  Purse(Micros limit, AccountId account) : limit(limit), account(account) {}
  const Micros limit;
  std::atomic<Micros> committed{0};  // spent and reserved: never above limit
  std::atomic<Micros> spent{0}, refused_late{0};
  const AccountId account;  // of a campaign

  bool commit(Micros amount) noexcept {
    Micros before = committed.load(std::memory_order_relaxed);
    do {
      if (amount > limit - before) return false;
    } while (!committed.compare_exchange_weak(before, before + amount));
    return true;
  }
  Balance balance() const noexcept {
    // Spent is read first: it only grows, and is part of committed, so that what is reserved is never below zero.
    const Micros s = spent.load();
    return {.limit = limit, .spent = s, .reserved = committed.load() - s, .refused_late = refused_late.load()};
  }
};

constexpr int kParts = 64;

struct Open {
  CampaignId campaign;
  Micros amount;
  int64_t deadline;
  bool expired;
};

struct alignas(64) Part {
  std::mutex mutex;
  std::unordered_map<int64_t, Open> open;  // by number
  int64_t next = 1;
};

}  // namespace

struct Ledger::Impl {
  std::deque<Purse> accounts, campaigns;
  std::array<Part, kParts> parts;
  std::mutex time_mutex;
  LedgerTime time;

  int64_t time_at(int64_t now) {
    const std::lock_guard<std::mutex> lock(time_mutex);
    return time.at(now);
  }
  Purse& campaign(CampaignId id) {
    PUNA_REQUIRE(id >= 0 && size_t(id) < campaigns.size(), "there is no campaign %d; there are %zu", int(id),
                 campaigns.size());
    return campaigns[size_t(id)];
  }
  Purse& account(AccountId id) {
    PUNA_REQUIRE(id >= 0 && size_t(id) < accounts.size(), "there is no account %d; there are %zu", int(id),
                 accounts.size());
    return accounts[size_t(id)];
  }
  // Of both or of neither.
  bool commit(Purse& purse, Micros amount) {
    if (!purse.commit(amount)) return false;
    if (accounts[size_t(purse.account)].commit(amount)) return true;
    purse.committed -= amount;
    return false;
  }
  void release(Purse& purse, Micros amount) {
    purse.committed -= amount;
    accounts[size_t(purse.account)].committed -= amount;
  }
  void spend(Purse& purse, Micros amount) {
    purse.spent += amount;
    accounts[size_t(purse.account)].spent += amount;
  }
};

namespace {

void require_amount(Micros amount, const char* what) {
  PUNA_REQUIRE(amount >= 0 && amount <= kMostMicros, "%s is %jd, expected 0 to %jd", what, amount, kMostMicros);
}

}  // namespace

Ledger::Ledger() : impl_(std::make_unique<Impl>()) {}
Ledger::~Ledger() = default;

AccountId Ledger::add_account(Micros cap) {
  require_amount(cap, "the account's cap");
  impl_->accounts.emplace_back(cap, -1);
  return AccountId(impl_->accounts.size() - 1);
}

CampaignId Ledger::add_campaign(AccountId account, Micros budget) {
  impl_->account(account);
  require_amount(budget, "the campaign's budget");
  impl_->campaigns.emplace_back(budget, account);
  return CampaignId(impl_->campaigns.size() - 1);
}

ReservationId Ledger::reserve(CampaignId campaign, Micros amount, int64_t now, int64_t time_to_live) {
  require_amount(amount, "the amount");
  PUNA_REQUIRE(time_to_live >= 0, "the time to live is %jd, expected 0 or more", time_to_live);
  Purse& purse = impl_->campaign(campaign);
  const int64_t time = impl_->time_at(now);
  if (!impl_->commit(purse, amount)) return 0;
  const int64_t deadline = time > INT64_MAX - time_to_live ? INT64_MAX : time + time_to_live;
  const int at = int(uint32_t(campaign) % kParts);
  Part& part = impl_->parts[size_t(at)];
  try {
    const std::lock_guard<std::mutex> lock(part.mutex);
    part.open.emplace(part.next, Open{campaign, amount, deadline, false});
    return part.next++ * kParts + at;
  } catch (...) {
    impl_->release(purse, amount);
    throw;
  }
}

Settled Ledger::settle(ReservationId reservation, Micros spent) {
  if (reservation <= 0) return Settled::unknown;
  Part& part = impl_->parts[size_t(reservation % kParts)];
  const std::lock_guard<std::mutex> lock(part.mutex);
  const auto found = part.open.find(reservation / kParts);
  if (found == part.open.end()) return Settled::unknown;
  const Open open = found->second;
  PUNA_REQUIRE(spent >= 0 && spent <= open.amount, "%jd was spent of a reservation of %jd", spent, open.amount);
  Purse& purse = impl_->campaigns[size_t(open.campaign)];
  part.open.erase(found);
  if (!open.expired) {
    impl_->spend(purse, spent);
    impl_->release(purse, open.amount - spent);
    return Settled::booked;
  }
  if (impl_->commit(purse, spent)) {
    impl_->spend(purse, spent);
    return Settled::booked_late;
  }
  purse.refused_late += spent;
  impl_->accounts[size_t(purse.account)].refused_late += spent;
  return Settled::refused_late;
}

int64_t Ledger::expire(int64_t now) {
  const int64_t time = impl_->time_at(now);
  int64_t freed = 0;
  for (Part& part : impl_->parts) {
    const std::lock_guard<std::mutex> lock(part.mutex);
    for (auto& [number, open] : part.open) {
      if (open.expired || open.deadline > time) continue;
      open.expired = true;
      impl_->release(impl_->campaigns[size_t(open.campaign)], open.amount);
      ++freed;
    }
  }
  return freed;
}

void Ledger::forget_late() {
  for (Part& part : impl_->parts) {
    const std::lock_guard<std::mutex> lock(part.mutex);
    std::erase_if(part.open, [](const auto& entry) { return entry.second.expired; });
  }
}

Balance Ledger::campaign(CampaignId campaign) const { return impl_->campaign(campaign).balance(); }
Balance Ledger::account(AccountId account) const { return impl_->account(account).balance(); }

Micros Ledger::left(CampaignId campaign) const {
  const Purse &purse = impl_->campaign(campaign), &account = impl_->accounts[size_t(purse.account)];
  return std::max<Micros>(0, std::min(purse.limit - purse.committed.load(), account.limit - account.committed.load()));
}

int64_t Ledger::campaign_count() const noexcept { return int64_t(impl_->campaigns.size()); }

}  // namespace puna::ads
