// text.cpp -- strip, replace, center, splitlines, join, case on code points, paid for by length.
#include "chat/jinja/text.h"

#include <algorithm>

#include "chat/jinja/builder.h"
#include "chat/jinja/ops.h"
#include "chat/jinja/search.h"

namespace puna::jinja {

Value part_of(Machine& m, const Value& text, size_t begin, size_t end) {
  const Text& t = text.as<Text>();
  if (begin == 0 && end == t.text.size()) return text;
  TextBuilder out(m);
  out.add(t, begin, end);
  return out.finish(t.markup);
}

Value as_markup(Machine& m, const Value& text, bool markup) {
  if (is_markup(text) == markup) return text;
  TextBuilder out(m);
  out.add(text);
  return out.finish(markup);
}

Value strip_text(Machine& m, const Value& self, const Value* chars, bool left, bool right) {
  const std::string_view s = self.text();
  std::u32string set;
  if (chars)
    for (size_t i = 0; i < chars->text().size(); m.charge_bytes(16)) set += next_code_point(chars->text(), i);
  std::sort(set.begin(), set.end());
  set.erase(std::unique(set.begin(), set.end()), set.end());
  const auto goes = [&](char32_t c) {
    m.charge_bytes(8);
    return chars ? std::binary_search(set.begin(), set.end(), c) : is_space(c);
  };
  size_t begin = 0, end = s.size();
  for (size_t next = 0; left && begin < end && goes(next_code_point(s, next)); begin = next) {}
  for (size_t next = end; right && begin < end && goes(previous_code_point(s, next)); end = next) {}
  return part_of(m, self, begin, end);
}

Value replace_text(Machine& m, const Value& self, const Value& from, const Value& to, int64_t count) {
  const Text &t = self.as<Text>(), &put = to.as<Text>();
  const std::string_view s = t.text;
  TextBuilder out(m);
  if (count < 0) count = INT64_MAX;
  size_t i = 0;
  if (from.text().empty()) {  // between all characters, and at both ends
    while (count-- > 0) {
      m.charge_bytes(8);
      out.add(put);
      if (i >= s.size()) return out.finish(t.markup);
      const size_t start = i;
      next_code_point(s, i);
      out.add(t, start, i);
    }
  } else {
    const Needle needle(m, from.text());
    for (size_t at; count-- > 0 && (at = needle.find(s.substr(i))) != s.npos; i += at + from.text().size()) {
      m.charge_bytes(8);
      out.add(t, i, i + at);
      out.add(put);
    }
    if (i == 0) return self;
  }
  out.add(t, i, s.size());
  return out.finish(t.markup);
}

Value center_text(Machine& m, const Value& self, int64_t width, const Value& fill) {
  const int64_t length = self.as<Text>().length;
  if (width <= length) return self;
  const int64_t pad = width - length, left = pad / 2 + (pad & width & 1);  // CPython's choice of the longer side
  TextBuilder out(m);
  out.repeat(fill.as<Text>(), left);
  out.add(self);
  out.repeat(fill.as<Text>(), pad - left);
  return out.finish(is_markup(self));
}

std::vector<Value> split_lines(Machine& m, const Value& self, bool keep_ends) {
  const std::string& s = self.text();
  std::vector<Value> lines;
  for (size_t i = 0, start = 0; i < s.size(); start = i) {
    size_t end = i;
    for (; i < s.size(); end = i) {
      m.charge_bytes(4);
      const char32_t c = next_code_point(s, i);
      if (!is_line_break(c)) continue;
      if (c == '\r' && i < s.size() && s[i] == '\n') ++i;
      break;
    }
    lines.push_back(part_of(m, self, start, keep_ends ? i : end));
  }
  return lines;
}

Value join_text(Machine& m, const Value& separator, const Value& iterable) {
  const bool markup = is_markup(separator);
  TextBuilder out(m);
  bool first = true;
  const auto it = m.iterate(iterable);
  for (Value v; it->next(m, v); first = false) {
    if (!v.is_string() && !markup) m.fail("sequence item: expected str instance, %s found", type_name(v));
    m.charge(1);
    if (!first) out.add(separator);
    out.add(markup ? escaped(m, v) : v);
  }
  return out.finish(markup);
}

bool text_window(Machine& m, const Value& self, int64_t start, int64_t end, size_t& from, size_t& to) {
  const Text& t = self.as<Text>();
  const int64_t n = t.length;
  if (end > n) end = n;
  if (end < 0) end = std::max<int64_t>(end + n, 0);
  if (start < 0) start = std::max<int64_t>(start + n, 0);
  if (start > end) return false;
  const auto offset = [&](int64_t i) {
    return t.ascii() ? size_t(i) : i == n ? t.text.size() : character_offset(m, t.text, i);
  };
  from = offset(start);
  to = offset(end);
  return true;
}

Value with_case(Machine& m, const Value& text, CaseMap map) {
  const Text& t = text.as<Text>();
  TextBuilder out(m);
  out.add_mapped(t, 0, t.text.size(), [&](std::string& piece, size_t from, size_t to) {
    for (size_t next = from; from < to && piece.size() < 4096; from = next) {
      m.charge_bytes(16);
      next_code_point(t.text, next);
      map(m, piece, t.text, from, next);
    }
    return from;
  });
  return out.finish(t.markup);
}

Value concatenate(Machine& m, const Value& a, const Value& b) {
  const bool markup = is_markup(a) || is_markup(b);
  TextBuilder out(m);
  out.add(markup ? escaped(m, a) : a);
  out.add(markup ? escaped(m, b) : b);
  return out.finish(markup);
}

bool has_only_case(Machine& m, std::string_view s, bool (*has)(char32_t) noexcept, bool (*has_not)(char32_t) noexcept) {
  bool any = false;
  for (size_t i = 0; i < s.size();) {
    m.charge_bytes(16);
    const char32_t c = next_code_point(s, i);
    if (has_not(c) || is_title(c)) return false;
    any = any || has(c);
  }
  return any;
}

}  // namespace puna::jinja
