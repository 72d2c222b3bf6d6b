// print.cpp -- values as text: str() and repr() as Python prints them, and json.dumps.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "chat/jinja/builder.h"
#include "chat/jinja/ops.h"
#include "chat/jinja/unicode.h"

namespace puna::jinja {
namespace {

constexpr char kHex[] = "0123456789abcdef";

void append_hex(std::string& out, uint32_t value, int digits) {
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) out += kHex[(value >> shift) & 15];
}

// repr() of a string: single quotes unless only they occur inside; what is not printable is escaped.
void add_quoted(Machine& m, TextBuilder& out, const Text& t) {
  bool single = false, twofold = false;
  for (char c : t.text) {
    m.charge_bytes(1);
    single = single || c == '\'';
    twofold = twofold || c == '"';
  }
  const char quote = single && !twofold ? '"' : '\'';
  out.add({&quote, 1}, t.has_content());
  out.add_mapped(t, 0, t.text.size(), [&](std::string& piece, size_t from, size_t to) {
    for (size_t i = from; i < to && piece.size() < 4096; from = i) {
      m.charge_bytes(8);
      const char32_t c = next_code_point(t.text, i);
      if (c == char32_t(quote) || c == '\\') {
        piece += {'\\', char(c)};
      } else if (c == '\n' || c == '\r' || c == '\t') {
        piece += {'\\', c == '\n' ? 'n' : c == '\r' ? 'r' : 't'};
      } else if (is_printable(c)) {
        piece.append(t.text, from, i - from);
      } else {
        piece += c < 0x100 ? "\\x" : c < 0x10000 ? "\\u" : "\\U";
        append_hex(piece, c, c < 0x100 ? 2 : c < 0x10000 ? 4 : 8);
      }
    }
    return from;
  });
  out.add({&quote, 1}, t.has_content());
}

class Printer {
 public:
  explicit Printer(Machine& m) : m_(m), out_(m) {}

  void repr(const Value& v) {
    m_.charge(1);
    const bool content = is_content(v);
    switch (v.kind()) {
      case Kind::undefined: out_.add("Undefined"); break;
      case Kind::none: out_.add("None", content); break;
      case Kind::boolean: out_.add(v.as_integer() ? "True" : "False", content); break;
      case Kind::integer: out_.add(std::to_string(v.as_integer()), content); break;
      case Kind::real: out_.add(repr_float(v.as_real()), content); break;
      case Kind::string: text(v.as<Text>()); break;
      case Kind::list: items("[", v.items(), "]"); break;
      case Kind::tuple: items("(", v.items(), v.items().size() == 1 ? ",)" : ")"); break;
      case Kind::dict: dict(v.as<Dict>(), View::What::items, "{", "}"); break;
      case Kind::range: range(v.as<Range>()); break;
      case Kind::view: view(v.as<View>()); break;
      case Kind::iterator: m_.fail("a generator has no printable form; use |list or |join");
      case Kind::object: {
        Machine::Nested nested(m_);  // a namespace may hold itself
        out_.add(v.as<Opaque>().repr(m_));
        break;
      }
    }
  }
  Value finish() { return out_.finish(); }

 private:
  void text(const Text& t) {
    if (t.markup) out_.add("Markup(");
    add_quoted(m_, out_, t);
    if (t.markup) out_.add(")");
  }
  void items(const char* open, const std::vector<Value>& values, const char* close) {
    out_.add(open);
    for (size_t i = 0; i < values.size(); ++i) {
      if (i > 0) out_.add(", ");
      repr(values[i]);
    }
    out_.add(close);
  }
  void dict(const Dict& d, View::What what, const char* open, const char* close, bool pairs_as_tuples = false) {
    out_.add(open);
    for (size_t i = 0; i < d.size(); ++i) {
      if (i > 0) out_.add(", ");
      if (pairs_as_tuples) out_.add("(");
      if (what != View::What::values) repr(d.key(i));
      if (what == View::What::items) out_.add(pairs_as_tuples ? ", " : ": ");
      if (what != View::What::keys) repr(d.value(i));
      if (pairs_as_tuples) out_.add(")");
    }
    out_.add(close);
  }
  void view(const View& v) {
    const char* open = v.what == View::What::keys     ? "dict_keys(["
                       : v.what == View::What::values ? "dict_values(["
                                                      : "dict_items([";
    dict(v.dict.as<Dict>(), v.what, open, "])", v.what == View::What::items);
  }
  void range(const Range& r) {
    out_.add("range(" + std::to_string(r.start) + ", " + std::to_string(r.stop) +
                 (r.step != 1 ? ", " + std::to_string(r.step) : "") + ")",
             r.content);
  }
  Machine& m_;
  TextBuilder out_;
};

class JsonPrinter {
 public:
  JsonPrinter(Machine& m, const JsonStyle& style) : m_(m), style_(style), out_(m) {}

  void value(const Value& v, int level) {
    m_.charge(1);
    const bool content = is_content(v);
    switch (v.kind()) {
      case Kind::none: return out_.add("null", content);
      case Kind::boolean: return out_.add(v.as_integer() ? "true" : "false", content);
      case Kind::integer: return out_.add(std::to_string(v.as_integer()), content);
      case Kind::real: return number(v.as_real(), content);
      case Kind::string: return string(v.as<Text>());
      case Kind::list:
      case Kind::tuple: return array(v.items(), level);
      case Kind::dict: return object(v.as<Dict>(), level);
      default: break;
    }
    if (!big_digits(v)) m_.fail("Object of type %s is not JSON serializable", type_name(v));
    out_.add(v.as<Opaque>().repr(m_));
  }
  Value finish() { return out_.finish(); }

 private:
  void number(double d, bool content) {
    out_.add(std::isnan(d) ? "NaN" : std::isinf(d) ? (d < 0 ? "-Infinity" : "Infinity") : repr_float(d), content);
  }

  void string(const Text& t) {
    out_.add("\"", t.has_content());
    out_.add_mapped(t, 0, t.text.size(), [&](std::string& piece, size_t from, size_t to) {
      for (size_t i = from; i < to && piece.size() < 4096; from = i) {
        m_.charge_bytes(4);
        const char32_t c = next_code_point(t.text, i);
        if (c == '"' || c == '\\') {
          piece += {'\\', char(c)};
        } else if (c < 0x20) {
          control(piece, c);
        } else if (c >= 0x7f && style_.ensure_ascii) {
          if (c >= 0x10000) unicode(piece, 0xd800 + ((c - 0x10000) >> 10));
          unicode(piece, c >= 0x10000 ? 0xdc00 + ((c - 0x10000) & 0x3ff) : c);
        } else {
          piece.append(t.text, from, i - from);
        }
      }
      return from;
    });
    out_.add("\"", t.has_content());
  }
  static void unicode(std::string& piece, uint32_t unit) {
    piece += "\\u";
    append_hex(piece, unit, 4);
  }
  static void control(std::string& piece, char32_t c) {
    constexpr std::string_view kFrom = "\n\r\t\b\f", kTo = "nrtbf";
    const size_t at = kFrom.find(char(c));
    if (at == kFrom.npos) return unicode(piece, c);
    piece += {'\\', kTo[at]};
  }

  void break_line(int level) {
    if (!style_.indented) return;
    out_.add("\n");
    for (int i = 0; i < level; ++i) out_.add(style_.indent);
  }

  void array(const std::vector<Value>& items, int level) {
    if (items.empty()) return out_.add("[]");
    out_.add("[");
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_.add(style_.item_separator);
      break_line(level + 1);
      value(items[i], level + 1);
    }
    break_line(level);
    out_.add("]");
  }

  void object(const Dict& d, int level) {
    if (d.size() == 0) return out_.add("{}");
    std::vector<size_t> order(d.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    if (style_.sort_keys)
      std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return less(m_, d.key(a), d.key(b)); });
    out_.add("{");
    for (size_t i = 0; i < order.size(); ++i) {
      if (i > 0) out_.add(style_.item_separator);
      break_line(level + 1);
      key(d.key(order[i]));
      out_.add(style_.key_separator);
      value(d.value(order[i]), level + 1);
    }
    break_line(level);
    out_.add("}");
  }
  void key(const Value& k) {
    if (k.is_string()) return string(k.as<Text>());
    if (!k.is_number() && !k.is_none() && !big_digits(k))
      m_.fail("keys must be str, int, float, bool or None, not %s", type_name(k));
    out_.add("\"");
    value(k, 0);
    out_.add("\"");
  }

  Machine& m_;
  const JsonStyle& style_;
  TextBuilder out_;
};

}  // namespace

std::string repr_float(double d) {
  if (std::isnan(d)) return "nan";
  if (std::isinf(d)) return d < 0 ? "-inf" : "inf";
  char buffer[40];
  const std::string_view scientific(
      buffer, size_t(std::to_chars(buffer, buffer + sizeof buffer, d, std::chars_format::scientific).ptr - buffer));
  const size_t e = scientific.find('e');
  int exponent = 0;
  const char* digits = scientific.data() + e + 1;
  std::from_chars(digits + (*digits == '+'), scientific.data() + scientific.size(), exponent);
  if (exponent < -4 || exponent >= 16) return std::string(scientific);  // 1e+16, 1e-05: as Python writes them
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, d, std::chars_format::fixed).ptr;
  std::string s(buffer, size_t(end - buffer));
  return s.find('.') == s.npos ? s + ".0" : s;
}

Value escaped(Machine& m, const Value& v) {
  if (is_markup(v)) return v;
  const Value text = to_str(m, v);
  const Text& t = text.as<Text>();
  TextBuilder out(m);
  out.add_mapped(t, 0, t.text.size(), [&](std::string& piece, size_t from, size_t to) {
    for (; from < to && piece.size() < 4096; ++from) {
      m.charge_bytes(2);
      switch (t.text[from]) {
        case '&': piece += "&amp;"; break;
        case '<': piece += "&lt;"; break;
        case '>': piece += "&gt;"; break;
        case '\'': piece += "&#39;"; break;
        case '"': piece += "&#34;"; break;
        default: piece += t.text[from];
      }
    }
    return from;
  });
  return out.finish(true);
}

Value to_repr(Machine& m, const Value& v) {
  Printer p(m);
  p.repr(v);
  return p.finish();
}

Value to_str(Machine& m, const Value& v) {
  if (v.is_string()) return v;
  return v.is_undefined() ? m.text("") : to_repr(m, v);
}

Value to_json(Machine& m, const Value& v, const JsonStyle& style) {
  JsonPrinter p(m, style);
  p.value(v, 0);
  return p.finish();
}

}  // namespace puna::jinja
