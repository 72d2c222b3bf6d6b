// jinja_print.cpp -- values as text: str() and repr() as Python prints them, and json.dumps.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "text/jinja_ops.h"
#include "text/jinja_unicode.h"

namespace puna::jinja {
namespace {

constexpr char kHex[] = "0123456789abcdef";

void append_hex(std::string& out, uint32_t value, int digits) {
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) out += kHex[(value >> shift) & 15];
}

// repr() of a string: single quotes unless only they occur inside; what is not printable is escaped.
void append_quoted(Machine& m, std::string& out, std::string_view s) {
  const char quote = s.find('\'') != s.npos && s.find('"') == s.npos ? '"' : '\'';
  out += quote;
  for (size_t i = 0; i < s.size();) {
    const size_t start = i;
    const char32_t c = next_code_point(s, i);
    if (c == char32_t(quote) || c == '\\') {
      out += {'\\', char(c)};
    } else if (c == '\n' || c == '\r' || c == '\t') {
      out += {'\\', c == '\n' ? 'n' : c == '\r' ? 'r' : 't'};
    } else if (is_printable(c)) {
      out += s.substr(start, i - start);
    } else {
      m.check_size(out.size());
      out += c < 0x100 ? "\\x" : c < 0x10000 ? "\\u" : "\\U";
      append_hex(out, c, c < 0x100 ? 2 : c < 0x10000 ? 4 : 8);
    }
  }
  out += quote;
}

class Printer {
 public:
  explicit Printer(Machine& m) : m_(m) {}
  std::string out;

  void repr(const Value& v) {
    m_.charge(1);
    switch (v.kind()) {
      case Kind::undefined: out += "Undefined"; break;
      case Kind::none: out += "None"; break;
      case Kind::boolean: out += v.as_integer() ? "True" : "False"; break;
      case Kind::integer: out += std::to_string(v.as_integer()); break;
      case Kind::real: out += repr_float(v.as_real()); break;
      case Kind::string: text(v); break;
      case Kind::list: items("[", v.items(), "]"); break;
      case Kind::tuple: items("(", v.items(), v.items().size() == 1 ? ",)" : ")"); break;
      case Kind::dict: dict(v.as<Dict>(), View::What::items, "{", "}"); break;
      case Kind::range: range(v.as<Range>()); break;
      case Kind::view: view(v.as<View>()); break;
      case Kind::iterator: m_.fail("a generator has no printable form; use |list or |join");
      case Kind::object: {
        Machine::Nested nested(m_);  // a namespace may hold itself
        out += v.as<Opaque>().repr(m_);
        break;
      }
    }
    m_.check_size(out.size());
  }

 private:
  void text(const Value& v) {
    m_.charge_text(int64_t(v.text().size()));
    if (is_markup(v)) out += "Markup(";
    append_quoted(m_, out, v.text());
    if (is_markup(v)) out += ")";
  }
  void items(const char* open, const std::vector<Value>& values, const char* close) {
    out += open;
    for (size_t i = 0; i < values.size(); ++i) {
      if (i > 0) out += ", ";
      repr(values[i]);
    }
    out += close;
  }
  void dict(const Dict& d, View::What what, const char* open, const char* close, bool pairs_as_tuples = false) {
    out += open;
    bool first = true;
    for (const auto& [key, value] : d.items()) {
      if (!first) out += ", ";
      first = false;
      if (pairs_as_tuples) out += "(";
      if (what != View::What::values) repr(key);
      if (what == View::What::items) out += pairs_as_tuples ? ", " : ": ";
      if (what != View::What::keys) repr(value);
      if (pairs_as_tuples) out += ")";
    }
    out += close;
  }
  void view(const View& v) {
    const char* open = v.what == View::What::keys ? "dict_keys([" : v.what == View::What::values ? "dict_values([" : "dict_items([";
    dict(v.dict.as<Dict>(), v.what, open, "])", v.what == View::What::items);
  }
  void range(const Range& r) {
    out += "range(" + std::to_string(r.start) + ", " + std::to_string(r.stop) + (r.step != 1 ? ", " + std::to_string(r.step) : "") + ")";
  }
  Machine& m_;
};

class JsonPrinter {
 public:
  JsonPrinter(Machine& m, const JsonStyle& style) : m_(m), style_(style) {}
  std::string out;

  void value(const Value& v, int level) {
    m_.charge(1);
    switch (v.kind()) {
      case Kind::none: out += "null"; break;
      case Kind::boolean: out += v.as_integer() ? "true" : "false"; break;
      case Kind::integer: out += std::to_string(v.as_integer()); break;
      case Kind::real: number(v.as_real()); break;
      case Kind::string: string(v.text()); break;
      case Kind::list:
      case Kind::tuple: array(v.items(), level); break;
      case Kind::dict: object(v.as<Dict>(), level); break;
      default: m_.fail("Object of type %s is not JSON serializable", type_name(v));
    }
    m_.check_size(out.size());
  }

 private:
  void number(double d) { out += std::isnan(d) ? "NaN" : std::isinf(d) ? (d < 0 ? "-Infinity" : "Infinity") : repr_float(d); }

  void string(std::string_view s) {
    m_.charge_text(int64_t(s.size()));
    out += '"';
    for (size_t i = 0; i < s.size();) {
      const size_t start = i;
      const char32_t c = next_code_point(s, i);
      if (c == '"' || c == '\\') {
        out += {'\\', char(c)};
      } else if (c < 0x20) {
        control(c);
      } else if (c >= 0x7f && style_.ensure_ascii) {
        if (c >= 0x10000) unicode(0xd800 + ((c - 0x10000) >> 10));
        unicode(c >= 0x10000 ? 0xdc00 + ((c - 0x10000) & 0x3ff) : c);
      } else {
        out += s.substr(start, i - start);
      }
    }
    out += '"';
  }
  void unicode(uint32_t unit) {
    m_.check_size(out.size());
    out += "\\u";
    append_hex(out, unit, 4);
  }
  void control(char32_t c) {
    constexpr std::string_view kFrom = "\n\r\t\b\f", kTo = "nrtbf";
    const size_t at = kFrom.find(char(c));
    if (at == kFrom.npos) return unicode(c);
    out += {'\\', kTo[at]};
  }

  void break_line(int level) {
    if (!style_.indented) return;
    m_.charge_text(int64_t(style_.indent.size()) * level);
    out += '\n';
    for (int i = 0; i < level; ++i) out += style_.indent;
  }

  void array(const std::vector<Value>& items, int level) {
    if (items.empty()) {
      out += "[]";
      return;
    }
    out += '[';
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out += style_.item_separator;
      break_line(level + 1);
      value(items[i], level + 1);
    }
    break_line(level);
    out += ']';
  }

  void object(const Dict& d, int level) {
    if (d.items().empty()) {
      out += "{}";
      return;
    }
    std::vector<const Dict::Item*> order;
    for (const auto& item : d.items()) order.push_back(&item);
    if (style_.sort_keys)
      std::stable_sort(order.begin(), order.end(), [&](const auto* a, const auto* b) { return less(m_, a->first, b->first); });
    out += '{';
    for (size_t i = 0; i < order.size(); ++i) {
      if (i > 0) out += style_.item_separator;
      break_line(level + 1);
      key(order[i]->first);
      out += style_.key_separator;
      value(order[i]->second, level + 1);
    }
    break_line(level);
    out += '}';
  }
  void key(const Value& k) {
    if (k.is_string()) return string(k.text());
    if (!k.is_number() && !k.is_none()) m_.fail("keys must be str, int, float, bool or None, not %s", type_name(k));
    out += '"';
    value(k, 0);
    out += '"';
  }

  Machine& m_;
  const JsonStyle& style_;
};

}  // namespace

std::string repr_float(double d) {
  if (std::isnan(d)) return "nan";
  if (std::isinf(d)) return d < 0 ? "-inf" : "inf";
  char buffer[40];
  const std::string_view scientific(buffer,
                                    size_t(std::to_chars(buffer, buffer + sizeof buffer, d, std::chars_format::scientific).ptr - buffer));
  const size_t e = scientific.find('e');
  int exponent = 0;
  const char* digits = scientific.data() + e + 1;
  std::from_chars(digits + (*digits == '+'), scientific.data() + scientific.size(), exponent);
  if (exponent < -4 || exponent >= 16) return std::string(scientific);  // 1e+16, 1e-05: as Python writes them
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, d, std::chars_format::fixed).ptr;
  std::string s(buffer, size_t(end - buffer));
  return s.find('.') == s.npos ? s + ".0" : s;
}

std::string escape_html(std::string_view s) {
  std::string out;
  for (char c : s) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '\'': out += "&#39;"; break;
      case '"': out += "&#34;"; break;
      default: out += c;
    }
  }
  return out;
}

Value escaped(Machine& m, const Value& v) {
  if (is_markup(v)) return v;
  const std::string s = to_str(m, v);
  const auto grows = std::count_if(s.begin(), s.end(), [](char c) { return c == '&' || c == '<' || c == '>' || c == '\'' || c == '"'; });
  m.charge_text(int64_t(s.size()) + 4 * grows);
  return m.text(escape_html(s), true);
}

std::string to_repr(Machine& m, const Value& v) {
  Printer p(m);
  p.repr(v);
  return std::move(p.out);
}

std::string to_str(Machine& m, const Value& v) {
  if (v.is_string()) {
    m.charge_text(int64_t(v.text().size()));
    return v.text();
  }
  return v.is_undefined() ? std::string() : to_repr(m, v);
}

std::string to_json(Machine& m, const Value& v, const JsonStyle& style) {
  JsonPrinter p(m, style);
  p.value(v, 0);
  return std::move(p.out);
}

}  // namespace puna::jinja
