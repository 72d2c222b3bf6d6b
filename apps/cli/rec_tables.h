// rec_tables.h -- the tables of a recipe: events, and what other tables say about each by a key.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/json_field.h"
#include "io/table_reader.h"

namespace puna::cli {

// A whole file. Its first line names the columns, "name" or RecBole's "name:type".
class Table {
 public:
  explicit Table(const std::string& path);
  size_t rows() const { return lines_.size(); }
  int column(std::string_view name) const;  // -1 = there is none
  const std::vector<std::string>& names() const { return names_; }
  std::string_view at(size_t row, int column) const { return fields_[row * names_.size() + size_t(column)]; }
  std::string where(size_t row) const { return reader_.name() + ", line " + std::to_string(lines_[row]); }
  int64_t line(size_t row) const { return lines_[row]; }
  const std::string& path() const { return reader_.name(); }

 private:
  io::TableReader reader_;  // owns the text
  std::vector<std::string> names_;
  std::vector<std::string_view> fields_;  // [rows][columns]
  std::vector<int64_t> lines_;
};

class Joined;

// A column of every event, wherever it stands.
class Column {
 public:
  std::string_view at(size_t event) const;  // "" where the other table has no row for the event
  std::string where(size_t event) const;    // "items.csv, line 7, price"
  int64_t line(size_t event) const;         // of its table
  const std::string& file() const;
  double number(size_t event) const;  // Error{bad_file}
  const std::string& name() const { return name_; }

 private:
  friend class Joined;
  const Joined* joined_ = nullptr;
  size_t table_ = 0;  // 0: the events
  int at_ = 0;
  std::string name_;
};

class Joined {
 public:
  // "events" and "tables" of a recipe; warnings go to standard error.
  Joined(const text::JsonField& recipe, const std::string& folder);
  Joined(const Joined&) = delete;
  Joined& operator=(const Joined&) = delete;
  // Error{bad_file} naming the nearest when there is none, and the tables when there are two.
  Column column(const text::JsonField& name) const;
  size_t rows() const { return tables_[0]->rows(); }
  std::string where(size_t event) const { return tables_[0]->where(event); }

 private:
  friend class Column;
  static constexpr size_t kNoRow = SIZE_MAX;
  std::vector<std::unique_ptr<Table>> tables_;
  std::vector<std::vector<size_t>> rows_of_;  // of each table but the events, for each event: its row, or kNoRow
  std::vector<std::string> keys_;
};

}  // namespace puna::cli
