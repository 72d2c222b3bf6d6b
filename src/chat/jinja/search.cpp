// search.cpp -- comparing and searching in linear time, watched.
#include "chat/jinja/search.h"

#include <algorithm>
#include <cstring>

#include "chat/jinja/unicode.h"

namespace puna::jinja {
namespace {

template <bool Mirrored>
uint8_t byte(std::string_view s, size_t i) {
  return uint8_t(Mirrored ? s[s.size() - 1 - i] : s[i]);
}

}  // namespace

int compare_bytes(Machine& m, std::string_view a, std::string_view b) {
  const size_t n = std::min(a.size(), b.size());
  for (size_t i = 0; i < n; i += Machine::kPiece) {
    const size_t length = std::min(n - i, Machine::kPiece);
    m.charge_bytes(8 + int64_t(length) / 4);  // memcmp is quick
    if (const int order = std::memcmp(a.data() + i, b.data() + i, length)) return order < 0 ? -1 : 1;
  }
  return a.size() < b.size() ? -1 : a.size() > b.size();
}

bool equal_bytes(Machine& m, std::string_view a, std::string_view b) {
  return a.size() == b.size() && compare_bytes(m, a, b) == 0;
}

Needle::Needle(Machine& m, std::string_view needle, bool from_right) : m_(m), needle_(needle), from_right_(from_right) {
  from_right ? factorise<true>() : factorise<false>();
}

size_t Needle::find(std::string_view s) const {
  if (needle_.size() > s.size()) return s.npos;
  if (needle_.empty()) return from_right_ ? s.size() : 0;
  if (!from_right_) return search<false>(s);
  const size_t mirrored = search<true>(s);
  return mirrored == s.npos ? s.npos : s.size() - needle_.size() - mirrored;
}

// The start of the needle's suffix that is greatest in alphabetical order (or in the reverse one), and that suffix's
// period.
template <bool Mirrored>
size_t Needle::maximal_suffix(bool greatest, size_t& period) const {
  size_t start = 0, at = 1, k = 0;
  period = 1;
  for (; at + k < needle_.size(); m_.charge_bytes(2)) {
    const uint8_t a = byte<Mirrored>(needle_, at + k), b = byte<Mirrored>(needle_, start + k);
    if (a == b) {
      if (++k == period) {
        at += period;
        k = 0;
      }
    } else if ((a < b) == greatest) {  // a smaller suffix: the period is all up to here
      at += k + 1;
      k = 0;
      period = at - start;
    } else {
      start = at++;
      k = 0;
      period = 1;
    }
  }
  return start;
}

template <bool Mirrored>
void Needle::factorise() {
  size_t p = 1, q = 1;
  const size_t a = maximal_suffix<Mirrored>(true, p), b = maximal_suffix<Mirrored>(false, q);
  right_ = std::max(a, b);
  period_ = a > b ? p : q;
  periodic_ = right_ + period_ <= needle_.size();
  for (size_t i = 0; periodic_ && i < right_; ++i) {
    m_.charge_bytes(1);
    periodic_ = byte<Mirrored>(needle_, i) == byte<Mirrored>(needle_, i + period_);
  }
  if (!periodic_) period_ = std::max(right_, needle_.size() - right_) + 1;
}

template <bool Mirrored>
size_t Needle::search(std::string_view s) const {
  const size_t n = needle_.size();
  for (size_t at = 0, known = 0; at + n <= s.size();) {  // the first `known` bytes of the needle are known to be here
    size_t i = std::max(right_, known);
    for (; i < n && byte<Mirrored>(needle_, i) == byte<Mirrored>(s, at + i); ++i) m_.charge_bytes(2);
    m_.charge_bytes(2);
    if (i < n) {
      at += i - right_ + 1;
      known = 0;
      continue;
    }
    for (i = right_; i > known && byte<Mirrored>(needle_, i - 1) == byte<Mirrored>(s, at + i - 1); --i)
      m_.charge_bytes(2);
    if (i <= known) return at;
    at += period_;
    known = periodic_ ? n - period_ : 0;
  }
  return s.npos;
}

size_t find_last_byte(Machine& m, std::string_view s, char c) {
  for (size_t i = s.size(); i > 0; --i) {
    m.charge_bytes(1);
    if (s[i - 1] == c) return i - 1;
  }
  return s.npos;
}

int64_t count_characters(Machine& m, std::string_view s) {
  int64_t n = 0;
  for (size_t i = 0; i < s.size(); i += Machine::kPiece) {
    const std::string_view piece = s.substr(i, Machine::kPiece);
    m.charge_bytes(int64_t(piece.size()));
    n += count_code_points(piece);
  }
  return n;
}

size_t character_offset(Machine& m, std::string_view s, int64_t n) {
  size_t i = 0;
  for (; n > 0 && i < s.size(); --n) {
    const size_t start = i;
    next_code_point(s, i);
    m.charge_bytes(int64_t(i - start));
  }
  return i;
}

}  // namespace puna::jinja
