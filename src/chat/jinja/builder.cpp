// builder.cpp -- adding to a text piece by piece.
#include "chat/jinja/builder.h"

#include <algorithm>

#include "chat/jinja/unicode.h"

namespace puna::jinja {

void TextBuilder::add(std::string_view s, bool content) {
  m_.check_size(int64_t(out_.text.size() + s.size()));
  const size_t spans = out_.spans.size();
  for (size_t i = 0; i < s.size(); i += Machine::kPiece) {
    const std::string_view piece = s.substr(i, Machine::kPiece);
    m_.charge_bytes(int64_t(piece.size()));
    out_.add(piece, content);
  }
  if (out_.spans.size() > spans) m_.charge(1);
}

void TextBuilder::add(const Text& t, size_t begin, size_t end) {
  t.each_stretch(begin, end, [&](size_t from, size_t to, bool content) {
    add(std::string_view(t.text).substr(from, to - from), content);
  });
}

void TextBuilder::add_character(char32_t c, bool content) {
  piece_.clear();
  append_utf8(piece_, c);
  add(piece_, content);
}

void TextBuilder::repeat(std::string_view unit, int64_t times, bool content) {
  if (times <= 0 || unit.empty()) return;
  int64_t total = 0;
  if (__builtin_mul_overflow(int64_t(unit.size()), times, &total) ||
      __builtin_add_overflow(int64_t(size()), total, &total))
    total = INT64_MAX;
  m_.check_size(total);
  std::string several;  // short units are added many at a time
  const int64_t at_once = std::min<int64_t>(times, std::max<int64_t>(4096 / int64_t(unit.size()), 1));
  for (int64_t i = 0; i < at_once; ++i) several += unit;
  for (; times >= at_once; times -= at_once) add(several, content);
  add(std::string_view(several).substr(0, size_t(times) * unit.size()), content);
}

void TextBuilder::repeat(const Text& unit, int64_t times) {
  if (!unit.some) return repeat(unit.text, times, unit.all);
  int64_t total = 0;
  if (times > 0 && __builtin_mul_overflow(int64_t(unit.text.size()), times, &total)) total = INT64_MAX;
  m_.check_size(total);
  for (; times > 0; --times) {
    m_.charge(1);
    add(unit);
  }
}

}  // namespace puna::jinja
