// rows.h -- a table of numbers and names in a text file, row by row, in constant memory: commas, semicolons or tabs
// between the fields, names of columns in the first line, fields in quotes where they need them. Every error names line
// and column. (The recommenders' TableReader keeps all fields of a file; logs here have ten million rows.)
#pragma once
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "puna/base/watch.h"

namespace puna::ads {

// What a column is taken for, and the option that says so.
struct ColumnRole {
  int column;
  const char* option;
};

class Rows {
 public:
  // `text` must live as long. Error{bad_file}: no first line of names, a name twice.
  Rows(std::string_view text, std::string name, const Watch& watch);

  const std::vector<std::string>& columns() const noexcept { return columns_; }
  // The number of a column; -1 where there is none. One that must be there: Error{bad_file} naming those that are.
  int find(std::string_view column) const noexcept;
  int column(std::string_view column) const;
  // Error{bad_file} for a column that is none of these: for tables with columns that may be missing, where a misspelt
  // one would be taken for that.
  void only(std::initializer_list<std::string_view> columns) const;
  // The one of these names that the table has, -1 = none. Error{bad_file} for two: `option` says which is meant.
  int one_of(std::initializer_list<std::string_view> names, const char* option) const;

  // Error{bad_file} for a column that two roles have; -1 is none.
  void require_one_role(const std::vector<ColumnRole>& roles) const;

  // The next row, false at the end. Error{bad_file}: fewer or more fields than names, no UTF-8, a line above 1 MB.
  bool next();
  void rewind();                                    // back to the first row
  size_t position() const noexcept { return at_; }  // bytes of the text that were read

  std::string_view text(int column) const noexcept { return fields_[size_t(column)]; }
  // Error{bad_file} "log.csv, line 7, column 'price': 'x' is no number from 0 to 1e+12".
  double number(int column, double low, double high) const;
  int64_t integer(int column, int64_t low, int64_t high) const;
  [[noreturn]] void bad(int column, const char* expected) const;
  std::string where() const;
  int64_t line() const noexcept { return line_; }

 private:
  bool read_line(std::string_view& line);
  void split(std::string_view line);

  std::string_view text_;
  std::string name_;
  const Watch& watch_;
  std::vector<std::string> columns_;
  std::vector<std::string_view> fields_;
  std::string unquoted_;  // of this row's fields with doubled quotes
  char separator_ = ',';
  size_t at_ = 0, first_ = 0;
  int64_t line_ = 0, first_line_ = 0;
};

}  // namespace puna::ads
