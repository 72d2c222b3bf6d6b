#include "recsys/data/times.h"

#include <algorithm>
#include <charconv>

#include "base/shown.h"
#include "puna/base/error.h"

namespace puna::recsys {
namespace {

constexpr const char* kNoTime =
    "is no time: expected seconds since 1970 (or milli-, micro-, nanoseconds), or a date like 2026-11-29 or "
    "2026-11-29T07:13:12Z";
constexpr const char* kUnits[] = {"seconds", "milliseconds", "microseconds", "nanoseconds", "dates"};
constexpr int64_t kPerSecond[] = {1, 1000, 1000000, 1000000000, 1};
// in seconds the year 5138
constexpr int64_t kFirstMilli = 100'000'000'000, kFirstMicro = kFirstMilli * 1000, kFirstNano = kFirstMicro * 1000;

bool digit(char c) noexcept { return c >= '0' && c <= '9'; }

// `count` digits at the front, taken off; -1 when there are fewer.
int digits(std::string_view& text, size_t count) noexcept {
  int value = 0;
  if (text.size() < count) return -1;
  for (size_t i = 0; i < count; ++i) {
    if (!digit(text[i])) return -1;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return value;
}
bool take(std::string_view& text, char c) noexcept {
  if (text.empty() || text[0] != c) return false;
  text.remove_prefix(1);
  return true;
}

bool is_day(int64_t year, int64_t month, int64_t day) noexcept {
  if (month < 1 || month > 12 || day < 1) return false;
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return day <= kDays[month - 1] + (month == 2 && leap ? 1 : 0);
}

// Days since 1970-01-01 (proleptic Gregorian): years begin in March, so that the leap day is the last.
int64_t days_of(int64_t year, int64_t month, int64_t day) noexcept {
  const int64_t y = year - (month <= 2 ? 1 : 0), era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
  const int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

// 20191105 or 20191105102030
bool reads_as_calendar(int64_t n) noexcept {
  if (n >= 19000101000000 && n <= 21001231235959) {
    const int64_t clock = n % 1000000;
    if (clock / 10000 > 23 || clock / 100 % 100 > 59 || clock % 100 > 59) return false;
    n /= 1000000;
  }
  return n >= 19000101 && n <= 21001231 && is_day(n / 10000, n / 100 % 100, n % 100);
}

}  // namespace

const char* TimeColumn::parse(std::string_view text, Time& time) noexcept {
  const bool date = text.size() >= 8 && digit(text[0]) && digit(text[1]) && digit(text[2]) && digit(text[3]) &&
                    (text[4] == '-' || text[4] == '/');
  return date ? parse_date(text, time) : parse_number(text, time);
}

// Decimal digits, a point, an exponent: by digits, for doubles end at microseconds.
const char* TimeColumn::parse_number(std::string_view text, Time& time) noexcept {
  const bool negative = take(text, '-');
  if (!negative) take(text, '+');
  char all[64];
  size_t n = 0, seen = 0;
  int64_t point = 0;  // before digit number `point`
  bool fraction = false;
  for (; !text.empty() && (digit(text[0]) || (text[0] == '.' && !fraction)); text.remove_prefix(1)) {
    if (text[0] == '.') {
      fraction = true;
      continue;
    }
    ++seen;
    if (n == 0 && text[0] == '0') {
      if (fraction) --point;
      continue;
    }
    if (n == sizeof all && !fraction) return "is too large for a time";
    if (n < sizeof all) all[n++] = text[0];
    if (!fraction) ++point;
  }
  if (seen == 0) return kNoTime;
  if (take(text, 'e') || take(text, 'E')) {
    take(text, '+');
    int exponent = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), exponent);
    if (error != std::errc() || exponent < -99 || exponent > 99) return kNoTime;
    text.remove_prefix(size_t(end - text.data()));
    point += exponent;
  }
  if (!text.empty()) return kNoTime;
  if (n == 0) return nullptr;  // 0
  if (negative) return "is a negative time";
  if (point > 19) return "is too large for a time";
  uint64_t whole = 0;
  for (int64_t i = 0; i < point; ++i) whole = whole * 10 + uint64_t(i < int64_t(n) ? all[i] - '0' : 0);
  if (whole > uint64_t(INT64_MAX)) return "is too large for a time";
  time.whole = int64_t(whole);
  for (int64_t i = point; i < point + 9; ++i)
    time.part = time.part * 10 + uint32_t(i >= 0 && i < int64_t(n) ? all[i] - '0' : 0);
  return nullptr;
}

const char* TimeColumn::parse_date(std::string_view text, Time& time) noexcept {
  const int year = digits(text, 4);
  const char between = text[0];
  text.remove_prefix(1);
  const int month = digits(text, 2);
  if (month < 0 || !take(text, between)) return kNoTime;
  const int day = digits(text, 2);
  if (!is_day(year, month, day)) return day < 0 ? kNoTime : "is a day that no calendar has";
  int hour = 0, minute = 0, second = 0;
  int64_t offset = 0;
  if (take(text, 'T') || take(text, ' ')) {
    hour = digits(text, 2);
    if (hour < 0 || !take(text, ':') || (minute = digits(text, 2)) < 0) return kNoTime;
    if (take(text, ':')) {
      if ((second = digits(text, 2)) < 0) return kNoTime;
      if (take(text, '.') || take(text, ',')) {
        uint32_t scale = 100'000'000;
        if (text.empty() || !digit(text[0])) return kNoTime;
        for (; !text.empty() && digit(text[0]); text.remove_prefix(1), scale /= 10)
          time.part += scale * uint32_t(text[0] - '0');
      }
    }
    if (hour > 23 || minute > 59 || second > 60) return "is an hour that no clock has";
    const bool minus = !text.empty() && text[0] == '-';
    if (text == " UTC" || text == "Z") {
      text = {};
    } else if (take(text, '+') || take(text, '-')) {
      const int hours = digits(text, 2);
      take(text, ':');
      const int minutes = text.empty() ? 0 : digits(text, 2);
      if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return kNoTime;
      offset = (hours * 60 + minutes) * (minus ? -60 : 60);
    }
  }
  if (!text.empty()) return kNoTime;
  time.date = true;
  time.whole = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
  return nullptr;
}

void TimeColumn::refuse(const std::string& where, std::string_view text, const char* fault) {
  fail(Status::bad_file, "%s: '%s' %s", where.c_str(), shown(text.substr(0, 40)).c_str(), fault);
}

void TimeColumn::keep(const Time& time, std::string_view text, int64_t line) {
  const int unit = time.date                   ? 4
                   : time.whole >= kFirstNano  ? 3
                   : time.whole >= kFirstMicro ? 2
                   : time.whole >= kFirstMilli ? 1
                                               : 0;
  if (seen_[unit].line == 0) seen_[unit] = {line, shown(text.substr(0, 40))};
  calendar_ += !time.date && time.part == 0 && reads_as_calendar(time.whole);
  whole_.push_back(time.whole);
  if (!part_.empty() || time.part != 0) {
    part_.resize(whole_.size());
    part_.back() = time.part;
  }
}

void TimeColumn::finish(const std::string& file) {
  const Seen* first = nullptr;
  for (int unit = 0; unit < 5; ++unit) {
    if (seen_[unit].line == 0) continue;
    if (first)
      fail(Status::bad_file,
           "%s: the time '%s' in line %jd is in %s, '%s' in line %jd in %s; expected one unit throughout", file.c_str(),
           first->text.c_str(), first->line, kUnits[unit_], seen_[unit].text.c_str(), seen_[unit].line, kUnits[unit]);
    first = &seen_[unit];
    unit_ = unit;
  }
  if (first && calendar_ == int64_t(whole_.size()))
    fail(Status::bad_file,
         "%s, line %jd: the time '%s' looks like a date without its dashes; expected 2026-11-29, 2026-11-29T07:13:12 "
         "or seconds",
         file.c_str(), first->line, first->text.c_str());
}

const char* TimeColumn::unit() const noexcept { return kUnits[unit_]; }

int64_t TimeColumn::seconds(size_t i) const noexcept {
  return whole_[i] / kPerSecond[unit_];  // dates, which alone may be below 0, are whole seconds already
}

bool TimeColumn::before(size_t a, size_t b) const noexcept {
  if (whole_[a] != whole_[b] || part_.empty()) return whole_[a] < whole_[b];
  return part_[a] < part_[b];
}

}  // namespace puna::recsys
