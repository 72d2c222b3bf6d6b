// The event log: what is acknowledged is there, whole and in order, after closing, killing and failing; what is damaged
// is named.
#include <sqlite3.h>

#include <filesystem>
#include <thread>

#include "online/events.h"
#include "support/catch.h"
#include "support/files.h"
#include "support/killed.h"
#include "support/status.h"

using namespace puna;
using namespace puna::recsys;
using namespace puna::test;

namespace {

std::vector<LoggedEvent> all_of(EventLog& log, int64_t after = 0) {
  std::vector<LoggedEvent> events;
  log.read(events, after, INT64_MAX);
  return events;
}

void execute(const std::string& path, const char* sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
  CHECK(sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(db);
}

}  // namespace

TEST_CASE("events come back as they were appended, from any place on, also after closing", "[online]") {
  const TempFolder folder;
  {
    const auto log = open_event_log(folder / "events");
    CHECK(log->last() == 0);
    CHECK(all_of(*log).empty());
    CHECK(log->append(events_of(1, 10)) == 10);
    CHECK(log->append({}) == 10);
    CHECK(log->append(events_of(11, 11)) == 11);
    CHECK(all_of(*log) == events_of(1, 11));
  }
  const auto log = open_event_log(folder / "events");
  CHECK(log->last() == 11);
  CHECK(log->append(events_of(12, 13)) == 13);
  CHECK(all_of(*log, 5) == events_of(6, 13));
  std::vector<LoggedEvent> some;
  CHECK(log->read(some, 2, 3) == 3);
  CHECK(log->read(some, 13, 3) == 0);
  CHECK(some == events_of(3, 5));
  CHECK(status_of([&] { log->read(some, -1, 3); }) == Status::invalid_argument);
}

TEST_CASE("an append that fails leaves nothing behind", "[online]") {
  const TempFolder folder;
  const auto log = open_event_log(folder / "events");
  std::vector<LoggedEvent> events = events_of(1, 3);
  events[2].numbers.resize(1 << 19);  // 2 MB
  CHECK(status_of([&] { log->append(events); }) == Status::invalid_argument);
  CHECK(log->last() == 0);
  CHECK(log->append(events_of(1, 2)) == 2);
}

TEST_CASE("a log of before there were keys takes them", "[online]") {
  const TempFolder folder;
  open_event_log(folder / "events")->append(events_of(1, 2));
  execute(folder / "events", "DROP TABLE keys");
  const auto log = open_event_log(folder / "events");
  std::vector<LoggedEvent> events = events_of(3, 4);
  events[0].key = "a";
  int64_t repeated = 0;
  CHECK(log->append(events, &repeated) == 4);
  CHECK(log->append(std::span(events).first(1), &repeated) == 4);
  CHECK(repeated == 1);
  CHECK(all_of(*log) == events_of(1, 4));
}

TEST_CASE("threads append one behind the other", "[online]") {
  const TempFolder folder;
  const auto log = open_event_log(folder / "events");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 10; ++i) log->append(events_of(1, 3));
    });
  for (std::thread& t : threads) t.join();
  const auto events = all_of(*log);
  REQUIRE(events.size() == 120);
  for (size_t i = 0; i < events.size(); ++i) CHECK(events[i] == event_of(int64_t(i % 3) + 1));
}

TEST_CASE("what is no log, or a damaged one, is refused by name", "[online]") {
  const TempFolder folder;
  write_file(folder / "text", std::string(5000, 'x'));
  CHECK(status_of([&] { open_event_log(folder / "text"); }) == Status::bad_file);
  execute(folder / "other", "CREATE TABLE events (a)");
  CHECK(status_of([&] { open_event_log(folder / "other"); }) == Status::bad_file);
  CHECK(status_of([&] { open_event_log(folder / "no/such/folder"); }) == Status::io);
  const auto after = [&](const char* sql) {
    const std::string path = folder / "events" + std::to_string(folder.file_count());
    open_event_log(path)->append(events_of(1, 9));
    execute(path, sql);
    return status_of([&] { all_of(*open_event_log(path)); });
  };
  CHECK(after("SELECT 1") == Status::ok);
  CHECK(after("DELETE FROM events WHERE number = 4") == Status::bad_file);
  CHECK(after("UPDATE events SET ids = x'00' WHERE number = 2") == Status::bad_file);
  CHECK(after("UPDATE events SET ids = x'' WHERE number = 2") == Status::bad_file);
  CHECK(after("UPDATE events SET ids = x'FFFFFFFFFFFFFFFF' WHERE number = 2") == Status::bad_file);
  CHECK(after("UPDATE events SET ids = x'0100000000000000FFFFFFFFFFFFFF7F' WHERE number = 2") ==
        Status::bad_file);  // more ids than there are
  CHECK(after("UPDATE events SET ids = x'0100000000000000FFFFFFFFFFFFFFFF' WHERE number = 2") == Status::bad_file);
  CHECK(after("UPDATE events SET ids = x'010000000000000000000000000000000000000000000000' WHERE number = 2") ==
        Status::bad_file);  // and fewer
  CHECK(after("UPDATE events SET numbers = x'0000' WHERE number = 9") == Status::bad_file);
  CHECK(after("UPDATE events SET surface = -1099511627776 WHERE number = 3") ==
        Status::bad_file);  // cut to 32 bits it would be 0
  CHECK(after("UPDATE events SET surface = 4294967296 WHERE number = 3") == Status::bad_file);
  CHECK(after("UPDATE events SET known = 1099511627776 WHERE number = 3") == Status::bad_file);
  CHECK(after("UPDATE events SET known = -1 WHERE number = 3") == Status::bad_file);
  CHECK(after("DROP TABLE events") == Status::bad_file);
}

// What a schema says is computed by whoever uses the file: one trigger let no append end, another took acknowledged
// events away again.
TEST_CASE("a log whose schema is not ours to the letter is refused before any of it is computed", "[online]") {
  const TempFolder folder;
  constexpr const char* kEndless = "WITH RECURSIVE x(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM x) SELECT i";
  const std::string view =
      std::string("DROP TABLE events; CREATE VIEW events AS ") + kEndless +
      " AS number, i AS time, 0 AS surface, 1 AS known, 1.0 AS weight, x'' AS ids, x'' AS numbers, "
      "x'' AS outcomes FROM x";
  const std::string statements[] = {
      view,
      std::string("CREATE TRIGGER t AFTER INSERT ON events BEGIN INSERT INTO keys ") + kEndless + ", i FROM x; END",
      "CREATE TRIGGER t AFTER INSERT ON events BEGIN DELETE FROM events; END",  // acknowledged, and gone
      "CREATE INDEX i ON events (instr(hex(zeroblob(2000000)), hex(zeroblob(999999)) || '1'))",
      "ALTER TABLE events ADD COLUMN more INTEGER AS (instr(hex(zeroblob(2000000)), hex(zeroblob(999999)) || '1'))",
      "PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = replace(sql, 'outcomes BLOB NOT NULL', 'outcomes "
      "BLOB NOT NULL CHECK (0)')",
      "CREATE TABLE more (a)",
  };
  for (const std::string& sql : statements) {
    CAPTURE(sql);
    const std::string path = folder / "events" + std::to_string(folder.file_count());
    open_event_log(path);
    execute(path, sql.c_str());
    CHECK(status_of([&] { open_event_log(path)->append(events_of(1, 2)); }) == Status::bad_file);
  }
}

// SQLite deletes the file that a hot journal names as its super-journal, whatever file it is.
TEST_CASE("a rollback journal beside a log that names another file is refused, and the file stays", "[online]") {
  const TempFolder folder;
  const std::string log = folder / "events", named = folder / "somebody's file";
  open_event_log(log)->append(events_of(1, 3));
  execute(log, "PRAGMA journal_mode = DELETE");  // SQLite looks for rollback journals
  write_file(named, "precious");
  const auto number = [](uint64_t n) {
    return std::string{char(n >> 24 & 0xFF), char(n >> 16 & 0xFF), char(n >> 8 & 0xFF), char(n & 0xFF)};
  };
  const std::string magic("\xD9\xD5\x05\xF9\x20\xA1\x63\xD7", 8);
  const uint64_t pages = std::filesystem::file_size(log) / 4096;
  // The magic, no pages, no nonce, the database's pages, 512-byte sectors, 4096-byte pages; and at the end the lock's
  // page number, the name, its length and sum, the magic.
  std::string journal = magic + number(0) + number(0) + number(pages) + number(512) + number(4096);
  journal.resize(512);
  uint64_t sum = 0;
  for (const char c : named) sum += uint64_t(c);
  const std::string plain = journal;
  journal += number(0x40000000 / 4096 + 1) + named + number(named.size()) + number(sum) + magic;
  write_file(log + "-journal", journal);
  CHECK(status_of([&] { open_event_log(log); }) == Status::bad_file);
  CHECK(std::filesystem::exists(named));
  std::filesystem::remove(log + "-journal");
  CHECK(all_of(*open_event_log(log)) == events_of(1, 3));
  execute(log, "PRAGMA journal_mode = DELETE");
  write_file(log + "-journal", plain);  // one of a single database is rolled back
  CHECK(all_of(*open_event_log(log)) == events_of(1, 3));
}

TEST_CASE("a process killed while it writes loses no acknowledged event", "[online]") {
  for (int round = 0; round < 4; ++round) {
    const TempFolder folder;
    const int64_t last = killed_after(60 + 45 * round, [&](auto acknowledge) {
      const auto log = open_event_log(folder / "events");
      for (int64_t n = 1;; n += 3) acknowledge(log->append(events_of(n, n + 2)));
    });
    const auto log = open_event_log(folder / "events");
    const int64_t there = log->last();
    CHECK(there >= last);
    CHECK(there % 3 == 0);  // all of an append or none
    CHECK(all_of(*log) == events_of(1, there));
    CHECK(log->append(events_of(there + 1, there + 1)) == there + 1);
  }
}
