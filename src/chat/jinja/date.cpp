// date.cpp -- strftime in the C locale, as Python on Linux answers it, for a date the caller gives.
#include <charconv>
#include <cstdio>

#include "chat/jinja/globals.h"

namespace puna::jinja {
namespace {

constexpr const char* kDays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
constexpr const char* kMonths[] = {"January", "February", "March",     "April",   "May",      "June",
                                   "July",    "August",   "September", "October", "November", "December"};

struct Date {
  int year, month, day;
};

bool is_leap(int y) { return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0; }
int days_in(int y, int month) {
  constexpr int kDaysIn[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return kDaysIn[month - 1] + (month == 2 && is_leap(y));
}

bool parse(std::string_view s, Date& d) {
  if (s.size() != 10 || s[4] != '-' || s[7] != '-') return false;
  const auto number = [&](size_t at, size_t n, int& out) {
    const auto [end, error] = std::from_chars(s.data() + at, s.data() + at + n, out);
    return error == std::errc() && end == s.data() + at + n && s[at] != '-';
  };
  return number(0, 4, d.year) && number(5, 2, d.month) && number(8, 2, d.day) && d.year >= 1 && d.month >= 1 &&
         d.month <= 12 && d.day >= 1 && d.day <= days_in(d.year, d.month);
}

int day_of_year(const Date& d) {  // 1-based
  int n = d.day;
  for (int m = 1; m < d.month; ++m) n += days_in(d.year, m);
  return n;
}

int weekday(const Date& d) {  // Sunday = 0; day 1 of year 1 was a Monday
  const int y = d.year - 1;
  return (y * 365 + y / 4 - y / 100 + y / 400 + day_of_year(d)) % 7;
}

// ISO 8601: weeks start on Monday, week 1 holds the year's first Thursday.
void iso_week(const Date& d, int& year, int& week) {
  const int from_monday = (weekday(d) + 6) % 7, thursday = day_of_year(d) - from_monday + 3;
  const int length = is_leap(d.year) ? 366 : 365;
  year = d.year + (thursday > length) - (thursday < 1);
  const int in_year = thursday < 1        ? thursday + (is_leap(year) ? 366 : 365)
                      : thursday > length ? thursday - length
                                          : thursday;
  week = (in_year - 1) / 7 + 1;
}

class Formatter {
 public:
  Formatter(Machine& m, const Date& date) : m_(m), d_(date) {}
  std::string run(std::string_view format, int depth = 0) {
    std::string out;
    for (size_t i = 0; i < format.size(); ++i) {
      m_.charge_bytes(64);
      if (format[i] != '%' || i + 1 >= format.size()) {
        out += format[i];
        continue;
      }
      const size_t start = i++;
      pad_ = '\0';
      while (i + 1 < format.size() && (format[i] == '-' || format[i] == '_' || format[i] == '0' || format[i] == '^')) {
        m_.charge_bytes(1);
        pad_ = format[i++];
      }
      const std::string piece = depth > 1 ? std::string() : field(format[i]);
      out += piece.empty() && format[i] != 'Z' && format[i] != 'z' ? std::string(format.substr(start, i - start + 1))
                                                                   : upper(piece);
    }
    return out;
  }

 private:
  std::string number(int value, int width, char fill = '0') const {
    if (pad_ == '-') return std::to_string(value);
    if (pad_ == '_') fill = ' ';
    if (pad_ == '0') fill = '0';
    const std::string digits = std::to_string(value);
    return std::string(digits.size() < size_t(width) ? size_t(width) - digits.size() : 0, fill) + digits;
  }
  std::string upper(std::string s) const {
    for (char& c : s)
      if (pad_ == '^' && c >= 'a' && c <= 'z') c = char(c - 32);
    return s;
  }

  std::string field(char c) {  // "" for what strftime does not know
    const int day = weekday(d_);
    int iso_year = 0, week = 0;
    iso_week(d_, iso_year, week);
    switch (c) {
      case 'd': return number(d_.day, 2);
      case 'e': return number(d_.day, 2, ' ');
      case 'm': return number(d_.month, 2);
      case 'Y': return std::to_string(d_.year);
      case 'y': return number(d_.year % 100, 2);
      case 'C': return number(d_.year / 100, 2);
      case 'b':
      case 'h': return std::string(kMonths[d_.month - 1]).substr(0, 3);
      case 'B': return kMonths[d_.month - 1];
      case 'a': return std::string(kDays[day]).substr(0, 3);
      case 'A': return kDays[day];
      case 'u': return number(day == 0 ? 7 : day, 1);
      case 'w': return number(day, 1);
      case 'j': return number(day_of_year(d_), 3);
      case 'U': return number((day_of_year(d_) + 6 - day) / 7, 2);
      case 'W': return number((day_of_year(d_) + 6 - (day + 6) % 7) / 7, 2);
      case 'V': return number(week, 2);
      case 'G': return std::to_string(iso_year);
      case 'g': return number(iso_year % 100, 2);
      case 'H':
      case 'M':
      case 'S': return number(0, 2);
      case 'k': return number(0, 2, ' ');
      case 'I': return number(12, 2);
      case 'l': return number(12, 2, ' ');
      case 'f': return "000000";
      case 'p': return "AM";
      case 'P': return "am";
      case 'D':
      case 'x': return Formatter(m_, d_).run("%m/%d/%y", 1);
      case 'F': return Formatter(m_, d_).run("%Y-%m-%d", 1);
      case 'T':
      case 'X': return "00:00:00";
      case 'R': return "00:00";
      case 'r': return "12:00:00 AM";
      case 'c': return Formatter(m_, d_).run("%a %b %e 00:00:00 %Y", 1);
      case 'n': return "\n";
      case 't': return "\t";
      case '%': return "%";
      default: return "";
    }
  }

  Machine& m_;
  const Date d_;
  char pad_ = '\0';
};

}  // namespace

bool is_date(std::string_view date) {
  Date d{};
  return parse(date, d);
}

std::string format_date(Machine& m, std::string_view date, std::string_view format) {
  Date d{};
  if (!parse(date, d)) m.fail("'%.20s' is not a date YYYY-MM-DD", std::string(date).c_str());
  m.check_size(16 * int64_t(format.size()));
  return Formatter(m, d).run(format);
}

}  // namespace puna::jinja
