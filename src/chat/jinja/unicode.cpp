// unicode.cpp -- UTF-8 in and out, and Python's str case mappings and classes by the generated tables.
#include "chat/jinja/unicode.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>

#include "chat/jinja/machine.h"

namespace puna::jinja {
namespace {
struct CaseRange {
  char32_t first, last;
  uint8_t stride;
  int32_t delta;
};
struct CaseSpecial {
  char32_t code;
  char32_t to[3];
};  // zero-padded
struct CharRange {
  char32_t first, last;
  uint8_t stride;
};
}  // namespace
}  // namespace puna::jinja

#include "chat/jinja/case_map.inl.h"

namespace puna::jinja {
namespace {

template <class Range, size_t N>
const Range* find(const Range (&table)[N], char32_t c) noexcept {
  const Range* r =
      std::upper_bound(std::begin(table), std::end(table), c, [](char32_t v, const Range& e) { return v < e.first; });
  if (r == std::begin(table)) return nullptr;
  --r;
  return c <= r->last && (c - r->first) % r->stride == 0 ? r : nullptr;
}

template <size_t N, size_t M>
void append_mapped(std::string& out, char32_t c, const CaseRange (&table)[N], const CaseSpecial (&specials)[M]) {
  for (const CaseSpecial& s : specials) {
    if (c < 0x80) break;
    if (s.code != c) continue;
    for (char32_t to : s.to)
      if (to != 0) append_utf8(out, to);
    return;
  }
  const CaseRange* r = find(table, c);
  append_utf8(out, r ? char32_t(int32_t(c) + r->delta) : c);
}

// Sigma at the end of a word is ς: a cased letter before it, none after, looking through what Unicode calls
// case-ignorable.
bool is_final_sigma(Machine& m, std::string_view s, size_t begin, size_t end) {
  const auto is_ignorable = [&](char32_t c) {
    m.charge_bytes(8);
    return find(kIsIgnorable, c) != nullptr;
  };
  char32_t before = 0, after = 0;  // of no case
  while (begin > 0 && is_ignorable(before = previous_code_point(s, begin))) before = 0;
  while (end < s.size() && is_ignorable(after = next_code_point(s, end))) after = 0;
  return is_cased(before) && !is_cased(after);
}

}  // namespace

bool is_ascii(std::string_view s) noexcept {
  return std::all_of(s.begin(), s.end(), [](char c) { return uint8_t(c) < 0x80; });
}

int64_t count_code_points(std::string_view s) noexcept {
  int64_t n = 0;
  size_t i = 0;
  for (; i + 8 <= s.size(); i += 8) {  // eight at a time: all but those of the form 10xxxxxx
    uint64_t eight;
    std::memcpy(&eight, s.data() + i, 8);
    n += 8 - std::popcount((eight >> 7) & ~(eight >> 6) & 0x0101010101010101u);
  }
  for (; i < s.size(); ++i) n += (uint8_t(s[i]) & 0xc0) != 0x80;
  return n;
}

char32_t next_code_point(std::string_view s, size_t& i) noexcept {
  const uint8_t b = uint8_t(s[i++]);
  if (b < 0x80) return b;
  const int more = b < 0xe0 ? 1 : b < 0xf0 ? 2 : 3;
  char32_t c = b & (0x3f >> more);
  for (int k = 0; k < more && i < s.size(); ++k) c = (c << 6) | (uint8_t(s[i++]) & 0x3f);
  return c;
}

char32_t previous_code_point(std::string_view s, size_t& i) noexcept {
  do --i;
  while (i > 0 && (uint8_t(s[i]) & 0xc0) == 0x80);
  size_t start = i;
  return next_code_point(s, start);
}

void append_utf8(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += char(c);
  } else if (c < 0x800) {
    out += {char(0xc0 | (c >> 6)), char(0x80 | (c & 0x3f))};
  } else if (c < 0x10000) {
    out += {char(0xe0 | (c >> 12)), char(0x80 | ((c >> 6) & 0x3f)), char(0x80 | (c & 0x3f))};
  } else {
    out += {char(0xf0 | (c >> 18)), char(0x80 | ((c >> 12) & 0x3f)), char(0x80 | ((c >> 6) & 0x3f)),
            char(0x80 | (c & 0x3f))};
  }
}

size_t byte_offset(std::string_view s, int64_t n) noexcept {
  size_t i = 0;
  for (; n > 0 && i < s.size(); --n) next_code_point(s, i);
  return i;
}

bool is_alpha(char32_t c) noexcept { return find(kIsAlpha, c); }
bool is_decimal(char32_t c) noexcept { return find(kIsDecimal, c); }
bool is_digit(char32_t c) noexcept { return find(kIsDigit, c); }
bool is_numeric(char32_t c) noexcept { return find(kIsNumeric, c); }
bool is_alnum(char32_t c) noexcept { return is_alpha(c) || is_numeric(c) || is_digit(c) || is_decimal(c); }
bool is_space(char32_t c) noexcept {
  return c < 0x80 ? c == ' ' || (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x1f) : find(kIsSpace, c) != nullptr;
}
bool is_lower(char32_t c) noexcept { return find(kIsLower, c); }
bool is_upper(char32_t c) noexcept { return find(kIsUpper, c); }
bool is_title(char32_t c) noexcept { return find(kIsTitle, c); }
bool is_cased(char32_t c) noexcept { return is_lower(c) || is_upper(c) || is_title(c); }
bool is_printable(char32_t c) noexcept { return c < 0x80 ? c >= 0x20 && c < 0x7f : find(kIsPrintable, c) != nullptr; }
bool is_line_break(char32_t c) noexcept {
  return (c >= 0x0a && c <= 0x0d) || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

void map_upper(Machine&, std::string& out, std::string_view s, size_t begin, size_t) {
  append_mapped(out, next_code_point(s, begin), kUpper, kUpperSpecial);
}

void map_lower(Machine& m, std::string& out, std::string_view s, size_t begin, size_t end) {
  size_t i = begin;
  const char32_t c = next_code_point(s, i);
  if (c == 0x3a3) return append_utf8(out, is_final_sigma(m, s, begin, end) ? 0x3c2 : 0x3c3);
  append_mapped(out, c, kLower, kLowerSpecial);
}

void append_lower(std::string& out, char32_t c) { append_mapped(out, c, kLower, kLowerSpecial); }

void map_title(Machine& m, std::string& out, std::string_view s, size_t begin, size_t end) {
  size_t before = begin, i = begin;
  if (begin > 0 && is_cased(previous_code_point(s, before))) return map_lower(m, out, s, begin, end);
  append_mapped(out, next_code_point(s, i), kTitle, kTitleSpecial);
}

void map_capitalized(Machine& m, std::string& out, std::string_view s, size_t begin, size_t end) {
  size_t i = begin;
  if (begin > 0) return map_lower(m, out, s, begin, end);
  append_mapped(out, next_code_point(s, i), kTitle, kTitleSpecial);
}

void map_swapped(Machine& m, std::string& out, std::string_view s, size_t begin, size_t end) {
  size_t i = begin;
  const char32_t c = next_code_point(s, i);
  if (is_upper(c)) return map_lower(m, out, s, begin, end);
  if (is_lower(c)) return map_upper(m, out, s, begin, end);
  append_utf8(out, c);
}

std::string_view strip_space(std::string_view s, bool left, bool right) noexcept {
  while (left && !s.empty()) {
    size_t i = 0;
    if (!is_space(next_code_point(s, i))) break;
    s.remove_prefix(i);
  }
  while (right && !s.empty()) {
    size_t start = s.size() - 1;
    while (start > 0 && (uint8_t(s[start]) & 0xc0) == 0x80) --start;
    size_t i = start;
    if (!is_space(next_code_point(s, i))) break;
    s = s.substr(0, start);
  }
  return s;
}

}  // namespace puna::jinja
