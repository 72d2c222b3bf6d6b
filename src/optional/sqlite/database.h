// database.h -- an SQLite database of ours, opened as hostile input: its schema is ours to the letter, or nothing of it
// is used; journal mode WAL, a commit is on the disk when it returns.
#pragma once
#include <sqlite3.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>

namespace puna::sqlite {

struct FinalizeStatement {
  void operator()(sqlite3_stmt* s) const noexcept { sqlite3_finalize(s); }
};
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

// A statement is ready for its next use when this ends.
struct Reset {
  sqlite3_stmt* statement;
  ~Reset() {
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
  }
};

struct Table {
  const char* create;       // CREATE TABLE ..., as SQLite keeps it in the schema
  bool may_be_new = false;  // files of before this table are given it
};

struct Format {
  const char* name;  // "event log": what errors call such a file
  int application;   // PRAGMA application_id
  std::span<const Table> tables;
  int most_bytes;          // of a value or a row
  bool exclusive = false;  // no other process reads meanwhile
};

class Database {
 public:
  // Creates it where there is none. Error{io}, {bad_file} when it is something else.
  Database(const std::string& path, const Format& format);

  // What SQLite says became of a call, as an Error.
  void require(int result) const;
  void run(const char* sql) const;
  Statement prepare(const char* sql) const;
  bool step(sqlite3_stmt* s) const;                                            // whether there is a row
  void execute(sqlite3_stmt* s, std::initializer_list<int64_t> values) const;  // of a statement that gives no rows
  int64_t number(const char* sql) const;  // the first column of the first row; 0 when there is none
  int changes() const noexcept { return sqlite3_changes(db_.get()); }
  const std::string& path() const noexcept { return path_; }

  // work() within a transaction: all of it is on the disk, or, when it throws, none.
  template <class Work>
  void transaction(Work&& work) const {
    run("BEGIN IMMEDIATE");
    try {
      work();
      run("COMMIT");
    } catch (...) {
      sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
      throw;
    }
  }

 private:
  struct Close {
    void operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); }
  };
  void require_plain_journal(const Format& format) const;
  void require_tables(const Format& format) const;
  bool schema_lacks(const Format& format, size_t table) const;

  std::string path_;
  std::unique_ptr<sqlite3, Close> db_;
};

}  // namespace puna::sqlite
