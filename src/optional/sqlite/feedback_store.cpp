// feedback_store.cpp -- impressions and what came of them as two tables; a third has the secret of the hashes.
#include "puna/ads/feedback_store.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <mutex>

#include "base/format.h"
#include "base/sha256.h"
#include "base/shown.h"
#include "base/utf8.h"
#include "optional/sqlite/database.h"
#include "puna/base/error.h"

namespace puna::ads {
namespace {

using sqlite::Statement;
using sqlite::Use;

constexpr int kFeedbackApplication = 0x50754166;  // "PuAf": PRAGMA application_id of our files
constexpr size_t kLongestName = 256, kSecret = 32, kHash = 16;
// As SQLite keeps them in the schema, in the order of their names.
constexpr const char* kFeedbackTables[] = {
    "CREATE TABLE impressions (key BLOB PRIMARY KEY, person BLOB NOT NULL, segment TEXT NOT NULL, placement TEXT NOT "
    "NULL, variant TEXT NOT NULL, propensity REAL NOT NULL, time INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE results (key BLOB PRIMARY KEY, impression BLOB NOT NULL, kind INTEGER NOT NULL, time INTEGER NOT "
    "NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE secrets (secret BLOB PRIMARY KEY) STRICT, WITHOUT ROWID",
};

using Digest = std::string;  // kHash bytes

// An event's message behind its number, in memory of its own: errors allocate nothing.
struct Numbered {
  char text[Error::kCapacity];
  Numbered(size_t event, const char* why) noexcept { snprintf(text, sizeof text, "event %zu: %s", event, why); }
  static int begin(size_t event) noexcept { return snprintf(nullptr, 0, "event %zu: ", event); }
};

class SqliteFeedback final : public FeedbackStore {
 public:
  explicit SqliteFeedback(const std::string& path) : db_(path, kFeedbackApplication, "feedback store", 1 << 16, 5000) {
    if (db_.is_new())
      db_.transaction([&] {
        if (db_.number("PRAGMA application_id") != 0) return;  // another process was faster
        for (const char* table : kFeedbackTables) db_.run(table);
        db_.run("INSERT INTO secrets VALUES (randomblob(32))");
        db_.mark_ours();
      });
    require_tables();
    secret_ = read_secret();
    add_impression_ = db_.prepare("INSERT OR IGNORE INTO impressions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
    add_result_ = db_.prepare("INSERT OR IGNORE INTO results VALUES (?1, ?2, ?3, ?4)");
    same_impression_ = db_.prepare(
        "SELECT 1 FROM impressions WHERE key = ?1 AND person = ?2 AND segment = ?3 AND placement = ?4 AND variant = ?5 "
        "AND propensity = ?6 AND time = ?7");
    same_result_ = db_.prepare("SELECT 1 FROM results WHERE key = ?1 AND impression = ?2 AND kind = ?3 AND time = ?4");
    // The furthest within the window, of each.
    select_ = db_.prepare(
        "SELECT i.segment, i.placement, i.variant, i.person, i.propensity, i.time, coalesce(max(r.kind), 0) FROM "
        "impressions i LEFT JOIN results r ON r.impression = i.key AND r.time >= i.time AND r.time - i.time <= ?1 "
        "WHERE i.time <= ?2 GROUP BY i.key ORDER BY i.time, i.key");
    drop_results_ =
        db_.prepare("DELETE FROM results WHERE impression IN (SELECT key FROM impressions WHERE person = ?1)");
    drop_impressions_ = db_.prepare("DELETE FROM impressions WHERE person = ?1");
  }

  FeedbackCounts add(std::span<const FeedbackEvent> events) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (size_t i = 0; i < events.size(); ++i) check(events[i], i);
    FeedbackCounts counts;
    db_.transaction([&] {
      counts = {};
      for (size_t i = 0; i < events.size(); ++i) {
        const FeedbackEvent& e = events[i];
        const bool is_shown = e.kind == Reached::shown;
        if (ask(is_shown ? add_impression_ : add_result_, e, false)) {
          ++counts.added;
          continue;
        }
        ++counts.repeated;
        if (!ask(is_shown ? same_impression_ : same_result_, e, true))
          throw FeedbackError(
              i, format("its key '%s' is that of another event, which differs from it", shown(e.key).c_str()).c_str());
      }
    });
    return counts;
  }

  std::vector<StoredImpression> impressions(int64_t window, int64_t now) override {
    PUNA_REQUIRE(window >= 0, "the window is %jd, expected 0 or more", window);
    const std::lock_guard<std::mutex> lock(mutex_);
    std::vector<StoredImpression> all;
    const int64_t until = now < INT64_MIN + window ? INT64_MIN : now - window;
    Use use(db_, select_);
    use.bind(window).bind(until);
    while (use.step()) {
      const double propensity = use.real(4);
      const int64_t reached = use.integer(6);
      if (!(propensity > 0 && propensity <= 1) || reached < 0 || reached > int64_t(Reached::sale) ||
          sqlite3_column_bytes(select_.get(), 3) != int(kHash) || !is_name(use.text(0)) || !is_name(use.text(1)) ||
          !is_name(use.text(2)))
        fail(Status::bad_file, "%s: an impression is damaged", db_.path().c_str());
      StoredImpression i{.segment = std::string(use.text(0)),
                         .placement = std::string(use.text(1)),
                         .variant = std::string(use.text(2)),
                         .propensity = propensity,
                         .time = use.integer(5),
                         .reached = Reached(reached)};
      memcpy(&i.person, sqlite3_column_blob(select_.get(), 3), sizeof i.person);
      all.push_back(std::move(i));
    }
    return all;
  }

  int64_t forget(std::string_view person) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    require_key(person, "the person");
    const Digest who = digest('p', person);
    int64_t rows = 0;
    db_.transaction([&] {
      rows = 0;
      for (const Statement* s : {&drop_results_, &drop_impressions_}) {
        Use use(db_, *s);
        blob(*s, 1, who);
        use.run();
        rows += sqlite3_changes(db_.handle());
      }
    });
    write_anew();
    return rows;
  }

  int64_t count() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return db_.number("SELECT (SELECT count(*) FROM impressions) + (SELECT count(*) FROM results)");
  }

 private:
  // Nothing less leaves no byte of what was deleted. SQLite's secure_delete overwrites a row where it is, not the
  // copies that were left behind in pages' free space when pages were split; and the write-ahead log has the pages as
  // they were.
  void write_anew() {
    const int vacuumed = sqlite3_exec(db_.handle(), "VACUUM", nullptr, nullptr, nullptr);
    if (vacuumed != SQLITE_BUSY) {
      db_.require(vacuumed);
      const Statement s = db_.prepare("PRAGMA wal_checkpoint(TRUNCATE)");
      const Use use(db_, s);
      if (use.step() && use.integer(0) == 0) return;
    }
    fail(Status::io,
         "%s: the rows are deleted, but another program is using the store, so that their bytes stay in it or in "
         "%s-wal for now: ask again",
         db_.path().c_str(), db_.path().c_str());
  }

  static bool is_name(std::string_view text) noexcept {
    return !text.empty() && text.size() <= kLongestName && is_utf8(text);
  }
  static void require_key(std::string_view key, const char* what) {
    PUNA_REQUIRE(!key.empty() && key.size() <= kLongestName, "%s has %zu bytes, expected 1 to %zu", what, key.size(),
                 kLongestName);
  }
  static void check(const FeedbackEvent& e, size_t i) {
    const auto require = [&](bool is_right, const char* what) {
      if (!is_right) throw FeedbackError(i, what);
    };
    require(e.kind <= Reached::sale, "its kind is none of shown, click, lead and sale");
    require(!e.key.empty() && e.key.size() <= kLongestName, "its key has no, or more than 256 bytes");
    if (e.kind != Reached::shown)
      return require(!e.impression.empty() && e.impression.size() <= kLongestName,
                     "its impression has no, or more than 256 bytes");
    require(!e.person.empty() && e.person.size() <= kLongestName, "its person has no, or more than 256 bytes");
    require(is_name(e.segment), "its segment is no text of 1 to 256 bytes");
    require(is_name(e.placement), "its placement is no text of 1 to 256 bytes");
    require(is_name(e.variant), "its variant is no text of 1 to 256 bytes");
    require(e.propensity > 0 && e.propensity <= 1, "its propensity is no probability above 0");
  }

  // The statement with the event's values. True: it gave a row, or (not is_query) changed one.
  bool ask(const Statement& s, const FeedbackEvent& e, bool is_query) const {
    const bool is_shown = e.kind == Reached::shown;
    const Digest key = digest(is_shown ? 'i' : 'r', e.key),
                 other = digest(is_shown ? 'p' : 'i', is_shown ? e.person : e.impression);
    Use use(db_, s);
    blob(s, 1, key);
    blob(s, 2, other);
    if (is_shown) {
      text(s, 3, e.segment);
      text(s, 4, e.placement);
      text(s, 5, e.variant);
      db_.require(sqlite3_bind_double(s.get(), 6, e.propensity));
      db_.require(sqlite3_bind_int64(s.get(), 7, e.time));
    } else {
      db_.require(sqlite3_bind_int64(s.get(), 3, int64_t(e.kind)));
      db_.require(sqlite3_bind_int64(s.get(), 4, e.time));
    }
    if (is_query) return use.step();
    use.run();
    return sqlite3_changes(db_.handle()) == 1;
  }

  // Of an impression, a result or a person: never the same for two kinds.
  Digest digest(char kind, std::string_view id) const {
    const Sha256 hash = sha256(secret_ + kind + std::string(id));
    return Digest(reinterpret_cast<const char*>(hash.data()), kHash);
  }
  void blob(const Statement& s, int at, const Digest& d) const {
    db_.require(sqlite3_bind_blob64(s.get(), at, d.data(), d.size(), SQLITE_TRANSIENT));
  }
  void text(const Statement& s, int at, const std::string& t) const {
    db_.require(sqlite3_bind_text64(s.get(), at, t.data(), t.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
  }

  // A schema is a program (label_schema.h), so it is ours to the letter, or nothing of it is used.
  void require_tables() const {
    const auto there = db_.schema();
    const size_t count = std::size(kFeedbackTables);
    for (size_t i = 0; i < std::max(there.size(), count); ++i)
      if (i >= there.size() || i >= count || there[i].second != kFeedbackTables[i])
        fail(Status::bad_file, "%s: its schema has '%.100s' where a feedback store of ours has '%.60s'",
             db_.path().c_str(), i < there.size() ? there[i].first.c_str() : "nothing",
             i < count ? kFeedbackTables[i] : "nothing");
  }
  std::string read_secret() const {
    const Statement s = db_.prepare("SELECT secret FROM secrets");
    const Use use(db_, s);
    const bool there = use.step();
    const auto* const at = there ? static_cast<const char*>(sqlite3_column_blob(s.get(), 0)) : nullptr;
    if (!at || sqlite3_column_bytes(s.get(), 0) != int(kSecret))
      fail(Status::bad_file, "%s: its secret is missing", db_.path().c_str());
    return std::string(at, kSecret);
  }

  sqlite::Database db_;
  std::mutex mutex_;
  std::string secret_;
  Statement add_impression_, add_result_, same_impression_, same_result_, select_, drop_results_, drop_impressions_;
};

}  // namespace

FeedbackError::FeedbackError(size_t event, const char* why) noexcept
    : Error(Status::invalid_argument, Numbered(event, why).text), event_(event), why_(Numbered::begin(event)) {}

std::unique_ptr<FeedbackStore> open_feedback(const std::string& path) { return std::make_unique<SqliteFeedback>(path); }

}  // namespace puna::ads
