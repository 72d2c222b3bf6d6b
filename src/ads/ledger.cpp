// ledger.cpp -- two counters a purse (a campaign or an account), changed by compare-and-swap; open reservations in 64
// parts with a lock and a hash table each. A decision of one among a million campaigns waits for memory and little
// else: a purse is one cache line, and where few reservations are open their tables stay in the cache.
#include "puna/ads/ledger.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <mutex>
#include <vector>

#include "puna/base/error.h"

namespace puna::ads {
namespace {

struct alignas(64) Purse {
  Micros limit = 0;
  std::atomic<Micros> committed{0};  // spent and reserved: never above limit
  std::atomic<Micros> spent{0}, refused_late{0};
  AccountId account = -1;  // of a campaign

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

// A list that grows and whose elements stay where they are.
class Purses {
 public:
  size_t size() const noexcept { return size_; }
  Purse& operator[](size_t i) noexcept { return chunks_[i / kChunk][i % kChunk]; }
  Purse& add() {
    if (size_ == chunks_.size() * kChunk) chunks_.emplace_back();
    return (*this)[size_++];
  }

 private:
  static constexpr size_t kChunk = 256;
  std::deque<std::array<Purse, kChunk>> chunks_;
  size_t size_ = 0;
};

struct Open {
  int64_t number = 0;  // 0: the place is free
  Micros amount = 0;
  int64_t deadline = 0;
  CampaignId campaign = -1;
  bool expired = false;
};

// Reservations by number: linear probing in a table that is at most half full; what is taken out leaves no mark.
class OpenTable {
 public:
  Open* find(int64_t number) noexcept {
    for (size_t i = home(number); places_[i].number != 0; i = next(i))
      if (places_[i].number == number) return &places_[i];
    return nullptr;
  }
  void add(const Open& open) {
    if (2 * (count_ + 1) > places_.size()) grow();
    put(open);
    ++count_;
  }
  void erase(Open* open) noexcept {
    size_t hole = size_t(open - places_.data());
    for (size_t i = next(hole); places_[i].number != 0; i = next(i)) {
      // May the entry at i move to the hole: is the hole on the way from its home to i?
      const size_t from_home = (i - home(places_[i].number)) & mask(), from_hole = (i - hole) & mask();
      if (from_home < from_hole) continue;
      places_[hole] = places_[i];
      hole = i;
    }
    places_[hole] = Open();
    --count_;
  }
  template <class Body>
  void each(const Body& body) {
    for (Open& open : places_)
      if (open.number != 0) body(open);
  }
  void erase_expired() {
    std::vector<Open> kept(places_.size());
    kept.swap(places_);
    count_ = 0;
    for (const Open& open : kept)
      if (open.number != 0 && !open.expired) {
        put(open);
        ++count_;
      }
  }

 private:
  size_t mask() const noexcept { return places_.size() - 1; }
  size_t next(size_t i) const noexcept { return (i + 1) & mask(); }
  size_t home(int64_t number) const noexcept { return (uint64_t(number) * 0x9E3779B97F4A7C15u >> 20) & mask(); }
  void put(const Open& open) noexcept {
    size_t i = home(open.number);
    while (places_[i].number != 0) i = next(i);
    places_[i] = open;
  }
  void grow() {
    std::vector<Open> old(2 * places_.size());
    old.swap(places_);
    for (const Open& open : old)
      if (open.number != 0) put(open);
  }

  std::vector<Open> places_ = std::vector<Open>(8);
  size_t count_ = 0;
};

constexpr int kParts = 64;

struct alignas(64) Part {
  std::mutex mutex;
  OpenTable open;
  int64_t next = 1;
};

}  // namespace

struct Ledger::Impl {
  Purses accounts, campaigns;
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

constexpr ReservationId kMostReservation = int64_t(1) << 62;

void require_amount(Micros amount, const char* what) {
  PUNA_REQUIRE(amount >= 0 && amount <= kMostMicros, "%s is %jd, expected 0 to %jd", what, amount, kMostMicros);
}

}  // namespace

Ledger::Ledger() : impl_(std::make_unique<Impl>()) {}
Ledger::~Ledger() = default;

AccountId Ledger::add_account(Micros cap) {
  require_amount(cap, "the account's cap");
  PUNA_REQUIRE(impl_->accounts.size() < size_t(INT32_MAX), "there are %zu accounts, no more are possible",
               impl_->accounts.size());
  impl_->accounts.add().limit = cap;
  return AccountId(impl_->accounts.size() - 1);
}

CampaignId Ledger::add_campaign(AccountId account, Micros budget) {
  impl_->account(account);
  require_amount(budget, "the campaign's budget");
  PUNA_REQUIRE(impl_->campaigns.size() < size_t(INT32_MAX), "there are %zu campaigns, no more are possible",
               impl_->campaigns.size());
  Purse& purse = impl_->campaigns.add();
  purse.limit = budget;
  purse.account = account;
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
    const ReservationId number = part.next * kParts + at;
    part.open.add({.number = number, .amount = amount, .deadline = deadline, .campaign = campaign, .expired = false});
    ++part.next;
    return number;
  } catch (...) {
    impl_->release(purse, amount);
    throw;
  }
}

Settled Ledger::settle(ReservationId reservation, Micros spent) {
  if (reservation <= 0) return Settled::unknown;
  Part& part = impl_->parts[size_t(reservation % kParts)];
  const std::lock_guard<std::mutex> lock(part.mutex);
  Open* const found = part.open.find(reservation);
  if (!found) return Settled::unknown;
  const Open open = *found;
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
    part.open.each([&](Open& open) {
      if (open.expired || open.deadline > time) return;
      open.expired = true;
      impl_->release(impl_->campaigns[size_t(open.campaign)], open.amount);
      ++freed;
    });
  }
  return freed;
}

void Ledger::forget_late() {
  for (Part& part : impl_->parts) {
    const std::lock_guard<std::mutex> lock(part.mutex);
    part.open.erase_expired();
  }
}

void Ledger::restore(CampaignId campaign, ReservationId reservation, Micros amount) {
  require_amount(amount, "the amount");
  PUNA_REQUIRE(reservation >= 0 && reservation <= kMostReservation, "the reservation is %jd, expected 0 to %jd",
               reservation, kMostReservation);
  Purse& purse = impl_->campaign(campaign);
  Part& part = impl_->parts[size_t(reservation % kParts)];
  const std::lock_guard<std::mutex> lock(part.mutex);
  PUNA_REQUIRE(reservation == 0 || !part.open.find(reservation), "reservation %jd is there already", reservation);
  PUNA_REQUIRE(impl_->commit(purse, amount), "campaign %d has not %jd left of its budget and its account's cap",
               int(campaign), amount);
  if (reservation == 0) return impl_->spend(purse, amount);
  try {
    part.open.add(
        {.number = reservation, .amount = amount, .deadline = INT64_MAX, .campaign = campaign, .expired = false});
  } catch (...) {
    impl_->release(purse, amount);
    throw;
  }
  part.next = std::max(part.next, reservation / kParts + 1);
}

Balance Ledger::campaign(CampaignId campaign) const { return impl_->campaign(campaign).balance(); }
Balance Ledger::account(AccountId account) const { return impl_->account(account).balance(); }

Micros Ledger::left(CampaignId campaign) const {
  const Purse &purse = impl_->campaign(campaign), &account = impl_->accounts[size_t(purse.account)];
  return std::max<Micros>(0, std::min(purse.limit - purse.committed.load(), account.limit - account.committed.load()));
}

int64_t Ledger::campaign_count() const noexcept { return int64_t(impl_->campaigns.size()); }

}  // namespace puna::ads
