// event_log.cpp -- the event log as a table of an SQLite database: a row an event, its number the row's, lists as blobs
// of little-endian values. The keys of events that have one are a table of their own.
#include <bit>
#include <cstring>
#include <mutex>
#include <span>

#include "optional/sqlite/database.h"
#include "puna/base/error.h"
#include "puna/recsys/event_log.h"

namespace puna::recsys {
namespace {

using sqlite::Statement;

static_assert(std::endian::native == std::endian::little, "blobs are read in place");

constexpr int kApplication = 0x50556E61;  // "PUna": PRAGMA application_id of our files
constexpr int64_t kMostFeatures = 4096, kMostBlob = 1 << 20;
// As SQLite keeps them in the schema.
constexpr char kEvents[] =
    "CREATE TABLE events (number INTEGER PRIMARY KEY, time INTEGER NOT NULL, surface INTEGER NOT NULL, known INTEGER "
    "NOT NULL, weight REAL NOT NULL, "
    "ids BLOB NOT NULL, numbers BLOB NOT NULL, outcomes BLOB NOT NULL) STRICT";
constexpr char kKeys[] = "CREATE TABLE keys (key BLOB PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID";

template <class T>
std::span<const T> span_of(const std::vector<T>& v) noexcept {
  return v;
}

class SqliteLog final : public EventLog {
 public:
  explicit SqliteLog(const std::string& path) : path_(path), db_(path, kApplication, "event log", 4 * kMostBlob, 5000) {
    const bool has_keys = !db_.is_new() && schema_has_keys();
    if (!has_keys) {  // a new log, or one of before there were keys
      db_.transaction([&] {
        if (db_.is_new() && db_.number("PRAGMA application_id") == 0) {  // unless another process was faster
          db_.run(kEvents);
          db_.mark_ours();
        }
        if (!schema_has_keys()) db_.run(kKeys);
      });
    }
    key_ = db_.prepare("INSERT OR IGNORE INTO keys VALUES (?1, ?2)");
    insert_ = db_.prepare("INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
    select_ = db_.prepare(
        "SELECT number, time, surface, known, weight, ids, numbers, outcomes FROM events WHERE number > ?1 ORDER BY "
        "number LIMIT ?2");
    last_ = db_.prepare("SELECT coalesce(max(number), 0) FROM events");
  }

  int64_t append(std::span<const LoggedEvent> events, int64_t* repeated) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    int64_t number = last_number(), left_out = 0;
    if (repeated) *repeated = 0;
    if (events.empty()) return number;
    db_.transaction([&] {
      number = last_number();
      for (size_t i = 0; i < events.size(); ++i) {
        PUNA_REQUIRE(events[i].key.size() <= kLongestEventKey,
                     "event %zu: the key (its id) has %zu bytes, expected 1 to %zu", i, events[i].key.size(),
                     kLongestEventKey);
        if (is_new(events[i].key, number + 1))
          add(++number, events[i]);
        else
          ++left_out;
      }
    });
    if (repeated) *repeated = left_out;
    return number;
  }

  int64_t read(std::vector<LoggedEvent>& to, int64_t after, int64_t most) override {
    PUNA_REQUIRE(after >= 0 && most >= 0, "after is %jd and most %jd, expected 0 or more", after, most);
    const std::lock_guard<std::mutex> lock(mutex_);
    sqlite3_stmt* const s = select_.get();
    const Reset reset{s};
    db_.require(sqlite3_bind_int64(s, 1, after));
    db_.require(sqlite3_bind_int64(s, 2, most));
    int64_t got = 0;
    while (db_.step(s)) {
      const int64_t number = sqlite3_column_int64(s, 0);
      if (number != after + got + 1) fail(Status::bad_file, "%s: event %jd is missing", path_.c_str(), after + got + 1);
      to.push_back(event(s, number));
      ++got;
    }
    return got;
  }

  int64_t last() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return last_number();
  }

 private:
  struct Reset {
    sqlite3_stmt* statement;
    ~Reset() {
      sqlite3_reset(statement);
      sqlite3_clear_bindings(statement);
    }
  };

  // Whether there is a table of keys. A schema is a program: views, triggers, checks, generated columns and indexes of
  // expressions are computed whenever a row is read or written, as long as their author likes. So it is ours to the
  // letter, or nothing of it is used.
  bool schema_has_keys() const {
    bool events = false, keys = false;
    for (const auto& [name, sql] : db_.schema()) {
      events |= sql == kEvents;
      keys |= sql == kKeys;
      if (sql != kEvents && sql != kKeys)
        fail(Status::bad_file, "%s: its schema has '%.100s', which is not an event log's of ours", path_.c_str(),
             name.c_str());
    }
    if (!events) fail(Status::bad_file, "%s: its table of events is missing", path_.c_str());
    return keys;
  }

  int64_t last_number() const {
    const Reset reset{last_.get()};
    return db_.step(last_.get()) ? sqlite3_column_int64(last_.get(), 0) : 0;
  }

  template <class T>
  void bind_blob(sqlite3_stmt* s, int at, std::span<const T> values, const char* what) const {
    PUNA_REQUIRE(int64_t(values.size_bytes()) <= kMostBlob, "an event has %zu %s, more than fit into %jd bytes",
                 values.size(), what, kMostBlob);
    db_.require(values.empty() ? sqlite3_bind_zeroblob(s, at, 0)
                               : sqlite3_bind_blob64(s, at, values.data(), values.size_bytes(), SQLITE_STATIC));
  }

  // Remembers the key; false when it is known.
  bool is_new(const std::string& key, int64_t number) const {
    if (key.empty()) return true;
    sqlite3_stmt* const s = key_.get();
    const Reset reset{s};
    db_.require(sqlite3_bind_blob64(s, 1, key.data(), key.size(), SQLITE_STATIC));
    db_.require(sqlite3_bind_int64(s, 2, number));
    db_.step(s);
    return sqlite3_changes(db_.handle()) == 1;
  }

  void add(int64_t number, const LoggedEvent& e) const {
    PUNA_REQUIRE(int64_t(e.ids.size()) <= kMostFeatures, "an event has %zu features, expected at most %jd",
                 e.ids.size(), kMostFeatures);
    std::vector<int64_t> ids{int64_t(e.ids.size())};  // features, how many ids of each, the ids
    for (const std::vector<int64_t>& feature : e.ids) ids.push_back(int64_t(feature.size()));
    for (const std::vector<int64_t>& feature : e.ids) ids.insert(ids.end(), feature.begin(), feature.end());
    sqlite3_stmt* const s = insert_.get();
    const Reset reset{s};
    db_.require(sqlite3_bind_int64(s, 1, number));
    db_.require(sqlite3_bind_int64(s, 2, e.time));
    db_.require(sqlite3_bind_int64(s, 3, e.surface));
    db_.require(sqlite3_bind_int64(s, 4, e.known));
    db_.require(sqlite3_bind_double(s, 5, double(e.weight)));
    bind_blob(s, 6, span_of(ids), "ids");
    bind_blob(s, 7, span_of(e.numbers), "numbers");
    bind_blob(s, 8, span_of(e.values), "outcomes");
    db_.step(s);
  }

  template <class T>
  std::vector<T> blob(sqlite3_stmt* s, int column, int64_t number) const {
    const void* const data = sqlite3_column_blob(s, column);
    const size_t bytes = size_t(sqlite3_column_bytes(s, column));
    if (bytes % sizeof(T) != 0 || (bytes != 0 && !data)) damaged(number);
    std::vector<T> values(bytes / sizeof(T));
    if (bytes != 0) memcpy(values.data(), data, bytes);
    return values;
  }
  [[noreturn]] void damaged(int64_t number) const {
    fail(Status::bad_file, "%s: event %jd is damaged", path_.c_str(), number);
  }

  LoggedEvent event(sqlite3_stmt* s, int64_t number) const {
    LoggedEvent e;
    e.time = sqlite3_column_int64(s, 1);
    const int64_t surface = sqlite3_column_int64(s, 2), known = sqlite3_column_int64(s, 3);
    if (surface < 0 || surface > INT32_MAX || known < 0 || known > int64_t(UINT32_MAX)) damaged(number);
    e.surface = int32_t(surface);
    e.known = uint32_t(known);
    e.weight = float(sqlite3_column_double(s, 4));
    const std::vector<int64_t> ids = blob<int64_t>(s, 5, number);
    if (ids.empty() || ids[0] < 0 || ids[0] > kMostFeatures || size_t(ids[0]) >= ids.size()) damaged(number);
    size_t at = 1 + size_t(ids[0]);
    for (size_t f = 1; f <= size_t(ids[0]); ++f) {
      if (ids[f] < 0 || uint64_t(ids[f]) > ids.size() - at) damaged(number);
      e.ids.emplace_back(ids.begin() + int64_t(at), ids.begin() + int64_t(at) + ids[f]);
      at += size_t(ids[f]);
    }
    if (at != ids.size()) damaged(number);
    e.numbers = blob<float>(s, 6, number);
    e.values = blob<float>(s, 7, number);
    return e;
  }

  std::string path_;
  sqlite::Database db_;
  Statement insert_, select_, last_, key_;
  std::mutex mutex_;
};

}  // namespace

std::unique_ptr<EventLog> open_event_log(const std::string& path) { return std::make_unique<SqliteLog>(path); }

}  // namespace puna::recsys
