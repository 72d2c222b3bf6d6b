// methods.cpp -- the methods of strings, lists, tuples, ranges and dicts that do not modify them (the sandbox
// hides the others). Each is a function of (self, arguments); looking one up gives a bound method, a value like any
// other.
#include <algorithm>
#include <iterator>

#include "chat/jinja/format.h"
#include "chat/jinja/ops.h"
#include "chat/jinja/search.h"
#include "chat/jinja/text.h"
#include "chat/jinja/unicode.h"

namespace puna::jinja {
namespace methods {
namespace {

using Method = Value (*)(Machine& m, const Value& self, Args& args);
struct Entry {
  const char* name;
  Method method;
};

struct BoundMethod final : Opaque {
  Value self;
  const Entry* entry = nullptr;
  const char* type_name() const override { return "builtin_function_or_method"; }
  bool callable() const override { return true; }
  Value call(Machine& m, Args& args) override { return entry->method(m, self, args); }
};

Value no_arguments(Machine& m, const char* name, Args& args) {
  Bound(m, name, {}, 0, args);
  return Value();
}

// ---- strings

template <CaseMap Map>
Value mapped(Machine& m, const Value& self, Args& args) {
  no_arguments(m, "str method", args);
  return with_case(m, self, Map);
}

template <bool Left, bool Right>
Value strip(Machine& m, const Value& self, Args& args) {
  Bound b(m, "strip", {"chars"}, 0, args);
  if (b.given(0)) b.string(0);
  return strip_text(m, self, b.given(0) ? &b[0] : nullptr, Left, Right);
}

// Calls f for each code point until it says no; false then.
template <class F>
bool every_character(Machine& m, std::string_view s, F f) {
  for (size_t i = 0; i < s.size();) {
    m.charge_bytes(16);
    if (!f(next_code_point(s, i))) return false;
  }
  return true;
}

template <bool (*Test)(char32_t)>
Value all_are(Machine& m, const Value& self, Args& args) {
  no_arguments(m, "str method", args);
  return Value::boolean(!self.text().empty() && every_character(m, self.text(), Test));
}

template <bool (*Has)(char32_t) noexcept, bool (*HasNot)(char32_t) noexcept>
Value case_is(Machine& m, const Value& self, Args& args) {  // islower, isupper: at least one, and none of the others
  no_arguments(m, "str method", args);
  return Value::boolean(has_only_case(m, self.text(), Has, HasNot));
}

Value is_title_text(Machine& m, const Value& self, Args& args) {
  no_arguments(m, "istitle", args);
  bool any = false, after_cased = false;
  const bool right = every_character(m, self.text(), [&](char32_t c) {
    const bool starts = is_upper(c) || is_title(c);
    if ((starts && after_cased) || (is_lower(c) && !after_cased)) return false;
    after_cased = starts || is_lower(c);
    any = any || after_cased;
    return true;
  });
  return Value::boolean(right && any);
}

bool is_ascii_char(char32_t c) { return c < 0x80; }
Value is_ascii_text(Machine& m, const Value& self, Args& args) {
  return self.text().empty() ? Value::boolean(true) : all_are<is_ascii_char>(m, self, args);
}
Value is_printable_text(Machine& m, const Value& self, Args& args) {
  return self.text().empty() ? Value::boolean(true) : all_are<is_printable>(m, self, args);
}

template <bool Start>
Value affix(Machine& m, const Value& self, Args& args) {  // startswith, endswith
  Bound b(m, Start ? "startswith" : "endswith", {"prefix", "start", "end"}, 1, args);
  size_t from = 0, to = 0;
  const bool inside =
      text_window(m, self, b.given(1) ? b.integer(1, 0) : 0, b.given(2) ? b.integer(2, 0) : INT64_MAX, from, to);
  const std::string_view s = std::string_view(self.text()).substr(from, to - from);
  const auto matches = [&](const Value& v) {
    if (!v.is_string()) m.fail("expected a string or a tuple of strings, not %s", type_name(v));
    m.charge(1);
    return inside && (Start ? starts_with(m, s, v.text()) : ends_with(m, s, v.text()));
  };
  if (!b[0].is(Kind::tuple)) return Value::boolean(matches(b[0]));
  return Value::boolean(std::any_of(b[0].items().begin(), b[0].items().end(), matches));
}

template <bool FromRight, bool Fail>
Value find(Machine& m, const Value& self, Args& args) {  // find, rfind, index, rindex
  Bound b(m, "find", {"sub", "start", "end"}, 1, args);
  const std::string& sub = b.string(0);
  size_t from = 0, to = 0, at = std::string::npos;
  if (text_window(m, self, b.given(1) ? b.integer(1, 0) : 0, b.given(2) ? b.integer(2, 0) : INT64_MAX, from, to))
    at = Needle(m, sub, FromRight).find(std::string_view(self.text()).substr(from, to - from));
  if (at == std::string::npos && Fail) m.fail("substring not found");
  if (at == std::string::npos) return Value::integer(-1);
  return Value::integer(count_characters(m, std::string_view(self.text()).substr(0, from + at)));
}

Value count(Machine& m, const Value& self, Args& args) {
  Bound b(m, "count", {"sub", "start", "end"}, 1, args);
  const std::string& sub = b.string(0);
  size_t from = 0, to = 0;
  if (!text_window(m, self, b.given(1) ? b.integer(1, 0) : 0, b.given(2) ? b.integer(2, 0) : INT64_MAX, from, to))
    return Value::integer(0);
  std::string_view s = std::string_view(self.text()).substr(from, to - from);
  if (sub.empty()) return Value::integer(count_characters(m, s) + 1);
  const Needle needle(m, sub);
  int64_t n = 0;
  for (size_t at; (at = needle.find(s)) != s.npos; s.remove_prefix(at + sub.size())) {
    m.charge_bytes(4);
    ++n;
  }
  return Value::integer(n);
}

Value replace(Machine& m, const Value& self, Args& args) {
  Bound b(m, "replace", {"old", "new", "count"}, 2, args);
  const Value to = is_markup(self) ? escaped(m, b[1]) : b[1];
  if (!to.is_string()) m.fail("replace() argument 2 must be str, not %s", type_name(to));
  b.string(0);
  return replace_text(m, self, b[0], to, b.integer(2, -1));
}

// The word at this end of [begin, end), where no white space is: up to the first white space seen from here.
template <bool FromRight>
size_t word_edge(Machine& m, std::string_view s, size_t begin, size_t end) {
  size_t edge = FromRight ? end : begin;
  for (size_t next = edge; FromRight ? edge > begin : edge < end; edge = next) {
    m.charge_bytes(8);
    if (is_space(FromRight ? previous_code_point(s, next) : next_code_point(s, next))) break;
  }
  return edge;
}

template <bool FromRight>
void skip_space(Machine& m, std::string_view s, size_t& begin, size_t& end) {
  while (begin < end) {
    m.charge_bytes(8);
    size_t next = FromRight ? end : begin;
    if (!is_space(FromRight ? previous_code_point(s, next) : next_code_point(s, next))) return;
    (FromRight ? end : begin) = next;
  }
}

// split() and rsplit(): on white space runs, or on every occurrence of a separator; at most `limit` cuts, from one
// side.
template <bool FromRight>
Value split(Machine& m, const Value& self, Args& args) {
  Bound b(m, FromRight ? "rsplit" : "split", {"sep", "maxsplit"}, 0, args);
  const std::string_view s = self.text();
  int64_t cuts = b.integer(1, -1);
  if (cuts < 0) cuts = INT64_MAX;
  std::vector<Value> parts;
  size_t begin = 0, end = s.size();
  if (b.given(0)) {
    const std::string& sep = b.string(0);
    if (sep.empty()) m.fail("empty separator");
    const Needle needle(m, sep, FromRight);
    for (size_t at; cuts-- > 0 && (at = needle.find(s.substr(begin, end - begin))) != s.npos;) {
      at += begin;
      parts.push_back(FromRight ? part_of(m, self, at + sep.size(), end) : part_of(m, self, begin, at));
      (FromRight ? end : begin) = FromRight ? at : at + sep.size();
    }
    parts.push_back(part_of(m, self, begin, end));
  } else {
    for (skip_space<FromRight>(m, s, begin, end); begin < end; skip_space<FromRight>(m, s, begin, end)) {
      const size_t edge = cuts-- == 0 ? (FromRight ? begin : end) : word_edge<FromRight>(m, s, begin, end);
      parts.push_back(FromRight ? part_of(m, self, edge, end) : part_of(m, self, begin, edge));
      (FromRight ? end : begin) = edge;
    }
  }
  if (FromRight) std::reverse(parts.begin(), parts.end());
  return m.list(std::move(parts));
}

Value splitlines(Machine& m, const Value& self, Args& args) {
  Bound b(m, "splitlines", {"keepends"}, 0, args);
  return m.list(split_lines(m, self, b.truth(0, false)));
}

template <bool FromRight>
Value partition(Machine& m, const Value& self, Args& args) {
  Bound b(m, "partition", {"sep"}, 1, args);
  const std::string& sep = b.string(0);
  const std::string& s = self.text();
  if (sep.empty()) m.fail("empty separator");
  const size_t at = Needle(m, sep, FromRight).find(s);
  const Value nothing = m.text("", is_markup(self));
  if (at == s.npos) return FromRight ? m.tuple({nothing, nothing, self}) : m.tuple({self, nothing, nothing});
  return m.tuple(
      {part_of(m, self, 0, at), part_of(m, self, at, at + sep.size()), part_of(m, self, at + sep.size(), s.size())});
}

Value join(Machine& m, const Value& self, Args& args) {
  Bound b(m, "join", {"iterable"}, 1, args);
  return join_text(m, self, b[0]);
}

template <char Side>
Value justify(Machine& m, const Value& self, Args& args) {  // ljust, rjust, center
  Bound b(m, "justify", {"width", "fillchar"}, 1, args);
  if (b.has(1) && (b.string(1).empty() || b[1].as<Text>().length != 1))
    m.fail("The fill character must be exactly one character long");
  const Value fill = b.has(1) ? b[1] : m.text(" ");
  const int64_t width = b.integer(0, 0), length = self.as<Text>().length;
  if (Side == '^') return center_text(m, self, width, fill);
  TextBuilder out(m);
  if (Side == '>' && width > length) out.repeat(fill.as<Text>(), width - length);
  out.add(self);
  if (Side == '<' && width > length) out.repeat(fill.as<Text>(), width - length);
  return out.finish(is_markup(self));
}

Value zfill(Machine& m, const Value& self, Args& args) {
  Bound b(m, "zfill", {"width"}, 1, args);
  const std::string& s = self.text();
  const int64_t width = b.integer(0, 0), length = self.as<Text>().length;
  if (width <= length) return self;
  const size_t sign = !s.empty() && (s[0] == '+' || s[0] == '-');
  TextBuilder out(m);
  out.add(self.as<Text>(), 0, sign);
  out.repeat("0", width - length);
  out.add(self.as<Text>(), sign, s.size());
  return out.finish(is_markup(self));
}

template <bool Prefix>
Value remove_affix(Machine& m, const Value& self, Args& args) {
  Bound b(m, Prefix ? "removeprefix" : "removesuffix", {"affix"}, 1, args);
  const std::string& s = self.text();
  const std::string& a = b.string(0);
  if (a.empty() || !(Prefix ? starts_with(m, s, a) : ends_with(m, s, a))) return self;
  return Prefix ? part_of(m, self, a.size(), s.size()) : part_of(m, self, 0, s.size() - a.size());
}

Value expandtabs(Machine& m, const Value& self, Args& args) {
  Bound b(m, "expandtabs", {"tabsize"}, 0, args);
  const int64_t size = b.integer(0, 8);
  const Text& t = self.as<Text>();
  ContentAt content(t);
  TextBuilder out(m);
  int64_t column = 0;
  for (size_t i = 0, start = 0; i < t.text.size(); start = i) {
    m.charge_bytes(16);
    const char32_t c = next_code_point(t.text, i);
    if (c == '\t') {
      const int64_t pad = size > 0 ? size - column % size : 0;
      out.repeat(" ", pad, content(start));
      column += pad;
    } else {
      out.add(t, start, i);
      column = c == '\n' || c == '\r' ? 0 : column + 1;
    }
  }
  return out.finish(t.markup);
}

Value not_supported(Machine& m, const Value&, Args&) { m.unsupported("this string method"); }

constexpr Entry kText[] = {{"strip", strip<true, true>},
                           {"lstrip", strip<true, false>},
                           {"rstrip", strip<false, true>},
                           {"split", split<false>},
                           {"rsplit", split<true>},
                           {"splitlines", splitlines},
                           {"partition", partition<false>},
                           {"rpartition", partition<true>},
                           {"startswith", affix<true>},
                           {"endswith", affix<false>},
                           {"upper", mapped<map_upper>},
                           {"lower", mapped<map_lower>},
                           {"title", mapped<map_title>},
                           {"capitalize", mapped<map_capitalized>},
                           {"swapcase", mapped<map_swapped>},
                           {"replace", replace},
                           {"find", find<false, false>},
                           {"rfind", find<true, false>},
                           {"index", find<false, true>},
                           {"rindex", find<true, true>},
                           {"count", count},
                           {"join", join},
                           {"format", brace_format},
                           {"format_map", brace_format_map},
                           {"ljust", justify<'<'>},
                           {"rjust", justify<'>'>},
                           {"center", justify<'^'>},
                           {"zfill", zfill},
                           {"removeprefix", remove_affix<true>},
                           {"removesuffix", remove_affix<false>},
                           {"expandtabs", expandtabs},
                           {"isalpha", all_are<is_alpha>},
                           {"isdigit", all_are<is_digit>},
                           {"isdecimal", all_are<is_decimal>},
                           {"isnumeric", all_are<is_numeric>},
                           {"isalnum", all_are<is_alnum>},
                           {"isspace", all_are<is_space>},
                           {"isprintable", is_printable_text},
                           {"isascii", is_ascii_text},
                           {"islower", case_is<is_lower, is_upper>},
                           {"isupper", case_is<is_upper, is_lower>},
                           {"istitle", is_title_text},
                           {"casefold", not_supported},
                           {"encode", not_supported},
                           {"translate", not_supported},
                           {"isidentifier", not_supported}};

// ---- lists, tuples, ranges

Value sequence_count(Machine& m, const Value& self, Args& args) {
  Bound b(m, "count", {"value"}, 1, args);
  int64_t n = 0;
  const auto it = m.iterate(self);
  for (Value v; it->next(m, v);) n += equal(m, v, b[0]);
  return Value::integer(n);
}

Value sequence_index(Machine& m, const Value& self, Args& args) {
  Bound b(m, "index", {"value", "start", "stop"}, 1, args);
  const std::vector<Value> items = m.collect(self);
  const int64_t n = int64_t(items.size());
  const auto place = [n](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + n : i, 0, n); };
  const int64_t stop = place(b.integer(2, n));
  for (int64_t i = place(b.integer(1, 0)); i < stop; ++i)
    if (equal(m, items[size_t(i)], b[0])) return Value::integer(i);
  m.fail("the value is not in the %s", type_name(self));
}

Value list_copy(Machine& m, const Value& self, Args& args) {
  no_arguments(m, "copy", args);
  return m.list(m.collect(self));
}

constexpr Entry kList[] = {{"count", sequence_count}, {"index", sequence_index}, {"copy", list_copy}};
constexpr Entry kTuple[] = {{"count", sequence_count}, {"index", sequence_index}};

// ---- dicts

template <View::What What>
Value dict_view(Machine& m, const Value& self, Args& args) {
  no_arguments(m, "dict view", args);
  Value v = m.make<View>(Kind::view, self.depth());
  v.as<View>().dict = self;
  v.as<View>().what = What;
  return v;
}

Value dict_get(Machine& m, const Value& self, Args& args) {
  if (!args.named.empty()) m.fail("dict.get() takes no keyword arguments");
  Bound b(m, "get", {"key", "default"}, 1, args);
  const Value* found = self.as<Dict>().find(m, m.key(b[0]));
  return found ? *found : b.value(1, Value::none());
}

Value dict_copy(Machine& m, const Value& self, Args& args) {
  no_arguments(m, "copy", args);
  return self;  // nothing can modify either
}

constexpr Entry kDict[] = {{"get", dict_get},
                           {"items", dict_view<View::What::items>},
                           {"keys", dict_view<View::What::keys>},
                           {"values", dict_view<View::What::values>},
                           {"copy", dict_copy},
                           {"fromkeys", not_supported}};

template <size_t N>
const Entry* find_entry(const Entry (&table)[N], std::string_view name) {
  const auto at = std::find_if(std::begin(table), std::end(table), [&](const Entry& e) { return name == e.name; });
  return at == std::end(table) ? nullptr : at;
}

}  // namespace
}  // namespace methods

bool get_method(Machine& m, const Value& self, std::string_view name, Value& out) {
  const methods::Entry* entry = nullptr;
  switch (self.kind()) {
    case Kind::string: entry = methods::find_entry(methods::kText, name); break;
    case Kind::list: entry = methods::find_entry(methods::kList, name); break;
    case Kind::tuple:
    case Kind::range: entry = methods::find_entry(methods::kTuple, name); break;
    case Kind::dict: entry = methods::find_entry(methods::kDict, name); break;
    default: break;
  }
  if (!entry) return false;
  out = m.make<methods::BoundMethod>(Kind::object, self.depth());
  out.as<methods::BoundMethod>().self = self;
  out.as<methods::BoundMethod>().entry = entry;
  return true;
}

}  // namespace puna::jinja
