#include "grammar/frontends/decimal.h"

#include <algorithm>
#include <charconv>

namespace puna::grammar {
namespace {

constexpr int64_t kMostDigits = 2000;

void normalise(Decimal& d) {
  const size_t last = d.digits.find_last_not_of('0');
  d.digits.resize(last == std::string::npos ? 0 : last + 1);
  const size_t zeros = std::min(d.digits.find_first_not_of('0'), d.digits.size());
  d.digits.erase(0, zeros);
  d.point -= int64_t(zeros);
  if (d.digits.empty()) d = {};
}

std::strong_ordering compare_magnitudes(const Decimal& a, const Decimal& b) {
  if (a.is_zero() || b.is_zero()) return !a.is_zero() <=> !b.is_zero();
  if (a.point != b.point) return a.point <=> b.point;
  return a.digits.compare(b.digits) <=> 0;
}

}  // namespace

std::strong_ordering operator<=>(const Decimal& a, const Decimal& b) {
  if (a.negative != b.negative) return b.negative <=> a.negative;
  return a.negative ? compare_magnitudes(b, a) : compare_magnitudes(a, b);
}

Decimal Decimal::negated() const {
  Decimal d = *this;
  d.negative = !negative && !is_zero();
  return d;
}

Decimal Decimal::magnitude() const {
  Decimal d = *this;
  d.negative = false;
  return d;
}

std::string Decimal::whole_digits() const {
  if (point <= 0) return "0";
  std::string whole = digits.substr(0, size_t(std::min(point, int64_t(digits.size()))));
  whole.resize(size_t(point), '0');
  return whole;
}

std::string Decimal::fraction_digits() const {
  if (is_whole()) return "";
  return point >= 0 ? digits.substr(size_t(point)) : std::string(size_t(-point), '0') + digits;
}

Decimal Decimal::floor() const {
  if (is_whole()) return *this;
  Decimal d;
  d.negative = negative;
  d.digits = whole_digits();
  if (negative) {  // away from zero
    size_t i = d.digits.size();
    while (i > 0 && d.digits[i - 1] == '9') d.digits[--i] = '0';
    if (i == 0)
      d.digits.insert(d.digits.begin(), '1');
    else
      ++d.digits[i - 1];
  }
  d.point = int64_t(d.digits.size());
  normalise(d);
  return d;
}

std::string Decimal::text() const {
  std::string out = (negative ? "-" : "") + whole_digits();
  const std::string fraction = fraction_digits();
  return fraction.empty() ? out : out + "." + fraction;
}

std::optional<Decimal> parse_decimal(std::string_view text) {
  Decimal d;
  size_t at = 0;
  if (at < text.size() && text[at] == '-') d.negative = true, ++at;
  bool fraction = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '.' && !fraction)
      fraction = true;
    else if (c >= '0' && c <= '9')
      d.digits += c, d.point += !fraction;
    else
      break;
  }
  if (d.digits.empty()) return std::nullopt;
  if (at < text.size()) {
    if (text[at] != 'e' && text[at] != 'E') return std::nullopt;
    ++at;
    if (at < text.size() && text[at] == '+') ++at;
    int64_t exponent = 0;
    const auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), exponent);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    if (exponent > kMostDigits || exponent < -kMostDigits) return std::nullopt;
    d.point += exponent;
  }
  normalise(d);
  if (d.point > kMostDigits || int64_t(d.digits.size()) - d.point > kMostDigits) return std::nullopt;
  return d;
}

Decimal decimal(int64_t value) { return *parse_decimal(std::to_string(value)); }

}  // namespace puna::grammar
