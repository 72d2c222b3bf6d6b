// jinja_text.cpp -- strip, replace, center, splitlines, join on code points, paid for by length.
#include "text/jinja_text.h"

#include <algorithm>

#include "text/jinja_ops.h"
#include "text/jinja_unicode.h"

namespace puna::jinja {

Value strip_text(Machine& m, const Value& self, const Value* chars, bool left, bool right) {
  std::string_view s = self.text();
  m.charge_text(int64_t(s.size()));
  if (!chars) return m.text(std::string(strip_space(s, left, right)), is_markup(self));
  m.charge_text(4 * int64_t(chars->text().size()));
  std::u32string set = decode_utf8(chars->text());
  std::sort(set.begin(), set.end());
  const std::u32string u = decode_utf8(s);
  const auto in_set = [&](char32_t c) { return std::binary_search(set.begin(), set.end(), c); };
  size_t from = 0, to = u.size();
  while (left && from < to && in_set(u[from])) ++from;
  while (right && to > from && in_set(u[to - 1])) --to;
  return m.text(encode_utf8(std::u32string_view(u).substr(from, to - from)), is_markup(self));
}

Value replace_text(Machine& m, const Value& self, std::string_view from, std::string_view to, int64_t count) {
  const std::string& s = self.text();
  m.charge_text(int64_t(s.size()));
  std::string out;
  if (count < 0) count = INT64_MAX;
  const auto put = [&](std::string_view piece) {
    if (int64_t(out.size() + piece.size()) > m.limits().output_bytes) m.charge_text(INT64_MAX);  // fails
    out += piece;
  };
  size_t i = 0;
  if (from.empty()) {  // between all characters, and at both ends
    while (count-- > 0) {
      put(to);
      if (i >= s.size()) return m.text(std::move(out), is_markup(self));
      const size_t start = i;
      next_code_point(s, i);
      put(std::string_view(s).substr(start, i - start));
    }
  } else {
    for (size_t at; count-- > 0 && (at = s.find(from, i)) != s.npos; i = at + from.size()) {
      put(std::string_view(s).substr(i, at - i));
      put(to);
    }
  }
  put(std::string_view(s).substr(i));
  return m.text(std::move(out), is_markup(self));
}

Value center_text(Machine& m, const Value& self, int64_t width, char32_t fill) {
  const int64_t length = self.as<Text>().length;
  if (width <= length) return self;
  const int64_t pad = width - length, left = pad / 2 + (pad & width & 1);  // CPython's choice of the longer side
  m.charge_text(pad > INT32_MAX ? INT64_MAX : 4 * pad);
  std::string out;
  for (int64_t i = 0; i < left; ++i) append_utf8(out, fill);
  out += self.text();
  for (int64_t i = left; i < pad; ++i) append_utf8(out, fill);
  return m.text(std::move(out), is_markup(self));
}

std::vector<Value> split_lines(Machine& m, const Value& self, bool keep_ends) {
  const std::string& s = self.text();
  m.charge_text(int64_t(s.size()));
  std::vector<Value> lines;
  for (size_t i = 0, start = 0; i < s.size(); start = i) {
    size_t end = i;
    for (; i < s.size(); end = i) {
      const char32_t c = next_code_point(s, i);
      if (!is_line_break(c)) continue;
      if (c == '\r' && i < s.size() && s[i] == '\n') ++i;
      break;
    }
    lines.push_back(m.text(s.substr(start, (keep_ends ? i : end) - start), is_markup(self)));
  }
  return lines;
}

Value join_text(Machine& m, const Value& separator, const Value& iterable) {
  const bool markup = is_markup(separator);
  std::string out;
  bool first = true;
  const auto it = m.iterate(iterable);
  for (Value v; it->next(m, v); first = false) {
    if (!v.is_string() && !markup) m.fail("sequence item: expected str instance, %s found", type_name(v));
    const Value piece = markup ? escaped(m, v) : v;
    m.charge_text(int64_t(piece.text().size() + separator.text().size()));
    if (!first) out += separator.text();
    out += piece.text();
    m.check_size(out.size());
  }
  return m.text(std::move(out), markup);
}

bool text_window(const Value& self, int64_t start, int64_t end, size_t& from, size_t& to) {
  const int64_t n = self.as<Text>().length;
  if (end > n) end = n;
  if (end < 0) end = std::max<int64_t>(end + n, 0);
  if (start < 0) start = std::max<int64_t>(start + n, 0);
  if (start > end) return false;
  const bool ascii = self.as<Text>().ascii();
  from = ascii ? size_t(start) : byte_offset(self.text(), start);
  to = ascii ? size_t(end) : byte_offset(self.text(), end);
  return true;
}

}  // namespace puna::jinja
