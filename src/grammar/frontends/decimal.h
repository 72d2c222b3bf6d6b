// decimal.h -- the numbers of a schema, exactly: bounds such as 0.1 or 1e400 have no double.
#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace puna::grammar {

// (-1)^negative * 0.DIGITS * 10^point. Zero has no digits; others begin and end with a digit that is not 0.
struct Decimal {
  bool negative = false;
  std::string digits;
  int64_t point = 0;

  bool is_zero() const noexcept { return digits.empty(); }
  bool is_whole() const noexcept { return point >= int64_t(digits.size()); }
  Decimal negated() const;
  Decimal magnitude() const;
  std::string whole_digits() const;     // "12" of 12.34, "0" of 0.5
  std::string fraction_digits() const;  // "34" of 12.34, "" of 12
  Decimal floor() const;                // the next whole number towards minus infinity
  Decimal ceil() const { return negated().floor().negated(); }
  std::string text() const;  // "-12.34"
  bool operator==(const Decimal&) const = default;
};
std::strong_ordering operator<=>(const Decimal& a, const Decimal& b);

// A JSON number. nullopt: not one, or one of more than 2000 digits when written without an exponent.
std::optional<Decimal> parse_decimal(std::string_view text);
Decimal decimal(int64_t value);

}  // namespace puna::grammar
