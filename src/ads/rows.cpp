#include "ads/rows.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "base/nearest.h"
#include "base/shown.h"
#include "base/utf8.h"
#include "puna/base/error.h"

namespace puna::ads {
namespace {

constexpr size_t kLongestLine = 1 << 20, kMostColumns = 10'000;

std::string_view without_spaces(std::string_view field) noexcept {
  while (!field.empty() && field.front() == ' ') field.remove_prefix(1);
  while (!field.empty() && field.back() == ' ') field.remove_suffix(1);
  return field;
}

bool is_ascii(std::string_view text) noexcept {
  size_t i = 0;
  uint64_t word, high = 0, zero = 0;
  for (; i + 8 <= text.size(); i += 8) {
    memcpy(&word, text.data() + i, 8);
    high |= word;
    zero |= (word - 0x0101010101010101u) & ~word;
  }
  bool nul = false;
  for (; i < text.size(); ++i) {
    high |= uint64_t(static_cast<unsigned char>(text[i])) << 56;
    nul |= text[i] == '\0';
  }
  return ((high | zero) & 0x8080808080808080u) == 0 && !nul;
}

}  // namespace

Rows::Rows(std::string_view text, std::string name, const Watch& watch)
    : text_(text), name_(std::move(name)), watch_(watch) {
  if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
  std::string_view line;
  if (!read_line(line)) fail(Status::bad_file, "%s: expected a first line with the columns' names", name_.c_str());
  size_t most = 0;
  for (const char c : {'\t', ',', ';'}) {
    const auto count = size_t(std::count(line.begin(), line.end(), c));
    if (count <= most) continue;
    most = count;
    separator_ = c;
  }
  split(line);
  for (const std::string_view field : fields_) {
    if (find(field) >= 0)
      fail(Status::bad_file, "%s, line %jd: there are two columns '%s'", name_.c_str(), line_, shown(field).c_str());
    columns_.emplace_back(field);
    if (columns_.size() > kMostColumns)
      fail(Status::bad_file, "%s: more than %zu columns", name_.c_str(), kMostColumns);
  }
  first_ = at_;
  first_line_ = line_;
}

int Rows::find(std::string_view column) const noexcept {
  const auto found = std::find(columns_.begin(), columns_.end(), column);
  return found == columns_.end() ? -1 : int(found - columns_.begin());
}

int Rows::column(std::string_view column) const {
  const int at = find(column);
  if (at >= 0) return at;
  std::string there;
  for (size_t i = 0; i < std::min<size_t>(8, columns_.size()); ++i)
    there += (i ? ", '" : "'") + shown(columns_[i]).substr(0, 24) + "'";
  fail(Status::bad_file, "%s: there is no column '%s'%s; there are %s%s", name_.c_str(), shown(column).c_str(),
       did_you_mean(column, columns_).c_str(), there.c_str(), columns_.size() > 8 ? ", ..." : "");
}

void Rows::only(std::initializer_list<std::string_view> known) const {
  for (size_t i = 0; i < columns_.size(); ++i)
    if (std::find(known.begin(), known.end(), columns_[i]) == known.end())
      fail(Status::bad_file, "%s, line %jd, column %zu: '%s' is not used here%s", name_.c_str(), first_line_, i + 1,
           shown(columns_[i]).c_str(), did_you_mean(columns_[i], known).c_str());
}

int Rows::one_of(std::initializer_list<std::string_view> names, const char* option) const {
  int found = -1;
  for (const std::string_view name : names) {
    const int at = find(name);
    if (at >= 0 && found >= 0)
      fail(Status::bad_file, "%s, line %jd: the columns '%s' and '%s' could both be meant: %s says which",
           name_.c_str(), first_line_, columns_[size_t(found)].c_str(), columns_[size_t(at)].c_str(), option);
    if (at >= 0) found = at;
  }
  return found;
}

void Rows::require_one_role(const std::vector<ColumnRole>& roles) const {
  for (size_t i = 0; i < roles.size(); ++i)
    for (size_t k = 0; k < i; ++k)
      if (roles[i].column >= 0 && roles[i].column == roles[k].column)
        fail(Status::bad_file, "%s, line %jd: the column '%s' is both %s and %s, expected one of them", name_.c_str(),
             first_line_, shown(columns_[size_t(roles[i].column)]).c_str(), roles[k].option, roles[i].option);
}

// Blank lines are passed over.
bool Rows::read_line(std::string_view& line) {
  do {
    if (at_ >= text_.size()) return false;
    ++line_;
    const size_t reach = std::min(kLongestLine, text_.size() - at_);
    const void* const end = memchr(text_.data() + at_, '\n', reach);
    if (!end && reach == kLongestLine)
      fail(Status::bad_file, "%s, line %jd: the line has more than %zu bytes", name_.c_str(), line_, kLongestLine);
    const size_t to = end ? size_t(static_cast<const char*>(end) - text_.data()) : text_.size();
    line = text_.substr(at_, to - at_);
    at_ = end ? to + 1 : to;
    if (line.ends_with('\r')) line.remove_suffix(1);
    watch_.tick(1 + line.size() / 100);
    if (is_ascii(line)) continue;
    if (const size_t bad = find_non_text(line); bad != line.npos)
      fail(Status::bad_file, "%s, line %jd: byte 0x%02x is no text in UTF-8", name_.c_str(), line_,
           unsigned(static_cast<unsigned char>(line[bad])));
  } while (without_spaces(line).empty());
  return true;
}

void Rows::split(std::string_view line) {
  fields_.clear();
  if (memchr(line.data(), '"', line.size()) == nullptr) {
    for (size_t from = 0;;) {
      const void* const end = memchr(line.data() + from, separator_, line.size() - from);
      const size_t to = end ? size_t(static_cast<const char*>(end) - line.data()) : line.size();
      fields_.push_back(without_spaces(line.substr(from, to - from)));
      if (!end) return;
      from = to + 1;
    }
  }
  unquoted_.clear();
  unquoted_.reserve(line.size());  // so that views into it stay
  for (size_t at = 0;;) {
    while (at < line.size() && line[at] == ' ') ++at;
    if (at < line.size() && line[at] == '"') {
      const size_t from = unquoted_.size();
      for (++at;; ++at) {
        if (at >= line.size())
          fail(Status::bad_file, "%s, column %zu: a quote opens the field and none closes it on this line",
               where().c_str(), fields_.size() + 1);
        if (line[at] == '"' && (at + 1 >= line.size() || line[at + 1] != '"')) break;
        unquoted_ += line[at];
        at += line[at] == '"';
      }
      ++at;
      while (at < line.size() && line[at] == ' ') ++at;
      fields_.push_back(std::string_view(unquoted_).substr(from));
      if (at < line.size() && line[at] != separator_)
        fail(Status::bad_file, "%s, column %zu: something follows the closing quote", where().c_str(), fields_.size());
    } else {
      const size_t to = std::min(line.find(separator_, at), line.size());
      fields_.push_back(without_spaces(line.substr(at, to - at)));
      at = to;
    }
    if (at >= line.size()) return;
    ++at;
  }
}

bool Rows::next() {
  std::string_view line;
  if (!read_line(line)) return false;
  split(line);
  if (fields_.size() != columns_.size())
    fail(Status::bad_file, "%s: %zu fields, expected %zu as in the first line", where().c_str(), fields_.size(),
         columns_.size());
  return true;
}

void Rows::rewind() {
  at_ = first_;
  line_ = first_line_;
}

std::string Rows::where() const { return name_ + ", line " + std::to_string(line_); }

void Rows::bad(int column, const char* expected) const {
  fail(Status::bad_file, "%s, column '%s': '%s' is not %s", where().c_str(), shown(columns_[size_t(column)]).c_str(),
       shown(fields_[size_t(column)]).c_str(), expected);
}

double Rows::number(int column, double low, double high) const {
  const std::string_view field = fields_[size_t(column)];
  double value = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error == std::errc() && end == field.data() + field.size() && value >= low && value <= high) return value;
  char expected[80];
  snprintf(expected, sizeof expected, "a number from %.10g to %.10g", low, high);
  bad(column, expected);
}

int64_t Rows::integer(int column, int64_t low, int64_t high) const {
  const std::string_view field = fields_[size_t(column)];
  int64_t value = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error == std::errc() && end == field.data() + field.size() && value >= low && value <= high) return value;
  char expected[80];
  snprintf(expected, sizeof expected, "a whole number from %jd to %jd", low, high);
  bad(column, expected);
}

}  // namespace puna::ads
