#include "io/json_rows.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <set>
#include <vector>

#include "base/file_kind.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/json_fault.h"
#include "io/json_parts.h"

namespace puna::io {
namespace {

constexpr size_t kMaxDepth = 64;  // as base/json.h
constexpr std::string_view kBom = "\xEF\xBB\xBF";

struct Fault {
  size_t byte = 0;  // of the row
  std::string what;
};

// Checks a row's JSON without building it. Keys of one object are kept as hashes, eight bytes each; only where two
// agree are they compared as texts.
class Checker final : public nlohmann::json_sax<Json> {
 public:
  Checker(std::string_view row, bool compare_texts) : row_(row), compare_texts_(compare_texts) {}
  Fault fault;
  bool twins = false;  // two keys of an object have one hash

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(int64_t) override { return true; }
  bool number_unsigned(uint64_t) override { return true; }
  bool number_float(double, const std::string&) override { return true; }
  bool string(std::string&) override { return true; }
  bool binary(Json::binary_t&) override { return false; }
  bool start_object(size_t) override { return open(); }
  bool start_array(size_t) override { return open(); }
  bool end_object() override {
    std::vector<uint64_t>& keys = open_.back().keys;
    std::sort(keys.begin(), keys.end());
    twins |= std::adjacent_find(keys.begin(), keys.end()) != keys.end();
    return close();
  }
  bool end_array() override { return close(); }
  bool key(std::string& name) override {
    if (!compare_texts_) {
      Hash hash;
      hash.add(name.data(), name.size());
      open_.back().keys.push_back(hash.value());
      return true;
    }
    if (open_.back().texts.insert(name).second) return true;
    fault.what = "'" + name.substr(0, 64) + "' stands twice in one object";
    return false;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& e) override {
    const JsonFault f = json_fault(row_, position, e.what());
    fault.byte = f.byte;
    fault.what = "not valid JSON: " + f.what;
    return false;
  }

 private:
  struct Level {
    std::vector<uint64_t> keys;
    std::set<std::string> texts;
  };
  bool open() {
    if (open_.size() > kMaxDepth) return fault.what = "nested deeper than " + std::to_string(kMaxDepth), false;
    open_.emplace_back();
    return true;
  }
  bool close() { return open_.pop_back(), true; }

  const std::string_view row_;
  const bool compare_texts_;
  std::vector<Level> open_;
};

// What people write instead of JSON, by how it begins where it is wrong.
std::string hint(std::string_view row, size_t byte, std::string_view what) {
  const std::string_view rest = row.substr(std::min(byte, row.size()));
  const std::string_view around = row.substr(byte < 4 ? 0 : byte - 4, 8);
  if (rest.starts_with('\'')) return "; keys and texts stand in double quotes (this looks like Python's print)";
  for (const char* word : {"NaN", "Inf", "None", "True", "False"})
    if (around.find(std::string_view(word, 2)) != around.npos && row.find(word) != row.npos)
      return std::string("; JSON has no ") + word + ", use null, true or false";
  if (what.find("UTF-8") != what.npos) return "; the file is expected in UTF-8 (iconv converts)";
  return {};
}

class Rows {
 public:
  Rows(std::string_view text, const std::string& file, const Watch& watch) : text_(text), file_(file), watch_(watch) {}

  void visit(FunctionRef<void(const Place&, std::string_view)> visit) {
    skip();
    if (at_ < text_.size() && text_[at_] == '[') return array(visit);
    while (at_ < text_.size()) {
      row(/*listed=*/false, visit);
      skip();
      if (at_ < text_.size() && text_[at_] == ',')
        here().refuse(
            "a comma behind an object: either one object a line, or all of them in a list [ ... ] with commas between");
    }
  }

 private:
  Place here() {
    line_ += std::count(text_.begin() + std::ptrdiff_t(counted_), text_.begin() + std::ptrdiff_t(at_), '\n');
    counted_ = at_;
    return {file_, line_};
  }
  void skip() {
    at_ = skip_space(text_, at_, watch_);
    if (text_.substr(at_).starts_with(kBom))
      at_ = skip_space(text_, at_ + kBom.size(), watch_);  // files that were put together
  }

  void array(FunctionRef<void(const Place&, std::string_view)> visit) {
    const int64_t first = here().line;
    const auto expect_more = [&] {
      skip();
      if (at_ == text_.size())
        Place{file_, first}.refuse("the list that begins here is not closed: is the file cut off?");
    };
    ++at_;
    bool first_one = true;
    for (bool more = true; more; first_one = false) {
      expect_more();
      if (text_[at_] == ']' && !first_one) here().refuse("the list ends behind the last comma: is an object missing?");
      if (text_[at_] == ']') break;
      row(/*listed=*/true, visit);
      expect_more();
      more = text_[at_] == ',';
      if (more)
        ++at_;
      else if (text_[at_] != ']')
        here().refuse("expected a comma or the end of the list that begins in line %jd", first);
    }
    ++at_;
    skip();
    if (at_ < text_.size()) here().refuse("something follows the list that begins in line %jd", first);
  }

  void row(bool listed, FunctionRef<void(const Place&, std::string_view)> visit) {
    const Place place = here();
    size_t end = end_of_value(text_, at_, watch_);
    const bool closed = text_[at_] == '{' || text_[at_] == '[';
    if (!closed && !listed)
      end = std::min(text_.find('\n', at_), text_.size());  // words: all of them are wrong, not the second
    const std::string_view value = text_.substr(at_, end - at_);
    check(place, value);
    if (!is_object(value))
      place.refuse("expected %s, not %s", listed ? "a list of objects" : "an object a line", kind_of(value));
    visit(place, value);
    at_ = end;
  }

  void check(const Place& place, std::string_view value) const {
    if (const size_t nul = value.find('\0'); nul != value.npos) refuse(place, value, {nul, "not valid JSON: a NUL"});
    Checker checker(value, false);
    walk_json(value, checker, watch_);
    if (!checker.fault.what.empty()) refuse(place, value, checker.fault);
    if (!checker.twins) return;
    Checker careful(value, true);
    walk_json(value, careful, watch_);
    if (!careful.fault.what.empty()) place.refuse("%s", careful.fault.what.c_str());
  }

  [[noreturn]] void refuse(const Place& place, std::string_view value, const Fault& fault) const {
    if (fault.what.starts_with("nested")) place.refuse("%s", fault.what.c_str());
    const std::string_view before = value.substr(0, std::min(fault.byte, value.size()));
    const int64_t lines = std::count(before.begin(), before.end(), '\n');
    const size_t line_begin = before.rfind('\n');
    const size_t in_line =
        line_begin != before.npos ? before.size() - line_begin : before.size() + 1 + column_of(value);
    std::string what = fault.what + hint(value, fault.byte, fault.what);
    if (lines > 0) what += "; the object that begins in line " + std::to_string(place.line) + " is not closed there";
    fail(Status::bad_file, "%s, line %jd, column %zu: %s", file_.c_str(), place.line + lines, in_line, what.c_str());
  }
  size_t column_of(std::string_view value) const {  // of a row's first byte, from 0
    const size_t begin = size_t(value.data() - text_.data()),
                 line = begin == 0 ? text_.npos : text_.rfind('\n', begin - 1);
    return line == text_.npos ? begin : begin - line - 1;
  }

  const std::string_view text_;
  const std::string& file_;
  const Watch& watch_;
  size_t at_ = 0, counted_ = 0;
  int64_t line_ = 1;
};

}  // namespace

std::string Place::text() const { return file + ", line " + std::to_string(line); }

void Place::refuse(const char* format, ...) const {
  char what[Error::kCapacity];
  va_list args;
  va_start(args, format);
  vsnprintf(what, sizeof what, format, args);
  va_end(args);
  fail(Status::bad_file, "%s: %s", text().c_str(), what);
}

void each_row(std::string_view text, const std::string& file, const Watch& watch,
              FunctionRef<void(const Place&, std::string_view)> visit) {
  require_text_file(text, file, "rows of JSON in UTF-8 text");
  Rows(text, file, watch).visit(visit);
}

}  // namespace puna::io
