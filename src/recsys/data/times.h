// times.h -- a column of times, exactly: seconds since 1970 (or since anything), milli-, micro- or nanoseconds, which
// are recognised by their size, with fractions; or dates as ISO 8601 writes them. One unit a column.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace puna::recsys {

class TimeColumn {
 public:
  // Error{bad_file} "<where()>: 'soon' is no time ...".
  template <class Where>
  void add(std::string_view text, int64_t line, const Where& where) {
    Time time;
    if (const char* const fault = parse(text, time)) refuse(where(), text, fault);
    keep(time, text, line);
  }
  // What is wrong with a time's text, or NULL.
  static const char* fault_of(std::string_view text) noexcept {
    Time ignored;
    return parse(text, ignored);
  }

  // When all are there. Error{bad_file} naming two lines of different units, or times that look like YYYYMMDD.
  void finish(const std::string& file);
  const char* unit() const noexcept;  // "milliseconds"
  bool in_seconds() const noexcept { return unit_ == 0; }
  int64_t seconds(size_t i) const noexcept;        // whole ones, downwards
  bool before(size_t a, size_t b) const noexcept;  // to the nanosecond, or as far as the unit goes

 private:
  struct Time {
    int64_t whole = 0;  // of the unit that is not known yet; of a date: seconds
    uint32_t part = 0;  // 1e-9 of it
    bool date = false;
  };
  struct Seen {
    int64_t line = 0;  // 0 = not seen
    std::string text;
  };
  static const char* parse(std::string_view text, Time& time) noexcept;
  static const char* parse_number(std::string_view text, Time& time) noexcept;
  static const char* parse_date(std::string_view text, Time& time) noexcept;
  [[noreturn]] static void refuse(const std::string& where, std::string_view text, const char* fault);
  void keep(const Time& time, std::string_view text, int64_t line);

  std::vector<int64_t> whole_;
  std::vector<uint32_t> part_;  // empty as long as all are 0
  Seen seen_[5];                // seconds, milli-, micro-, nanoseconds, dates: the first of each
  int64_t calendar_ = 0;        // how many read as YYYYMMDD or YYYYMMDDhhmmss
  int unit_ = 0;
};

}  // namespace puna::recsys
