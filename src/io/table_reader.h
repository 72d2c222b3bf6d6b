// table_reader.h -- tables in text files, record by record: CSV as RFC 4180 has it, and its relatives. The one reader
// of interactions and recipes.
//   separators   commas, semicolons, | or tabs, or MovieLens' ::   (the first line decides; Excel's "sep=;" line may
//   say so) quotes       "a field", in which separators, line breaks and "" (a quote) are letters; with :: they are
//   letters everywhere lines        end with LF, CRLF or CR; those without anything on them are passed over. Spaces
//   around a field are not part of it bytes        UTF-8, with a byte order mark or without; anything else is refused,
//   compressed files and other formats by their name
#pragma once
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "puna/io/checkpoint.h"

namespace puna::io {

class TableReader {
 public:
  // Error{bad_file} or {unsupported}: what the file is instead. The watch, unless NULL, is asked while records are
  // read, and lives as long.
  explicit TableReader(SourcePtr source, const Watch* watch = nullptr);
  TableReader(const TableReader&) = delete;
  TableReader& operator=(const TableReader&) = delete;

  // The next record; false at the end. The fields are valid as long as the reader. Error{bad_file} with the line.
  bool next(std::vector<std::string_view>& fields);
  int64_t line() const noexcept { return record_line_; }  // where the record begins, from 1
  std::string where() const { return name() + ", line " + std::to_string(record_line_); }
  const std::string& name() const noexcept { return source_->name(); }
  const char* separated_by() const noexcept;  // "tabs"

 private:
  std::string_view field(bool& last);
  std::string_view quoted();
  bool at_separator(size_t at) const noexcept {  // of one byte, or ::
    return at < text_.size() && text_[at] == separator_[0] &&
           (separator_.size() == 1 || (at + 1 < text_.size() && text_[at + 1] == separator_[1]));
  }
  bool at_line_end(size_t at) const noexcept { return at == text_.size() || text_[at] == '\n' || text_[at] == '\r'; }
  void end_line() noexcept;
  void detect_separator();
  void check_text(size_t from) const;

  SourcePtr source_;
  const Watch* watch_;
  std::string copy_;                  // of sources that are not in memory
  std::deque<std::string> unquoted_;  // fields that are not as they stand in the file
  std::string_view text_, separator_;
  size_t at_ = 0;
  int64_t line_ = 1, record_line_ = 0;
};

// "'a', 'b', 'c', ...", at most six: for errors.
std::string list_of(const std::vector<std::string_view>& fields);

// The whole text as a finite number of at most 1e30, decimal; false for anything else ("nan", "0x10", "5 stars",
// "1e300").
bool parse_number(std::string_view text, double& number) noexcept;

}  // namespace puna::io
