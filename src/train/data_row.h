// data_row.h -- a row's columns, and which of them were used: what is left at the end is given to the chat template,
// found misspelt, or named in the report.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "train/chat_row.h"

namespace puna::train {

class Row {
 public:
  Row(const Place& place, std::string_view object, DataReport* report, const Watch& watch);

  const Place& place() const noexcept { return place_; }
  Notes notes() const { return {report_, place_}; }
  const Watch& watch() const noexcept { return watch_; }

  // null is what tables with columns of several forms write where there is nothing: as if the column were not there.
  bool has(std::string_view column) const noexcept;
  // The value as JSON, and the column counts as used; empty: it is not there.
  std::string_view take(std::string_view column) noexcept;
  // Error{bad_file} unless it is there and a text.
  std::string take_text(std::string_view column);

  // "tools", "documents", "chat_template_kwargs" and what else the template reads: into chat.variables. "date": into
  // chat.date.
  void give_variables(Chat& chat, const ChatText& text);
  // Error{bad_file} for a column that looks like one of `optional`, which this form of row could have; others are named
  // in the report.
  void finish(std::initializer_list<std::string_view> optional);
  // Error{bad_file}: this is none of the forms; says what it looks like.
  [[noreturn]] void refuse_form(const char* forms, bool pairs) const;
  // Error{unsupported} for columns that say which tokens count, or that this is another kind of data.
  void refuse_marks() const;

 private:
  struct Column {
    std::string name;
    std::string_view value;
    bool used = false;
  };
  const Column* find(std::string_view column) const noexcept;
  bool give_tools(std::string& variables);  // false: there are none
  void give_kwargs(std::string& variables, const ChatText& text);
  std::string near_column(const std::vector<std::string_view>& known) const;

  const Place& place_;
  DataReport* report_;
  const Watch& watch_;
  std::vector<Column> columns_;
};

}  // namespace puna::train
