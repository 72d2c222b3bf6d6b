#include "optional/sqlite/database.h"

#include <chrono>
#include <thread>

#include "base/os.h"
#include "puna/base/error.h"

namespace puna::sqlite {
namespace {

// What a rollback journal that names a super-journal ends with: www.sqlite.org/fileformat2.html, 3.
constexpr std::string_view kJournalMagic("\xD9\xD5\x05\xF9\x20\xA1\x63\xD7", 8);

constexpr int kWaitsAMs = 4;

}  // namespace

// SQLite's own waits grow to a tenth of a second, in which others write and one starves.
int Database::wait_for_others(void* database, int waits) noexcept {
  auto* const self = static_cast<Database*>(database);
  if (waits >= self->most_waits_) return 0;
  self->had_to_wait_ = true;
  std::this_thread::sleep_for(std::chrono::microseconds(1000 / kWaitsAMs));
  return 1;
}

void Database::begin() {
  if (had_to_wait_) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  had_to_wait_ = false;
  run("BEGIN IMMEDIATE");
  // What is written to a file that has no name any more would be lost in silence.
  int moved = 0;
  if (sqlite3_file_control(db_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK || moved == 0) return;
  sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  fail(Status::io, "%s was removed or moved while it was open: nothing was written", path_.c_str());
}

Database::Database(const std::string& path, int application, const char* what, int64_t longest_value, int wait_ms,
                   Others others)
    : path_(path), what_(what), application_(application), most_waits_(wait_ms * kWaitsAMs) {
  sqlite3* db = nullptr;
  const int opened =
      sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  db_.reset(db);
  require(opened);
  require_plain_journal();
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_handler(db, wait_for_others, this);
  sqlite3_limit(db, SQLITE_LIMIT_LENGTH, int(longest_value));
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
  run("PRAGMA cell_size_check = ON");  // of every page that is read
  if (others == Others::nothing) run("PRAGMA locking_mode = EXCLUSIVE");
  const int64_t id = number("PRAGMA application_id"), tables = number("SELECT count(*) FROM sqlite_schema");
  if (id != application && (id != 0 || tables != 0))
    fail(Status::bad_file, "%s is a database, but no %s of ours", path.c_str(), what);
  is_new_ = id == 0;
  // Two that open a new database at once: one of them is told that it is locked, without being asked to wait. A lock
  // that lets others do nothing is kept, so there is nothing to wait for.
  for (int waits = 0;; ++waits) {
    const int result = sqlite3_exec(db, "PRAGMA journal_mode = WAL", nullptr, nullptr, nullptr);
    if ((result & 0xFF) == SQLITE_BUSY && others != Others::nothing && wait_for_others(this, waits)) continue;
    require(result);
    break;
  }
  run("PRAGMA synchronous = FULL");  // a commit is on the disk when it returns
}

void Database::require(int result) const {
  if (result == SQLITE_OK || result == SQLITE_DONE || result == SQLITE_ROW) return;
  const int kind = result & 0xFF;
  // Statements and values are right, so what SQLite finds wrong with them is the file's.
  const bool of_file = kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB || kind == SQLITE_ERROR ||
                       kind == SQLITE_TOOBIG || kind == SQLITE_CONSTRAINT || kind == SQLITE_MISMATCH;
  const Status status = kind == SQLITE_NOMEM ? Status::out_of_memory : of_file ? Status::bad_file : Status::io;
  fail(status, "%s: %s", path_.c_str(), db_ ? sqlite3_errmsg(db_.get()) : sqlite3_errstr(result));
}

// A rollback journal beside the database may name a "super-journal" of a transaction over several databases, and
// SQLite deletes that file, whatever it is, once it has rolled back. Our transactions are of one database; so this is
// asked before SQLite reads anything.
void Database::require_plain_journal() const {
  const char* const file = sqlite3_db_filename(db_.get(), "main");
  const std::string journal = std::string(file ? file : "") + "-journal";
  if (!os::is_file(journal) || os::file_stamp(journal).bytes < kJournalMagic.size()) return;
  const os::MappedFile mapped(journal);
  const std::string_view bytes(reinterpret_cast<const char*>(mapped.data()), size_t(mapped.size()));
  if (bytes.ends_with(kJournalMagic))
    fail(Status::bad_file, "%s names a journal of several databases, which no %s of ours has", journal.c_str(), what_);
}

Statement Database::prepare(const char* sql) const {
  sqlite3_stmt* s = nullptr;
  require(sqlite3_prepare_v2(db_.get(), sql, -1, &s, nullptr));
  return Statement(s);
}

bool Database::step(sqlite3_stmt* s) const {
  const int result = sqlite3_step(s);
  require(result);
  return result == SQLITE_ROW;
}

int64_t Database::number(const char* sql) const {
  const Statement s = prepare(sql);
  return step(s.get()) ? sqlite3_column_int64(s.get(), 0) : 0;
}

void Database::mark_ours() const { run(("PRAGMA application_id = " + std::to_string(application_)).c_str()); }

std::vector<std::pair<std::string, std::string>> Database::schema() const {
  std::vector<std::pair<std::string, std::string>> all;
  const Statement s = prepare("SELECT type || ' ' || name, sql FROM sqlite_schema ORDER BY 1");
  const Use use(*this, s);
  while (use.step()) all.emplace_back(use.text(0), use.text(1));
  return all;
}

Use& Use::bind(int64_t value) {
  db_.require(sqlite3_bind_int64(s_, ++at_, value));
  return *this;
}
Use& Use::bind(const std::optional<double>& value) {
  ++at_;
  db_.require(value ? sqlite3_bind_double(s_, at_, *value) : sqlite3_bind_null(s_, at_));
  return *this;
}
Use& Use::bind(std::string_view text) {
  const char* const at = text.data() ? text.data() : "";
  db_.require(sqlite3_bind_text64(s_, ++at_, at, text.size(), SQLITE_STATIC, SQLITE_UTF8));
  return *this;
}
Use& Use::bind_or_null(std::string_view text) {
  if (!text.empty()) return bind(text);
  db_.require(sqlite3_bind_null(s_, ++at_));
  return *this;
}
std::string_view Use::text(int column) const {
  const auto* const at = reinterpret_cast<const char*>(sqlite3_column_text(s_, column));
  return at ? std::string_view(at, size_t(sqlite3_column_bytes(s_, column))) : std::string_view();
}

}  // namespace puna::sqlite
