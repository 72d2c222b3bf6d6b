// sound_pages.h -- whether SQLite finds the pages of a database in order. In a damaged file two tables may share a
// page, or one that counts as free may be in use: what is written to a table then appears in another, or nowhere. A
// store must survive that; what it then says of its rows is anybody's guess.
#pragma once
#include <sqlite3.h>

#include <string>
#include <string_view>

namespace puna::test {

inline bool has_sound_pages(const std::string& path) {
  sqlite3* db = nullptr;
  sqlite3_stmt* s = nullptr;
  const bool ok = sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK &&
                  sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &s, nullptr) == SQLITE_OK &&
                  sqlite3_step(s) == SQLITE_ROW &&
                  std::string_view(reinterpret_cast<const char*>(sqlite3_column_text(s, 0))) == "ok";
  sqlite3_finalize(s);
  sqlite3_close(db);
  return ok;
}

}  // namespace puna::test
