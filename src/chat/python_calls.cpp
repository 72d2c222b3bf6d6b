// python_calls.cpp -- a recursive-descent reader of Python literals, and the JSON and str() Python writes.
#include "chat/python_calls.h"

#include <charconv>
#include <cmath>

#include "base/utf8.h"
#include "chat/jinja/ops.h"
#include "chat/jinja/unicode.h"

namespace puna {
namespace {

constexpr int kMaxDepth = 64;
constexpr size_t kMaxKeys = 1024;  // of one object: keeping their order costs a search a key
struct NotPython {};               // thrown and caught within this file

class CallReader {
 public:
  explicit CallReader(std::string_view text) : s_(text) {}

  std::vector<PythonCall> run() {
    while (at_ < s_.size() && (s_[at_] == '\n' || s_[at_] == '\r')) ++at_;  // an indented statement is a syntax error
    std::vector<PythonCall> calls;
    expect('[');
    while (!skip(']')) {
      if (!calls.empty()) {
        expect(',');
        if (skip(']')) break;
      }
      calls.push_back(call());
    }
    blank();
    if (at_ != s_.size() || calls.empty()) throw NotPython();
    return calls;
  }

 private:
  void blank() {  // white space and comments: inside brackets a line may end anywhere
    while (at_ < s_.size()) {
      const char c = s_[at_];
      if (c == '#') {
        while (at_ < s_.size() && s_[at_] != '\n') ++at_;
      } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') {
        ++at_;
      } else {
        return;
      }
    }
  }
  char peek() {
    blank();
    return at_ < s_.size() ? s_[at_] : '\0';
  }
  bool skip(char c) {
    if (peek() != c || at_ >= s_.size()) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!skip(c)) throw NotPython();
  }

  std::string name() {
    blank();
    const size_t start = at_;
    while (at_ < s_.size()) {
      size_t next = at_;
      const char32_t c = jinja::next_code_point(s_, next);
      if (c != '_' && !jinja::is_alpha(c) && (at_ == start || !jinja::is_alnum(c))) break;
      at_ = next;
    }
    if (at_ == start) throw NotPython();
    return std::string(s_.substr(start, at_ - start));
  }

  PythonCall call() {
    PythonCall out(name());
    if (is_keyword(out.name)) throw NotPython();
    expect('(');
    for (bool first = true; !skip(')'); first = false) {
      if (!first) {
        expect(',');
        if (skip(')')) break;
      }
      const std::string key = name();
      if (is_keyword(key) || out.arguments.size() >= kMaxKeys) throw NotPython();
      expect('=');
      value(fresh_member(out.arguments, key), 0);
    }
    return out;
  }

  static bool is_keyword(const std::string& s) {
    constexpr std::string_view kWords[] = {"True",   "False",  "None",    "and",      "as",       "assert", "async",
                                           "await",  "break",  "class",   "continue", "def",      "del",    "elif",
                                           "else",   "except", "finally", "for",      "from",     "global", "if",
                                           "import", "in",     "is",      "lambda",   "nonlocal", "not",    "or",
                                           "pass",   "raise",  "return",  "try",      "while",    "with",   "yield"};
    for (std::string_view word : kWords)
      if (s == word) return true;
    return false;
  }

  // Fills `out`, a null inside a document that takes itself apart.
  void value(OrderedJson& out, int depth) {
    if (depth > kMaxDepth) throw NotPython();
    const char c = peek();
    if (c == '[' || c == '(') return items(out, depth);
    if (c == '{') return dict(out, depth);
    if (c == '"' || c == '\'') return void(out = strings());
    if (c == '-' || c == '+' || c == '.' || (c >= '0' && c <= '9')) return void(out = number());
    const std::string word = name();
    if (word == "True" || word == "False")
      out = word == "True";
    else if (word != "None")
      throw NotPython();
  }

  void items(OrderedJson& out, int depth) {  // a list, a tuple, or a value in parentheses
    const bool is_tuple = s_[at_++] == '(';
    const char close = is_tuple ? ')' : ']';
    out = OrderedJson::array();
    auto& elements = out.get_ref<OrderedJson::array_t&>();
    bool comma = false;
    while (!skip(close)) {
      if (!elements.empty()) {
        expect(',');
        comma = true;
        if (skip(close)) break;
      }
      value(elements.emplace_back(), depth + 1);
    }
    if (!is_tuple || elements.size() != 1 || comma) return;
    OrderedJson only = std::move(elements.front());
    elements.clear();
    out = std::move(only);
  }

  void dict(OrderedJson& out, int depth) {
    expect('{');
    out = OrderedJson::object();
    for (bool first = true; !skip('}'); first = false) {
      if (!first) {
        expect(',');
        if (skip('}')) break;
      }
      OrderedJson key;
      const JsonGuard guard(key);
      value(key, depth + 1);
      if (key.is_structured() || out.size() >= kMaxKeys) throw NotPython();
      expect(':');
      value(fresh_member(out, key.is_string() ? key.get<std::string>() : python_json(key)), depth + 1);
    }
  }

  OrderedJson number() {
    const bool negative = s_[at_] == '-';
    if (s_[at_] == '-' || s_[at_] == '+') ++at_;
    blank();
    std::string text;
    for (; at_ < s_.size(); ++at_) {
      const char c = s_[at_];
      const bool sign =
          (c == '-' || c == '+') && !text.empty() && (text.back() | 0x20) == 'e' && text.find('x') == text.npos;
      if (c == '_') continue;
      if (!sign && c != '.' && uint8_t(c - '0') > 9 && uint8_t((c | 0x20) - 'a') > 25) break;
      text += char(c | (c >= 'A' ? 0x20 : 0));
    }
    const auto all = [&](auto& out, size_t from, auto... format) {
      const auto [end, error] = std::from_chars(text.data() + from, text.data() + text.size(), out, format...);
      return error == std::errc() && end == text.data() + text.size();
    };
    const int base = text.starts_with("0x") ? 16 : text.starts_with("0o") ? 8 : text.starts_with("0b") ? 2 : 10;
    const bool leading_zero =
        base == 10 && text.size() > 1 && text[0] == '0' && text.find_first_not_of('0') != text.npos;
    uint64_t integer = 0;
    if (all(integer, base == 10 ? 0 : 2, base)) {
      if (leading_zero || integer > uint64_t(INT64_MAX)) throw NotPython();
      return negative ? -int64_t(integer) : int64_t(integer);
    }
    double real = 0;
    const bool fraction =
        text.find_first_of(".e") != text.npos && base == 10;  // an integer beyond 64 bits is refused, not rounded
    if (!fraction || !all(real, 0)) throw NotPython();
    return negative ? -real : real;
  }

  std::string strings() {  // adjacent literals are one string
    std::string out;
    do string(out);
    while (peek() == '"' || peek() == '\'');
    return out;
  }

  void string(std::string& out) {
    const char quote = s_[at_];
    const bool triple = s_.substr(at_, 3) == std::string(3, quote);
    const std::string_view close = s_.substr(at_, triple ? 3 : 1);
    for (at_ += close.size(); !s_.substr(at_).starts_with(close);) {
      if (at_ >= s_.size() || (s_[at_] == '\n' && !triple)) throw NotPython();
      if (s_[at_] == '\\') {
        escape(out);
      } else {
        out += s_[at_++];
      }
    }
    at_ += close.size();
  }

  void escape(std::string& out) {
    constexpr std::string_view kFrom = "abfnrtv\\'\"", kTo = "\a\b\f\n\r\t\v\\'\"";
    if (++at_ >= s_.size()) throw NotPython();
    const char c = s_[at_];
    const size_t known = kFrom.find(c);
    if (known != kFrom.npos) {
      out += kTo[known];
      ++at_;
    } else if (c == '\n') {
      ++at_;
    } else if (c == 'x' || c == 'u' || c == 'U') {
      ++at_;
      code_point(out, c == 'x' ? 2 : c == 'u' ? 4 : 8, 2, 16);
    } else if (c >= '0' && c <= '7') {
      code_point(out, 3, 1, 8);
    } else if (c == 'N') {
      throw NotPython();
    } else {
      out += '\\';  // unknown escapes stay as written
    }
  }

  // At most `most` digits; fewer only where Python allows it (octal).
  void code_point(std::string& out, size_t most, size_t least, int base) {
    uint32_t code = 0;
    const std::string_view digits = s_.substr(at_, most);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, base);
    const size_t used = size_t(end - digits.data());
    if (error != std::errc() || used < (base == 8 ? least : most) || code > 0x10ffff ||
        (code >= 0xd800 && code < 0xe000))
      throw NotPython();
    jinja::append_utf8(out, code);
    at_ += used;
  }

  std::string_view s_;
  size_t at_ = 0;
};

}  // namespace

std::optional<std::vector<PythonCall>> parse_python_calls(std::string_view text) {
  if (!is_utf8(text)) return std::nullopt;
  try {
    return CallReader(text).run();
  } catch (const NotPython&) {
    return std::nullopt;
  }
}

std::string python_json(const OrderedJson& v) {
  const auto joined = [](const OrderedJson& values, char open, char close) {
    std::string out(1, open);
    for (auto it = values.begin(); it != values.end(); ++it) {
      if (out.size() > 1) out += ", ";
      if (values.is_object()) out += python_json(it.key()) + ": ";
      out += python_json(*it);
    }
    return out + close;
  };
  if (v.is_object()) return joined(v, '{', '}');
  if (v.is_array()) return joined(v, '[', ']');
  if (v.is_number_float())
    return std::isfinite(v.get<double>()) ? jinja::repr_float(v.get<double>())
           : std::isnan(v.get<double>())  ? "NaN"
           : v.get<double>() < 0          ? "-Infinity"
                                          : "Infinity";
  if (const std::string_view digits = digits_of(v); !digits.empty()) return std::string(digits);
  return v.dump(-1, ' ', true, OrderedJson::error_handler_t::replace);
}

std::string python_str(const OrderedJson& v) {
  if (v.is_null()) return "None";
  if (v.is_boolean()) return v.get<bool>() ? "True" : "False";
  return python_json(v);
}

}  // namespace puna
