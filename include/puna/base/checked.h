// checked.h -- Size: checked arithmetic for sizes that come from a file. An overflow makes the value invalid instead of
// wrapping; take() alone returns the number, and its error names the field.
//   const uint64_t bytes = (Size(rows) * row_bytes + header).take(file_size, "tensor '%s': byte size", name);
// (USERS.md: the rivals' size arithmetic wrapped at least five times, once as a bypass of its own fix.)
#pragma once
#include <cstdint>

#include "puna/base/error.h"

namespace puna {

class Size {
 public:
  constexpr Size(uint64_t value) noexcept : value_(value) {}
  static constexpr Size from_signed(int64_t value) noexcept {
    Size s(value < 0 ? 0 : uint64_t(value));
    s.valid_ = value >= 0;
    return s;
  }

  constexpr Size& operator+=(Size o) noexcept {
    valid_ = valid_ && o.valid_ && !__builtin_add_overflow(value_, o.value_, &value_);
    return *this;
  }
  constexpr Size& operator*=(Size o) noexcept {
    valid_ = valid_ && o.valid_ && !__builtin_mul_overflow(value_, o.value_, &value_);
    return *this;
  }
  constexpr Size& operator-=(Size o) noexcept {  // going below zero is an overflow too
    valid_ = valid_ && o.valid_ && !__builtin_sub_overflow(value_, o.value_, &value_);
    return *this;
  }
  // Rounds up to a multiple of `unit` (zero makes the value invalid).
  constexpr Size round_up(uint64_t unit) const noexcept {
    Size r = *this;
    if (unit == 0) {
      r.valid_ = false;
      return r;
    }
    const uint64_t rest = value_ % unit;
    if (rest != 0) r += Size(unit - rest);
    return r;
  }
  friend constexpr Size operator+(Size a, Size b) noexcept { return a += b; }
  friend constexpr Size operator*(Size a, Size b) noexcept { return a *= b; }
  friend constexpr Size operator-(Size a, Size b) noexcept { return a -= b; }

  constexpr bool fits(uint64_t limit) const noexcept { return valid_ && value_ <= limit; }

  // The number, if no step overflowed and it is at most `limit`; otherwise Error{bad_file} "<field>: ...".
  uint64_t take(uint64_t limit, const char* field_format, ...) const __attribute__((format(printf, 3, 4)));

 private:
  uint64_t value_;
  bool valid_ = true;
};

}  // namespace puna
