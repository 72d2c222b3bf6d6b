#include "optional/sqlite/database.h"

#include <string_view>
#include <vector>

#include "base/os.h"
#include "puna/base/error.h"

namespace puna::sqlite {
namespace {

// What a rollback journal that names a super-journal ends with: www.sqlite.org/fileformat2.html, 3.
constexpr std::string_view kJournalMagic("\xD9\xD5\x05\xF9\x20\xA1\x63\xD7", 8);

}  // namespace

Database::Database(const std::string& path, const Format& format) : path_(path) {
  sqlite3* db = nullptr;
  const int opened =
      sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  db_.reset(db);
  require(opened);
  require_plain_journal(format);
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_timeout(db, 5000);
  sqlite3_limit(db, SQLITE_LIMIT_LENGTH, format.most_bytes);
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
  run("PRAGMA cell_size_check = ON");  // of every page that is read
  if (format.exclusive) run("PRAGMA locking_mode = EXCLUSIVE");
  const int64_t id = number("PRAGMA application_id"), tables = number("SELECT count(*) FROM sqlite_schema");
  if (id != format.application && (id != 0 || tables != 0))
    fail(Status::bad_file, "%s is a database, but no %s of ours", path.c_str(), format.name);
  run("PRAGMA journal_mode = WAL");
  run("PRAGMA synchronous = FULL");  // a commit is on the disk when it returns
  if (id != 0) require_tables(format);
  bool lacks = false;
  for (size_t t = 0; t < format.tables.size(); ++t) lacks |= schema_lacks(format, t);
  if (!lacks && id != 0) return;
  transaction([&] {  // a new database, or one of before it had all tables
    for (size_t t = 0; t < format.tables.size(); ++t)
      if (schema_lacks(format, t)) run(format.tables[t].create);
    run(("PRAGMA application_id = " + std::to_string(format.application)).c_str());
  });
}

// A rollback journal beside the database may name a "super-journal" of a transaction over several databases, and
// SQLite deletes that file, whatever it is, once it has rolled back. Our transactions are of one database; so this is
// asked before SQLite reads anything.
void Database::require_plain_journal(const Format& format) const {
  const char* const file = sqlite3_db_filename(db_.get(), "main");
  const std::string journal = std::string(file ? file : "") + "-journal";
  if (!os::is_file(journal) || os::file_stamp(journal).bytes < kJournalMagic.size()) return;
  const os::MappedFile mapped(journal);
  const std::string_view bytes(reinterpret_cast<const char*>(mapped.data()), size_t(mapped.size()));
  if (bytes.ends_with(kJournalMagic))
    fail(Status::bad_file, "%s names a journal of several databases, which no %s of ours has", journal.c_str(),
         format.name);
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

void Database::run(const char* sql) const { require(sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr)); }

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

void Database::execute(sqlite3_stmt* s, std::initializer_list<int64_t> values) const {
  const Reset reset{s};
  int at = 0;
  for (const int64_t value : values) require(sqlite3_bind_int64(s, ++at, value));
  step(s);
}

int64_t Database::number(const char* sql) const {
  const Statement s = prepare(sql);
  return step(s.get()) ? sqlite3_column_int64(s.get(), 0) : 0;
}

// A schema is a program: views, triggers, checks, generated columns and indexes of expressions are computed whenever a
// row is read or written, as long as their author likes. So it is ours to the letter, or nothing of it is used.
void Database::require_tables(const Format& format) const {
  const Statement s = prepare("SELECT type || ' ' || name, sql FROM sqlite_schema");
  std::vector<bool> there(format.tables.size());
  while (step(s.get())) {
    const auto text = [&](int column) {
      const auto* const at = reinterpret_cast<const char*>(sqlite3_column_text(s.get(), column));
      return std::string(at ? at : "");
    };
    bool known = false;
    for (size_t t = 0; t < format.tables.size(); ++t) {
      if (text(1) != format.tables[t].create) continue;
      known = true;
      there[t] = true;
    }
    if (!known)
      fail(Status::bad_file, "%s: its schema has '%.100s', which is not of an %s of ours", path_.c_str(),
           text(0).c_str(), format.name);
  }
  for (size_t t = 0; t < format.tables.size(); ++t)
    if (!there[t] && !format.tables[t].may_be_new)
      fail(Status::bad_file, "%s: a table of an %s is missing: %.60s", path_.c_str(), format.name,
           format.tables[t].create);
}

bool Database::schema_lacks(const Format& format, size_t table) const {
  const Statement s = prepare("SELECT count(*) FROM sqlite_schema WHERE sql = ?1");
  require(sqlite3_bind_text(s.get(), 1, format.tables[table].create, -1, SQLITE_STATIC));
  return !step(s.get()) || sqlite3_column_int64(s.get(), 0) == 0;
}

}  // namespace puna::sqlite
