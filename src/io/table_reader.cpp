#include "io/table_reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/file_kind.h"
#include "base/shown.h"
#include "base/utf8.h"
#include "puna/base/error.h"

namespace puna::io {
namespace {

constexpr uint64_t kLargestFile = uint64_t(1) << 32;
constexpr size_t kMostColumns = 4096;
constexpr std::string_view kSeparators[] = {"\t", "::", ",", ";", "|"};
constexpr const char* kSeparatedBy[] = {"tabs", "::", "commas", "semicolons", "|"};

// Text, but no table.
struct Kind {
  std::string_view head;
  const char* name;
};
constexpr Kind kMarkup[] = {{"{\"", "JSON"}, {"{\n", "JSON"}, {"{ ", "JSON"},    {"[{", "JSON"},  {"[[", "JSON"},
                            {"[\n", "JSON"}, {"<!", "HTML"},  {"<html", "HTML"}, {"<?xml", "XML"}};

void refuse_other_kinds(std::string_view text, const char* file) {
  const FileKind* const other = kind_of_file(text);
  const char* name = other ? other->name : nullptr;
  for (const Kind& kind : kMarkup)
    if (!name && text.starts_with(kind.head)) name = kind.name;
  if (name)
    fail(Status::unsupported,
         "%s is %s, expected a table in UTF-8 text: columns between tabs, commas, semicolons, | or ::", file, name);
}

bool blank(std::string_view line) { return line.find_first_not_of(" \t") == std::string_view::npos; }

}  // namespace

TableReader::TableReader(SourcePtr source, const Watch* watch) : source_(std::move(source)), watch_(watch) {
  if (source_->size() > kLargestFile) fail(Status::unsupported, "%s has more than 4 GB", name().c_str());
  if (source_->data()) {
    text_ = {reinterpret_cast<const char*>(source_->data()), size_t(source_->size())};
  } else {
    copy_.resize(size_t(source_->size()));
    source_->read(0, source_->size(), copy_.data());
    text_ = copy_;
  }
  if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);
  refuse_other_kinds(text_, name().c_str());
  detect_separator();
}

// Tabs where there are any, else what is there most often outside of quotes.
void TableReader::detect_separator() {
  size_t from = 0;
  while (from < text_.size() && (text_[from] == '\n' || text_[from] == '\r' || text_[from] == ' ')) ++from;
  if (text_.substr(from).starts_with("sep=") && from + 5 <= text_.size() && at_line_end(from + 5)) {
    for (const std::string_view s : kSeparators)
      if (s[0] == text_[from + 4]) separator_ = s;
    if (!separator_.empty()) {
      for (; at_ < from; end_line())
        while (at_ < from && !at_line_end(at_)) ++at_;
      at_ = from + 5;
      return end_line();
    }
  }
  size_t most = 0;
  for (const std::string_view s : kSeparators) {
    size_t count = 0;
    bool inside = false;
    for (size_t i = from; i < text_.size() && (inside || !at_line_end(i)); ++i) {
      if (text_[i] == '"') inside = !inside;
      if (inside || text_.compare(i, s.size(), s) != 0) continue;
      ++count;
      i += s.size() - 1;
    }
    if (count <= most) continue;
    most = count;
    separator_ = s;
    if (s == "\t") break;
  }
  if (separator_.empty()) separator_ = ",";
}

const char* TableReader::separated_by() const noexcept {
  return kSeparatedBy[std::find(std::begin(kSeparators), std::end(kSeparators), separator_) - std::begin(kSeparators)];
}

void TableReader::end_line() noexcept {
  if (at_ == text_.size()) return;
  at_ += text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n' ? 2 : 1;
  ++line_;
}

bool TableReader::next(std::vector<std::string_view>& fields) {
  do {
    fields.clear();
    if (at_ == text_.size()) return false;
    const size_t from = at_;
    record_line_ = line_;
    for (bool last = false; !last;) {
      if (fields.size() == kMostColumns)
        fail(Status::bad_file, "%s: more than %zu columns between %s", where().c_str(), kMostColumns, separated_by());
      fields.push_back(field(last));
    }
    if (watch_) watch_->tick(1 + (at_ - from) / 100);
    check_text(from);
    end_line();
  } while (fields.size() == 1 && blank(fields[0]));
  return true;
}

// Ends behind the separator, or at the line's end.
std::string_view TableReader::field(bool& last) {
  const bool tabs = separator_ == "\t";
  const auto space = [&](char c) { return c == ' ' || (c == '\t' && !tabs); };
  while (at_ < text_.size() && space(text_[at_])) ++at_;
  std::string_view value;
  if (at_ < text_.size() && text_[at_] == '"' && separator_ != "::") {
    value = quoted();
    while (at_ < text_.size() && space(text_[at_])) ++at_;
    if (!at_line_end(at_) && !at_separator(at_))
      fail(
          Status::bad_file,
          "%s: '%.12s' follows a closing quote, expected the end of the field (a quote within quotes is written twice)",
          where().c_str(),
          shown(text_.substr(at_, std::min<size_t>(12, text_.find_first_of("\r\n", at_) - at_))).c_str());
  } else {
    const size_t from = at_;
    while (!at_line_end(at_) && !at_separator(at_)) ++at_;
    value = text_.substr(from, at_ - from);
    while (!value.empty() && space(value.back())) value.remove_suffix(1);
  }
  last = at_line_end(at_);
  if (!last) at_ += separator_.size();
  return value;
}

std::string_view TableReader::quoted() {
  const size_t from = ++at_;
  bool doubled = false;
  for (;; ++at_) {
    if (watch_ && at_ % 128 == 0) watch_->tick();
    if (at_ == text_.size()) fail(Status::bad_file, "%s: a quote opens a field and none closes it", where().c_str());
    if (text_[at_] == '"') {
      if (at_ + 1 == text_.size() || text_[at_ + 1] != '"') break;
      doubled = true;
      ++at_;
    } else if (text_[at_] == '\n' || (text_[at_] == '\r' && !(at_ + 1 < text_.size() && text_[at_ + 1] == '\n'))) {
      ++line_;
    }
  }
  const std::string_view inside = text_.substr(from, at_++ - from);
  if (!doubled) return inside;
  std::string& value = unquoted_.emplace_back();
  for (size_t i = 0; i < inside.size(); ++i) {
    value += inside[i];
    if (inside[i] == '"') ++i;
  }
  return value;
}

// Of the record that begins at `from`.
void TableReader::check_text(size_t from) const {
  const std::string_view record = text_.substr(from, at_ - from);
  const size_t at = find_non_text(record);
  if (at == record.npos) return;
  const int64_t line = record_line_ + std::count(record.begin(), record.begin() + ptrdiff_t(at), '\n');
  if (record[at] == '\0')
    fail(Status::bad_file, "%s, line %jd: there is a NUL in it; this is no text", name().c_str(), line);
  fail(Status::bad_file,
       "%s, line %jd: byte 0x%02x is no UTF-8; a file in Latin-1 or another encoding has to be converted first",
       name().c_str(), line, unsigned(static_cast<unsigned char>(record[at])));
}

std::string list_of(const std::vector<std::string_view>& fields) {
  std::string text;
  for (size_t i = 0; i < std::min<size_t>(6, fields.size()); ++i)
    text += (i ? ", '" : "'") + shown(fields[i].substr(0, 40)) + "'";
  return text + (fields.size() > 6 ? ", ..." : "");
}

bool parse_number(std::string_view text, double& number) noexcept {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && std::fabs(number) <= 1e30;  // not NaN
}

}  // namespace puna::io
