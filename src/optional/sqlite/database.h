// database.h -- an SQLite database that may come from anybody: opened without triggers, views and trust in its schema,
// checked to be one of ours, WAL, every commit flushed. Errors name the file.
#pragma once
#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace puna::sqlite {

struct Finalize {
  void operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); }
  void operator()(sqlite3_stmt* s) const noexcept { sqlite3_finalize(s); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

// What other processes may do with a database while it is open here.
enum class Others { read_and_write, nothing };

class Database {
 public:
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  // what: "event log". Error{bad_file} for a database with another application id; wait_ms: for other writers, or for
  // the process that lets others do nothing.
  Database(const std::string& path, int application, const char* what, int64_t longest_value, int wait_ms,
           Others others = Others::read_and_write);

  bool is_new() const noexcept { return is_new_; }  // it had no table when it was opened
  const std::string& path() const noexcept { return path_; }
  sqlite3* handle() const noexcept { return db_.get(); }
  // What SQLite says became of a call.
  void require(int result) const;
  void run(const char* sql) const { require(sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr)); }
  Statement prepare(const char* sql) const;
  bool step(sqlite3_stmt* s) const;  // whether there is a row
  int64_t number(const char* sql) const;
  // work() within a transaction that writes: all of it is on the disk, or, when it throws, none. Error{io} when the
  // file was removed or moved since it was opened.
  template <class Work>
  void transaction(Work&& work) {
    begin();
    try {
      work();
      run("COMMIT");
    } catch (...) {
      sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
      throw;
    }
  }
  void mark_ours() const;  // sets the application id
  // Every table, index, view and trigger: "table events" and its SQL, "" of what SQLite made itself.
  std::vector<std::pair<std::string, std::string>> schema() const;

 private:
  // Who had to wait for the last transaction lets those go first who wait now: otherwise whoever has just committed is
  // the first to begin again.
  void begin();
  static int wait_for_others(void* database, int waits) noexcept;
  void require_plain_journal() const;

  std::string path_;
  const char* what_;
  int application_;
  int most_waits_;
  std::unique_ptr<sqlite3, Finalize> db_;
  bool is_new_ = false, had_to_wait_ = false;
};

// A statement in use: values go in by place from 1, columns come out from 0; it is reset at the end.
class Use {
 public:
  Use(const Database& db, const Statement& s) : db_(db), s_(s.get()) {}
  ~Use() {
    sqlite3_reset(s_);
    sqlite3_clear_bindings(s_);
  }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

  Use& bind(int64_t value);
  Use& bind(const std::optional<double>& value);
  Use& bind(std::string_view text);          // lives until the end
  Use& bind_or_null(std::string_view text);  // "" = NULL
  bool step() const { return db_.step(s_); }
  void run() const { (void)step(); }

  int64_t integer(int column) const { return sqlite3_column_int64(s_, column); }
  double real(int column) const { return sqlite3_column_double(s_, column); }
  bool is_null(int column) const { return sqlite3_column_type(s_, column) == SQLITE_NULL; }
  std::string_view text(int column) const;  // until the next step; "" of NULL

 private:
  const Database& db_;
  sqlite3_stmt* s_;
  int at_ = 0;
};

}  // namespace puna::sqlite
