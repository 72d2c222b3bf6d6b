// durable_ledger.cpp -- purses, open reservations and settlements as tables. Sums are kept in memory, and beside each
// campaign in the file; every change of them is in the transaction of the row that explains it.
#include "puna/ads/durable_ledger.h"

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <mutex>
#include <unordered_map>

#include "optional/sqlite/database.h"
#include "puna/base/error.h"

namespace puna::ads {
namespace {

using sqlite::Statement;
using sqlite::Use;

constexpr int kLedgerApplication = 0x5075416C;  // "PuAl": PRAGMA application_id of our files
// As SQLite keeps them in the schema, in the order of their names.
constexpr const char* kLedgerTables[] = {
    "CREATE TABLE accounts (id INTEGER PRIMARY KEY, cap INTEGER NOT NULL) STRICT",
    "CREATE TABLE campaigns (id INTEGER PRIMARY KEY, account INTEGER NOT NULL, budget INTEGER NOT NULL, spent INTEGER "
    "NOT NULL, refused INTEGER NOT NULL) STRICT",
    "CREATE TABLE reservations (id INTEGER PRIMARY KEY, campaign INTEGER NOT NULL, amount INTEGER NOT NULL, tag "
    "INTEGER NOT NULL, expired INTEGER NOT NULL) STRICT",
    "CREATE TABLE settlements (id INTEGER PRIMARY KEY, campaign INTEGER NOT NULL, tag INTEGER NOT NULL, spent INTEGER "
    "NOT NULL, kind INTEGER NOT NULL) STRICT",
};

// What became of a reservation: the column kind. Forgotten ones stay, so that no number is used twice.
enum Kind : int64_t { kBooked = 0, kBookedLate = 1, kRefusedLate = 2, kForgotten = 3 };

struct DurablePurse {
  Micros limit = 0, spent = 0, reserved = 0, refused = 0;
  AccountId account = -1;
  bool has_room(Micros amount) const noexcept { return amount <= limit - spent - reserved; }
  Balance balance() const noexcept {
    return {.limit = limit, .spent = spent, .reserved = reserved, .refused_late = refused};
  }
};

struct DurableOpen {
  CampaignId campaign = 0;
  Micros amount = 0;
  int64_t tag = 0, deadline = INT64_MAX;  // of the ledger's time in this process; those of before have no end
  bool expired = false;
};

class SqliteLedger final : public DurableLedger {
 public:
  explicit SqliteLedger(const std::string& path)
      : db_(path, kLedgerApplication, "advertising ledger", 1 << 16, 5000, sqlite::Others::nothing) {
    if (db_.is_new())
      db_.transaction([&] {
        for (const char* table : kLedgerTables) db_.run(table);
        db_.mark_ours();
      });
    require_tables();
    add_account_ = db_.prepare("INSERT INTO accounts VALUES (?1, ?2)");
    add_campaign_ = db_.prepare("INSERT INTO campaigns VALUES (?1, ?2, ?3, 0, 0)");
    reserve_ = db_.prepare("INSERT INTO reservations VALUES (?1, ?2, ?3, ?4, 0)");
    drop_ = db_.prepare("DELETE FROM reservations WHERE id = ?1");
    expire_ = db_.prepare("UPDATE reservations SET expired = 1 WHERE id = ?1");
    settle_ = db_.prepare("INSERT INTO settlements VALUES (?1, ?2, ?3, ?4, ?5)");
    sums_ = db_.prepare("UPDATE campaigns SET spent = ?2, refused = ?3 WHERE id = ?1");
    load();
  }

  AccountId add_account(Micros cap) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    require_micros(cap, "the account's cap");
    const auto id = AccountId(accounts_.size());
    make_room(accounts_);
    db_.transaction([&] { execute(add_account_, {id, cap}); });
    accounts_.push_back({.limit = cap});
    return id;
  }

  CampaignId add_campaign(AccountId account, Micros budget) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    purse(accounts_, account, "account");
    require_micros(budget, "the campaign's budget");
    const auto id = CampaignId(campaigns_.size());
    make_room(campaigns_);
    db_.transaction([&] { execute(add_campaign_, {id, account, budget}); });
    campaigns_.push_back({.limit = budget, .account = account});
    return id;
  }

  std::vector<ReservationId> reserve(std::span<const Wanted> wanted, int64_t now, int64_t time_to_live) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    PUNA_REQUIRE(time_to_live >= 0, "the time to live is %jd, expected 0 or more", time_to_live);
    for (const Wanted& w : wanted) {
      purse(campaigns_, w.campaign, "campaign");
      require_micros(w.amount, "the amount");
    }
    const int64_t time = time_.at(now);
    const int64_t deadline = time > INT64_MAX - time_to_live ? INT64_MAX : time + time_to_live;
    std::vector<ReservationId> ids;
    changing([&] {
      for (const Wanted& w : wanted) {
        DurablePurse &campaign = campaigns_[size_t(w.campaign)], &account = accounts_[size_t(campaign.account)];
        if (!campaign.has_room(w.amount) || !account.has_room(w.amount)) {
          ids.push_back(0);
          continue;
        }
        keep(campaign);
        keep(account);
        const ReservationId id = next_ + made_;
        keep_open(id);
        execute(reserve_, {id, w.campaign, w.amount, w.tag});
        campaign.reserved += w.amount;
        account.reserved += w.amount;
        open_[id] = {.campaign = w.campaign, .amount = w.amount, .tag = w.tag, .deadline = deadline};
        ++made_;
        ids.push_back(id);
      }
    });
    return ids;
  }

  std::vector<Settled> settle(std::span<const Settlement> settlements) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const Settlement& s : settlements)
      if (const auto found = open_.find(s.reservation); found != open_.end())
        PUNA_REQUIRE(s.spent >= 0 && s.spent <= found->second.amount, "%jd was spent of a reservation of %jd", s.spent,
                     found->second.amount);
    std::vector<Settled> results;
    changing([&] {
      for (const Settlement& s : settlements) results.push_back(settle(s));
      write_sums();
    });
    return results;
  }

  int64_t expire(int64_t now) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    const int64_t time = time_.at(now);
    int64_t freed = 0;
    changing([&] {
      for (auto& [id, open] : open_) {
        if (open.expired || open.deadline > time) continue;
        DurablePurse &campaign = campaigns_[size_t(open.campaign)], &account = accounts_[size_t(campaign.account)];
        keep(campaign);
        keep(account);
        keep_open(id);
        execute(expire_, {id});
        open.expired = true;
        campaign.reserved -= open.amount;
        account.reserved -= open.amount;
        ++freed;
      }
    });
    return freed;
  }

  void forget_late() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::vector<ReservationId> expired;
    for (const auto& [id, open] : open_)
      if (open.expired) expired.push_back(id);
    changing([&] {
      for (const ReservationId id : expired) {
        keep_open(id);
        execute(drop_, {id});
        execute(settle_, {id, open_.at(id).campaign, open_.at(id).tag, 0, kForgotten});
        open_.erase(id);
      }
    });
  }

  std::vector<OpenReservation> open_reservations() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::vector<OpenReservation> all;
    for (const auto& [id, open] : open_)
      all.push_back({.reservation = id,
                     .campaign = open.campaign,
                     .amount = open.amount,
                     .tag = open.tag,
                     .expired = open.expired});
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.reservation < b.reservation; });
    return all;
  }

  Balance campaign(CampaignId campaign) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return purse(campaigns_, campaign, "campaign").balance();
  }
  Balance account(AccountId account) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return purse(accounts_, account, "account").balance();
  }
  int64_t campaign_count() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return int64_t(campaigns_.size());
  }

  void verify() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::vector<Micros> spent(campaigns_.size()), refused(campaigns_.size());
    const Statement s = db_.prepare("SELECT campaign, spent, kind FROM settlements");
    const Use use(db_, s);
    while (use.step()) {
      const int64_t campaign = use.integer(0), amount = use.integer(1), kind = use.integer(2);
      if (campaign < 0 || campaign >= int64_t(campaigns_.size()) || amount < 0 || amount > kMostMicros ||
          kind < kBooked || kind > kForgotten)
        damaged("a settlement");
      Micros& sum = (kind == kRefusedLate ? refused : spent)[size_t(campaign)];
      if (__builtin_add_overflow(sum, amount, &sum)) damaged("the sum of settlements");
    }
    for (size_t i = 0; i < campaigns_.size(); ++i)
      if (spent[i] != campaigns_[i].spent || refused[i] != campaigns_[i].refused)
        fail(Status::bad_file, "%s: campaign %zu has spent %jd, its settlements are %jd", db_.path().c_str(), i,
             campaigns_[i].spent, spent[i]);
  }

 private:
  static void require_micros(Micros amount, const char* what) {
    PUNA_REQUIRE(amount >= 0 && amount <= kMostMicros, "%s is %jd, expected 0 to %jd", what, amount, kMostMicros);
  }
  static DurablePurse& purse(std::vector<DurablePurse>& purses, int32_t id, const char* what) {
    PUNA_REQUIRE(id >= 0 && size_t(id) < purses.size(), "there is no %s %d; there are %zu", what, int(id),
                 purses.size());
    return purses[size_t(id)];
  }
  // So that nothing can fail once the disk has a new purse.
  static void make_room(std::vector<DurablePurse>& purses) {
    if (purses.size() == purses.capacity()) purses.reserve(2 * purses.size() + 16);
  }
  [[noreturn]] void damaged(const char* what) const {
    fail(Status::bad_file, "%s: %s is damaged", db_.path().c_str(), what);
  }

  void execute(const Statement& s, std::initializer_list<int64_t> values) const {
    Use use(db_, s);
    for (const int64_t value : values) use.bind(value);
    use.run();
  }

  // Of one settlement, inside a transaction.
  Settled settle(const Settlement& s) {
    const auto found = open_.find(s.reservation);
    if (found == open_.end()) return Settled::unknown;
    const DurableOpen open = found->second;
    DurablePurse &campaign = campaigns_[size_t(open.campaign)], &account = accounts_[size_t(campaign.account)];
    keep(campaign);
    keep(account);
    keep_open(s.reservation);
    const bool room = !open.expired || (campaign.has_room(s.spent) && account.has_room(s.spent));
    const Kind kind = !open.expired ? kBooked : room ? kBookedLate : kRefusedLate;
    execute(drop_, {s.reservation});
    execute(settle_, {s.reservation, open.campaign, open.tag, s.spent, kind});
    for (DurablePurse* p : {&campaign, &account}) {
      if (!open.expired) p->reserved -= open.amount;
      (room ? p->spent : p->refused) += s.spent;
    }
    open_.erase(found);
    return kind == kBooked ? Settled::booked : room ? Settled::booked_late : Settled::refused_late;
  }

  // ---- what a failed call takes back ----

  // work() in a transaction; when it throws, memory is as before as well. A purse or a reservation is kept before it
  // is changed.
  template <class Work>
  void changing(Work&& work) {
    kept_.clear();
    kept_open_.clear();
    made_ = 0;
    try {
      db_.transaction(work);
      next_ += made_;
    } catch (...) {
      for (const auto& [purse, before] : kept_) *purse = before;
      for (auto& [id, before] : kept_open_) {
        if (before.amount >= 0)
          open_.insert_or_assign(id, before);
        else
          open_.erase(id);
      }
      throw;
    }
  }
  void keep(DurablePurse& purse) { kept_.emplace(&purse, purse); }
  void keep_open(ReservationId id) {
    const auto found = open_.find(id);
    DurableOpen none;
    none.amount = -1;
    kept_open_.emplace(id, found == open_.end() ? none : found->second);
  }
  void write_sums() {
    for (const auto& [purse, before] : kept_) {
      if (purse->account < 0) continue;  // an account: its sums are those of its campaigns
      execute(sums_, {int64_t(purse - campaigns_.data()), purse->spent, purse->refused});
    }
  }

  // ---- opening ----

  // A schema is a program (label_schema.h), so it is ours to the letter, or nothing of it is used.
  void require_tables() const {
    const auto there = db_.schema();
    const size_t count = std::size(kLedgerTables);
    for (size_t i = 0; i < std::max(there.size(), count); ++i)
      if (i >= there.size() || i >= count || there[i].second != kLedgerTables[i])
        fail(Status::bad_file, "%s: its schema has '%.100s' where an advertising ledger of ours has '%.60s'",
             db_.path().c_str(), i < there.size() ? there[i].first.c_str() : "nothing",
             i < count ? kLedgerTables[i] : "nothing");
  }
  void load() {
    each("SELECT id, cap FROM accounts ORDER BY id", 2, [&](const int64_t* v) {
      if (v[0] != int64_t(accounts_.size()) || !is_amount(v[1])) damaged("an account");
      accounts_.push_back({.limit = v[1]});
    });
    each("SELECT id, account, budget, spent, refused FROM campaigns ORDER BY id", 5, [&](const int64_t* v) {
      if (v[0] != int64_t(campaigns_.size()) || v[1] < 0 || v[1] >= int64_t(accounts_.size()) || !is_amount(v[2]) ||
          v[3] < 0 || v[3] > v[2] || v[4] < 0)
        damaged("a campaign");
      DurablePurse& account = accounts_[size_t(v[1])];
      campaigns_.push_back({.limit = v[2], .spent = v[3], .refused = v[4], .account = AccountId(v[1])});
      if (!account.has_room(v[3]) || __builtin_add_overflow(account.refused, v[4], &account.refused))
        damaged("an account's sum");
      account.spent += v[3];
    });
    each("SELECT id, campaign, amount, tag, expired FROM reservations", 5, [&](const int64_t* v) {
      if (v[0] <= 0 || v[1] < 0 || v[1] >= int64_t(campaigns_.size()) || !is_amount(v[2]) || v[4] < 0 || v[4] > 1)
        damaged("a reservation");
      DurablePurse &campaign = campaigns_[size_t(v[1])], &account = accounts_[size_t(campaign.account)];
      open_[v[0]] = {.campaign = CampaignId(v[1]), .amount = v[2], .tag = v[3], .expired = v[4] == 1};
      next_ = std::max(next_, v[0]);
      if (v[4] == 1) return;
      if (!campaign.has_room(v[2]) || !account.has_room(v[2])) damaged("the sum of reservations");
      campaign.reserved += v[2];
      account.reserved += v[2];
    });
    next_ = std::max(next_, db_.number("SELECT coalesce(max(id), 0) FROM settlements"));
    if (next_ >= INT64_MAX / 2) damaged("a reservation's number");
    ++next_;
  }
  template <class Row>
  void each(const char* sql, int columns, Row&& row) const {
    const Statement s = db_.prepare(sql);
    const Use use(db_, s);
    int64_t values[5];
    while (use.step()) {
      for (int i = 0; i < columns; ++i) values[i] = use.integer(i);
      row(values);
    }
  }
  static bool is_amount(int64_t v) noexcept { return v >= 0 && v <= kMostMicros; }

  sqlite::Database db_;
  Statement add_account_, add_campaign_, reserve_, drop_, expire_, settle_, sums_;
  std::mutex mutex_;
  std::vector<DurablePurse> accounts_, campaigns_;
  std::unordered_map<ReservationId, DurableOpen> open_;
  int64_t next_ = 0, made_ = 0;
  LedgerTime time_;
  std::unordered_map<DurablePurse*, DurablePurse> kept_;
  std::unordered_map<ReservationId, DurableOpen> kept_open_;
};

}  // namespace

std::unique_ptr<DurableLedger> open_ledger(const std::string& path) { return std::make_unique<SqliteLedger>(path); }

}  // namespace puna::ads
