// decimal_multiple.cpp -- decimal numbers that are multiples of another, as an expression. What is left of one after a
// digit is another one: the remainder so far, and how many digits behind the point may still count.
#include "grammar/regex.h"
#include "puna/base/error.h"

namespace puna::grammar {
namespace {

using Multiple = RegexBuilder::Multiple;

uint64_t times_power_of_ten(uint64_t rest, uint32_t power, uint64_t divisor) {
  for (; power > 0 && rest != 0; --power) rest = rest * 10 % divisor;
  return rest;
}

bool accepts(const Multiple& m) {
  const bool digit_last = m.place == Multiple::whole || m.place == Multiple::fraction;
  return digit_last && times_power_of_ten(m.rest, m.places_left, m.divisor) == 0;
}

// Before the point digits can always be found that make it a multiple; behind it, there are only so many.
bool alive(const Multiple& m) {
  if (m.place == Multiple::start || m.place == Multiple::whole) return true;
  const uint64_t rest = times_power_of_ten(m.rest, m.places_left, m.divisor);
  uint64_t reach = 1;
  for (uint32_t i = 0; i < m.places_left && reach < m.divisor; ++i) reach *= 10;
  return rest == 0 || m.divisor - rest < reach;
}

bool step(Multiple& m, uint8_t byte) {
  if (byte == '.') {
    if (m.place != Multiple::whole) return false;
    m.place = Multiple::point;
    return alive(m);
  }
  if (byte < '0' || byte > '9') return false;
  const bool behind = m.place == Multiple::point || m.place == Multiple::fraction;
  m.place = behind ? Multiple::fraction : Multiple::whole;
  if (behind && m.places_left == 0) return byte == '0' && alive(m);
  if (behind) --m.places_left;
  m.rest = (m.rest * 10 + uint64_t(byte - '0')) % m.divisor;
  return alive(m);
}

}  // namespace

Regex RegexBuilder::decimal_multiple(uint64_t divisor, uint32_t scale) {
  PUNA_REQUIRE(divisor > 0 && divisor <= uint64_t(1) << 59 && scale <= 1000, "a multiple of %ju / 10^%u", divisor,
               scale);
  for (const char digit : {'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '.'}) {
    ByteSet one;
    one.add(uint8_t(digit));
    set_number(one);  // each digit is a class of its own
  }
  return intern_multiple({divisor, 0, scale, Multiple::start});
}

Regex RegexBuilder::after(const Multiple& multiple, uint8_t byte) {
  Multiple next = multiple;
  return step(next, byte) ? intern_multiple(next) : nothing();
}

Regex RegexBuilder::intern_multiple(const Multiple& multiple) {
  ByteSet begins;
  for (const char c : {'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '.'}) {
    Multiple next = multiple;
    if (step(next, uint8_t(c))) begins.add(uint8_t(c));
  }
  const uint64_t hash = mixed(mixed(mixed(7, multiple.divisor), multiple.rest),
                              uint64_t(multiple.places_left) << 8 | uint64_t(multiple.place));
  const uint32_t known = multiple_table_.find(hash, [&](uint32_t n) { return multiples_[n] == multiple; });
  uint32_t number = known;
  if (known == kNone) {
    multiple_table_.reserve_one();
    multiples_.push_back(multiple);
    number = uint32_t(multiples_.size() - 1);
    multiple_table_.insert(hash, number);
  }
  return intern({.op = Op::multiple,
                 .nullable = accepts(multiple),
                 .plain = true,
                 .first = 0,
                 .x = {},
                 .a = number,
                 .b = 0,
                 .hash = hash},
                begins);
}

}  // namespace puna::grammar
