#include "eval/python_literal.h"

#include <charconv>
#include <cstdio>

#include "base/utf8.h"
#include "chat/jinja/unicode.h"

namespace puna::eval {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view text) : s_(text) {}

  std::optional<PythonList> list() {
    PythonList all;
    space();
    if (!skip('[')) return {};
    size_t numbers = 0;
    for (space(); !skip(']'); space()) {
      if (!all.items.empty()) {
        if (!skip(',')) return {};
        space();
        if (skip(']')) break;  // [1, 2,]
      }
      const bool is_text = peek() == '\'' || peek() == '"';
      std::optional<std::string> item = is_text ? text() : number();
      if (!item) return {};
      numbers += !is_text;
      all.items.push_back(std::move(*item));
    }
    space();
    if (at_ != s_.size()) return {};
    all.numbers = numbers > 0 && numbers == all.items.size();
    return all;
  }

 private:
  char peek() const { return at_ < s_.size() ? s_[at_] : '\0'; }
  bool skip(char c) {
    if (at_ == s_.size() || s_[at_] != c) return false;
    ++at_;
    return true;
  }
  void space() {
    while (at_ < s_.size() && (s_[at_] == ' ' || s_[at_] == '\n' || s_[at_] == '\t' || s_[at_] == '\r')) ++at_;
  }

  std::optional<std::string> number() {
    const size_t from = at_;
    skip('-');
    while (peek() >= '0' && peek() <= '9') ++at_;
    const std::string_view digits = s_.substr(from, at_ - from);
    int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) return {};
    return std::string(digits);
  }

  std::optional<std::string> text() {
    const char quote = s_[at_++];
    std::string out;
    while (!skip(quote)) {
      if (at_ == s_.size() || peek() == '\n') return {};
      const char c = s_[at_++];
      if (c != '\\') {
        out += c;
      } else if (!escape(out)) {
        return {};
      }
    }
    return out;
  }

  bool escape(std::string& out) {
    if (at_ == s_.size()) return false;
    const char c = s_[at_++];
    switch (c) {
      case 'n': out += '\n'; return true;
      case 'r': out += '\r'; return true;
      case 't': out += '\t'; return true;
      case '\\':
      case '\'':
      case '"': out += c; return true;
      case 'x': return code(out, 2);
      case 'u': return code(out, 4);
      case 'U': return code(out, 8);
      default: return false;
    }
  }
  bool code(std::string& out, size_t digits) {
    uint32_t value = 0;
    const std::string_view hex = s_.substr(at_, digits);
    const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), value, 16);
    if (hex.size() < digits || error != std::errc() || end != hex.data() + digits) return false;
    if (value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) return false;
    at_ += digits;
    append_utf8(out, value);
    return true;
  }

  std::string_view s_;
  size_t at_ = 0;
};

}  // namespace

std::optional<PythonList> read_python_list(std::string_view text) { return Reader(text).list(); }

std::string python_repr(std::string_view text) {
  const bool doubled = text.find('\'') != text.npos && text.find('"') == text.npos;
  const char quote = doubled ? '"' : '\'';
  std::string out(1, quote);
  for (size_t i = 0; i < text.size();) {
    const size_t from = i;
    const char32_t c = jinja::next_code_point(text, i);
    if (c == char32_t(quote) || c == '\\') {
      out += '\\';
      out += char(c);
    } else if (c == '\n' || c == '\r' || c == '\t') {
      out += c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t";
    } else if (jinja::is_printable(c)) {
      out += text.substr(from, i - from);
    } else {
      char hex[16];
      snprintf(hex, sizeof hex, c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", unsigned(c));
      out += hex;
    }
  }
  return out + quote;
}

}  // namespace puna::eval
