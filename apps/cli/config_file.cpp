#include "config_file.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <tuple>

#include "base/shown.h"
#include "puna/base/error.h"

namespace puna::cli {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_bare(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-'; }

// file    = { [key '=' value] [comment] newline }
// key     = bare | "text" | 'text'
// value   = text | number | 'true' | 'false' | '[' { value ',' } ']'
class Parser {
 public:
  Parser(std::string_view text, const std::string& file) : text_(text), file_(file) {
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
  }

  std::vector<ConfigEntry> all() {
    std::vector<ConfigEntry> entries;
    for (skip_blank_lines(); at_ < text_.size(); skip_blank_lines()) {
      entries.push_back(entry());
      const ConfigEntry& last = entries.back();
      for (size_t i = 0; i + 1 < entries.size(); ++i)
        if (entries[i].key == last.key)
          wrong(last.line,
                "'" + shown(last.key) + "' is given again (first in line " + std::to_string(entries[i].line) + ")");
    }
    return entries;
  }

 private:
  [[noreturn]] void wrong(int line, const std::string& what) const {
    fail(Status::bad_file, "%s, line %d: %s", file_.c_str(), line, what.c_str());
  }
  [[noreturn]] void wrong(const std::string& what) const { wrong(line_, what); }

  char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool ended() const { return at_ >= text_.size(); }
  bool starts(std::string_view with) const { return text_.substr(at_).starts_with(with); }
  bool take(std::string_view what) {
    if (!starts(what)) return false;
    at_ += what.size();
    return true;
  }

  void skip_spaces() {
    while (peek() == ' ' || peek() == '\t') ++at_;
  }
  bool newline() {
    if (!take("\r\n") && !take("\n")) return false;
    ++line_;
    return true;
  }
  void comment() {
    if (!take("#")) return;
    while (!ended() && !starts("\n") && !starts("\r\n")) character();
  }
  // What may stand between two entries, and between the values of a list.
  void skip_blank_lines() {
    do {
      skip_spaces();
      comment();
    } while (newline());
  }

  // One character of a text or a comment.
  char character() {
    const char c = text_[at_++];
    if ((uint8_t(c) < 0x20 && c != '\t') || c == 0x7F) {
      char number[8];
      snprintf(number, sizeof number, "U+%04X", unsigned(uint8_t(c)));
      wrong(std::string("there is a control character (") + number + ")");
    }
    return c;
  }

  ConfigEntry entry() {
    if (peek() == '[')
      wrong("there is a table, " + shown(rest_of_line()) + "; options stand by themselves, without tables");
    ConfigEntry e{key(), line_, false, {}};
    skip_spaces();
    if (peek() == '.') wrong("'" + shown(e.key) + "' is followed by a dot; options have plain names, without tables");
    if (!take("=")) wrong("'" + shown(e.key) + "' is not followed by '='");
    skip_spaces();
    e.list = peek() == '[';
    if (e.list)
      list(e.values);
    else
      e.values.push_back(value());
    skip_spaces();
    comment();
    if (!ended() && !newline())
      wrong("there is more behind the value of '" + shown(e.key) + "': " + shown(rest_of_line()));
    return e;
  }

  std::string_view rest_of_line() const {
    return text_.substr(at_, std::min(text_.find_first_of("\r\n", at_), text_.size()) - at_);
  }

  std::string key() {
    if (peek() == '"' || peek() == '\'') return quoted();
    const size_t first = at_;
    while (is_bare(peek())) ++at_;
    if (at_ == first) {
      if (!ended()) character();
      wrong("expected the name of an option, not '" + shown(text_.substr(first, 1)) + "'");
    }
    return std::string(text_.substr(first, at_ - first));
  }

  void list(std::vector<ConfigValue>& values) {
    const int opened = line_;
    take("[");
    for (bool comma = true;; comma = take(",")) {
      skip_blank_lines();
      if (ended()) wrong(opened, "the list is not closed");
      if (take("]")) return;
      if (!comma) wrong("expected ',' or ']' in the list that begins in line " + std::to_string(opened));
      if (peek() == '[') wrong("there is a list within a list");
      values.push_back(value());
      skip_blank_lines();
    }
  }

  ConfigValue value() {
    if (peek() == '"' || peek() == '\'') return {ConfigValue::Kind::text, quoted()};
    if (peek() == '{') wrong("there is a table in braces; options stand by themselves");
    const size_t first = at_;
    while (is_bare(peek()) || peek() == '+' || peek() == '.' || peek() == ':') ++at_;
    const std::string_view word = text_.substr(first, at_ - first);
    if (word == "true" || word == "false") return {ConfigValue::Kind::boolean, std::string(word)};
    ConfigValue v;
    if (number(word, v)) return v;
    if (word.empty()) wrong("a value is missing; expected a text in quotes, a number, true, false, or a list of such");
    wrong("'" + shown(word) + "' is no value; expected a text in quotes, a number, true, false, or a list of such");
  }

  // Digits with single underscores between them.
  static bool digits(std::string_view word, std::string_view allowed, std::string& out) {
    bool digit_before = false;
    for (size_t i = 0; i < word.size(); ++i) {
      if (word[i] == '_') {
        if (!digit_before || i + 1 == word.size()) return false;
        digit_before = false;
        continue;
      }
      if (allowed.find(word[i]) == allowed.npos) return false;
      out += word[i];
      digit_before = true;
    }
    return digit_before;
  }

  static bool number(std::string_view word, ConfigValue& v) {
    constexpr std::string_view kDecimal = "0123456789";
    for (const auto& [prefix, base, allowed] :
         {std::tuple{"0x", 16, "0123456789abcdefABCDEF"}, {"0o", 8, "01234567"}, {"0b", 2, "01"}}) {
      if (!word.starts_with(prefix)) continue;
      std::string plain;
      int64_t n = 0;
      if (!digits(word.substr(2), allowed, plain)) return false;
      const auto [end, error] = std::from_chars(plain.data(), plain.data() + plain.size(), n, base);
      v = {ConfigValue::Kind::whole, std::to_string(n)};
      return error == std::errc() && end == plain.data() + plain.size();
    }
    std::string out;
    if (word.starts_with('+') || word.starts_with('-')) {
      if (word[0] == '-') out = "-";
      word.remove_prefix(1);
    }
    if (word == "inf" || word == "nan") {
      v = {ConfigValue::Kind::real, out + std::string(word)};
      return true;
    }
    const size_t e = word.find_first_of("eE");
    std::string_view mantissa = word.substr(0, e);
    const size_t dot = mantissa.find('.');
    const std::string_view whole = mantissa.substr(0, dot);
    if (!digits(whole, kDecimal, out) || (whole.size() > 1 && whole[0] == '0')) return false;
    if (dot != mantissa.npos) {
      out += '.';
      if (!digits(mantissa.substr(dot + 1), kDecimal, out)) return false;
    }
    if (e != word.npos) {
      std::string_view exponent = word.substr(e + 1);
      out += 'e';
      if (exponent.starts_with('+') || exponent.starts_with('-')) {
        out += exponent[0];
        exponent.remove_prefix(1);
      }
      if (!digits(exponent, kDecimal, out)) return false;
    }
    v = {dot == mantissa.npos && e == word.npos ? ConfigValue::Kind::whole : ConfigValue::Kind::real, out};
    return true;
  }

  // 'as it is', "with \escapes", and both with three quotes over several lines.
  std::string quoted() {
    const int opened = line_;
    const char quote = peek();
    const std::string three(3, quote);
    const bool long_form = take(three);
    if (long_form)
      newline();  // the first one does not count
    else
      ++at_;
    std::string out;
    while (true) {
      if (ended() || (!long_form && (starts("\n") || starts("\r\n"))))
        wrong(opened, "a text is not closed; expected " + (long_form ? three : std::string(1, quote)));
      if (long_form ? starts(three) : peek() == quote) break;
      if (quote == '"' && peek() == '\\')
        escape(out, long_form);
      else if (long_form && newline())
        out += '\n';
      else
        out += character();
    }
    at_ += long_form ? 3 : 1;
    for (int more = 0; long_form && more < 2 && peek() == quote; ++more)
      out += text_[at_++];  // up to two quotes may stand before the end
    return out;
  }

  void escape(std::string& out, bool long_form) {
    ++at_;
    const char c = peek();
    constexpr std::string_view kLetters = "btnfr\"\\", kMeant = "\b\t\n\f\r\"\\";
    if (const size_t i = kLetters.find(c); c != '\0' && i != kLetters.npos) {
      ++at_;
      out += kMeant[i];
    } else if (c == 'u' || c == 'U') {
      ++at_;
      code_point(out, c == 'u' ? 4 : 8);
    } else if (long_form && (c == ' ' || c == '\t' || c == '\r' ||
                             c == '\n')) {  // a line's end that does not count, and what is blank behind it
      skip_spaces();
      if (!newline()) wrong("there is a '\\' before a space");
      do skip_spaces();
      while (newline());
    } else {
      wrong("there is no escape '\\" + shown(text_.substr(at_, 1)) + "'");
    }
  }

  void code_point(std::string& out, size_t length) {
    const std::string_view hex = text_.substr(at_, length);
    uint32_t c = 0;
    const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), c, 16);
    if (hex.size() != length || error != std::errc() || end != hex.data() + length || c > 0x10FFFF ||
        (c >= 0xD800 && c < 0xE000))
      wrong("'" + shown(hex) + "' is no character of Unicode");
    at_ += length;
    if (c < 0x80)
      out += char(c);
    else if (c < 0x800)
      out.append({char(0xC0 | c >> 6), char(0x80 | (c & 63))});
    else if (c < 0x10000)
      out.append({char(0xE0 | c >> 12), char(0x80 | (c >> 6 & 63)), char(0x80 | (c & 63))});
    else
      out.append(
          {char(0xF0 | c >> 18), char(0x80 | (c >> 12 & 63)), char(0x80 | (c >> 6 & 63)), char(0x80 | (c & 63))});
  }

  std::string_view text_;
  const std::string& file_;
  size_t at_ = 0;
  int line_ = 1;
};

}  // namespace

std::vector<ConfigEntry> parse_config(std::string_view text, const std::string& file) {
  return Parser(text, file).all();
}

}  // namespace puna::cli
