// lexer.cpp -- one pass over the source: text up to a tag, the tag's inside to tokens, white space as the tags
// ask for.
#include "chat/jinja/lexer.h"

#include <algorithm>
#include <charconv>
#include <cstdarg>
#include <cstdio>
#include <deque>

#include "base/utf8.h"
#include "chat/jinja/unicode.h"
#include "puna/base/error.h"

namespace puna::jinja {
namespace {

using Type = Token::Type;

bool is_digit_of(char c, int base) {
  const int v = c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'z' ? (c | 0x20) - 'a' + 10 : 99;
  return v < base;
}

// \r\n and \r become \n; of a chat template one newline at the very end goes.
std::string normalize_newlines(std::string_view s, TemplateStyle style) {
  std::string out;
  out.reserve(s.size());
  for (size_t i = 0; i < s.size(); ++i) {
    if (s[i] == '\r' && i + 1 < s.size() && s[i + 1] == '\n') continue;
    out += s[i] == '\r' ? '\n' : s[i];
  }
  if (style == TemplateStyle::chat && !out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

}  // namespace

class Tokens::Lexer {
 public:
  Lexer(std::string source, TemplateStyle style, const Watch& watch)
      : s_(std::move(source)), trims_(style == TemplateStyle::chat), watch_(watch) {}

  Token next() {
    while (ready_.empty()) {
      if (tag_ != Tag::none) {
        inside();
      } else if (at_ < s_.size()) {
        text();
      } else {
        add(Type::end, "");
      }
    }
    Token token = std::move(ready_.front());
    ready_.pop_front();
    return token;
  }

 private:
  bool starts_with(size_t i, std::string_view what) const { return s_.compare(i, what.size(), what) == 0; }
  char peek(size_t i) const { return i < s_.size() ? s_[i] : '\0'; }

  Token& add(Type type, std::string text) {
    watch_.tick();
    Token& token = ready_.emplace_back();
    token.type = type;
    token.text = std::move(text);
    token.line = line_;
    return token;
  }

  void move_to(size_t end) {
    line_ += int(std::count(s_.begin() + ptrdiff_t(at_), s_.begin() + ptrdiff_t(end), '\n'));
    at_ = end;
  }

  size_t skip_space(size_t i) const {
    while (i < s_.size()) {
      size_t next = i;
      if (!is_space(next_code_point(s_, next))) break;
      i = next;
    }
    return i;
  }

  // Literal text up to `end`, stripped as the tag that follows asks for, by its sign or by lstrip_blocks.
  void add_data(size_t end, char sign, bool is_variable) {
    std::string_view text = std::string_view(s_).substr(at_, end - at_);
    if (sign == '-') {
      text = strip_space(text, false, true);
    } else if (sign != '+' && !is_variable && trims_) {
      const size_t newline = text.rfind('\n');
      const size_t line = newline == text.npos ? 0 : newline + 1;
      if ((line > 0 || line_starting_) && strip_space(text.substr(line), true, false).empty())
        text = text.substr(0, line);
    }
    if (!text.empty()) add(Type::data, std::string(text));
    move_to(end);
  }

  // One stretch of text, and the tag after it up to its inside.
  void text() {
    size_t tag = at_;
    for (;; ++tag) {
      tag = s_.find('{', tag);
      if (tag == s_.npos || tag + 1 >= s_.size()) {
        add(Type::data, s_.substr(at_));
        move_to(s_.size());
        return;
      }
      if (s_[tag + 1] == '%' || s_[tag + 1] == '{' || s_[tag + 1] == '#') break;
    }
    const char kind = s_[tag + 1];
    const char sign = peek(tag + 2) == '-' || peek(tag + 2) == '+' ? s_[tag + 2] : '\0';
    add_data(tag, sign, kind == '{');
    const size_t inside = tag + 2 + (sign != '\0');
    if (kind == '#') {
      comment(inside);
    } else if (const size_t raw_text = kind == '%' ? raw_tag(inside) : 0) {
      raw(raw_text);
    } else {
      move_to(inside);
      add(kind == '{' ? Type::variable_begin : Type::block_begin, "");
      tag_ = kind == '{' ? Tag::variable : Tag::block;
      tag_line_ = line_;
      return;
    }
    after_newline();
  }

  void after_newline() { line_starting_ = at_ > 0 && s_[at_ - 1] == '\n'; }

  // After a tag's closing "}": '-' takes all white space, a block without sign one newline.
  size_t after_tag(size_t i, char sign) const {
    return sign == '-' ? skip_space(i) : sign != '+' && trims_ && peek(i) == '\n' ? i + 1 : i;
  }

  void comment(size_t inside) {
    const size_t close = s_.find("#}", inside);
    if (close == s_.npos) syntax_error(line_, "missing end of comment tag");
    const char before = close > inside ? s_[close - 1] : '\0';
    move_to(after_tag(close + 2, before));
  }

  // Where the text after "{% raw %}" starts, if that is what the tag at `i` is; else 0.
  size_t raw_tag(size_t i) const {
    i = skip_space(i);
    if (!starts_with(i, "raw")) return 0;
    i = skip_space(i + 3);
    if (starts_with(i, "-%}")) return skip_space(i + 3);
    return starts_with(i, "%}") ? i + 2 : 0;
  }

  void raw(size_t start) {
    move_to(start);
    line_starting_ = start > 0 && s_[start - 1] == '\n';
    for (size_t tag = start; (tag = s_.find("{%", tag)) != s_.npos; ++tag) {
      const char sign = peek(tag + 2) == '-' || peek(tag + 2) == '+' ? s_[tag + 2] : '\0';
      size_t i = skip_space(tag + 2 + (sign != '\0'));
      if (!starts_with(i, "endraw")) continue;
      i = skip_space(i + 6);
      const char end_sign = peek(i) == '-' || peek(i) == '+' ? s_[i] : '\0';
      i += end_sign != '\0';
      if (!starts_with(i, "%}")) continue;
      add_data(tag, sign, false);
      move_to(after_tag(i + 2, end_sign));
      return;
    }
    syntax_error(line_, "missing end of raw directive");
  }

  bool tag_end() {
    const bool variable = tag_ == Tag::variable;
    if (!open_.empty()) return false;
    const char sign = s_[at_] == '-' || (!variable && s_[at_] == '+') ? s_[at_] : '\0';
    const size_t close = at_ + (sign != '\0');
    if (!starts_with(close, variable ? "}}" : "%}")) return false;
    add(variable ? Type::variable_end : Type::block_end, "");
    move_to(variable ? (sign == '-' ? skip_space(close + 2) : close + 2) : after_tag(close + 2, sign));
    tag_ = Tag::none;
    after_newline();
    return true;
  }

  // What comes next inside a tag.
  void inside() {
    if (at_ >= s_.size()) syntax_error(tag_line_, "the tag is not closed");
    if (tag_end()) return;
    const size_t space = skip_space(at_);
    if (space != at_) return move_to(space);
    const char c = s_[at_];
    size_t next = at_;
    const char32_t point = next_code_point(s_, next);
    if (c >= '0' && c <= '9') {
      number();
    } else if (c == '_' || is_alnum(point)) {
      name();
    } else if (c == '\'' || c == '"') {
      string(c);
    } else {
      op();
    }
  }

  // Digits of `base` from `i` on, single underscores between them.
  size_t digits(size_t i, int base) const {
    while (is_digit_of(peek(i), base) || (peek(i) == '_' && is_digit_of(peek(i + 1), base))) ++i;
    return i;
  }

  void number() {
    const bool after_dot = at_ > 0 && s_[at_ - 1] == '.';
    size_t end = digits(at_, 10), fraction = end;
    if (peek(end) == '.' && is_digit_of(peek(end + 1), 10)) fraction = digits(end + 1, 10);
    size_t exponent = fraction;
    if ((peek(fraction) | 0x20) == 'e') {
      const size_t first = fraction + 1 + (peek(fraction + 1) == '+' || peek(fraction + 1) == '-');
      if (is_digit_of(peek(first), 10)) exponent = digits(first, 10);
    }
    if (exponent > end && !after_dot) {
      const std::string text = without_underscores(at_, exponent);
      Token& token = add(Type::real, "");
      if (std::from_chars(text.data(), text.data() + text.size(), token.real).ec != std::errc())
        syntax_error(line_, "the number %.40s is out of range", text.c_str());
      move_to(exponent);
      return;
    }
    int base = 10;
    size_t start = at_;
    const char marker = char(peek(at_ + 1) | 0x20);
    if (s_[at_] == '0') {
      const int marked = marker == 'x' ? 16 : marker == 'o' ? 8 : marker == 'b' ? 2 : 0;
      const size_t body = at_ + 2 + (peek(at_ + 2) == '_');
      if (marked && is_digit_of(peek(body), marked)) {
        base = marked;
        start = body;
        end = digits(body, base);
      } else {  // only zeros: 007 is two numbers
        end = at_ + 1;
        while (peek(end) == '0' || (peek(end) == '_' && peek(end + 1) == '0')) ++end;
      }
    }
    const std::string text = without_underscores(start, end);
    Token& token = add(Type::integer, "");
    if (std::from_chars(text.data(), text.data() + text.size(), token.integer, base).ec != std::errc())
      syntax_error(line_, "the integer %.40s leaves the 64-bit range", text.c_str());
    move_to(end);
  }

  std::string without_underscores(size_t from, size_t to) const {
    std::string out = s_.substr(from, to - from);
    out.erase(std::remove(out.begin(), out.end(), '_'), out.end());
    return out;
  }

  void name() {
    size_t end = at_;
    for (size_t next = at_; next < s_.size(); end = next) {
      const char32_t c = next_code_point(s_, next);
      if (c != '_' && !is_alnum(c)) break;
    }
    add(Type::name, s_.substr(at_, end - at_));
    move_to(end);
  }

  void op() {
    constexpr std::string_view kTwo[] = {"//", "**", "==", "!=", ">=", "<="};
    constexpr std::string_view kOne = "+-/*%~[](){}><=.:|,;";
    size_t n =
        std::any_of(std::begin(kTwo), std::end(kTwo), [&](std::string_view o) { return starts_with(at_, o); }) ? 2 : 1;
    const char c = s_[at_];
    if (n == 1 && kOne.find(c) == kOne.npos)
      syntax_error(line_, "unexpected character '%.4s'",
                   s_.substr(at_, byte_offset(std::string_view(s_).substr(at_), 1)).c_str());
    if (c == '(' || c == '[' || c == '{') open_ += c == '(' ? ')' : char(c + 2);
    if (c == ')' || c == ']' || c == '}') {
      if (open_.empty()) syntax_error(line_, "unexpected '%c'", c);
      if (open_.back() != c) syntax_error(line_, "unexpected '%c', expected '%c'", c, open_.back());
      open_.pop_back();
    }
    add(Type::op, s_.substr(at_, n));
    move_to(at_ + n);
  }

  void string(char quote) {
    std::string out;
    size_t i = at_ + 1;
    while (i < s_.size() && s_[i] != quote) {
      if (s_[i] == '\\') {
        escape(out, i);
      } else {
        out += s_[i++];
      }
    }
    if (i >= s_.size()) syntax_error(line_, "a string is not closed");
    add(Type::string, std::move(out));
    move_to(i + 1);
  }

  // The escapes of a Python string literal. Unknown ones stay as written.
  void escape(std::string& out, size_t& i) {
    constexpr std::string_view kFrom = "abfnrtv\\'\"", kTo = "\a\b\f\n\r\t\v\\'\"";
    const char c = peek(++i);
    if (i >= s_.size()) return;
    if (const size_t known = kFrom.find(c); known != kFrom.npos) {
      out += kTo[known];
      ++i;
    } else if (c == '\n') {
      ++i;  // a backslash at the end of a line continues it
    } else if (is_digit_of(c, 8)) {
      char32_t code = 0;
      for (int n = 0; n < 3 && is_digit_of(peek(i), 8); ++n) code = code * 8 + char32_t(s_[i++] - '0');
      append_utf8(out, code);
    } else if (c == 'x' || c == 'u' || c == 'U') {
      hex_escape(out, i, c == 'x' ? 2 : c == 'u' ? 4 : 8);
    } else if (c == 'N') {
      syntax_error(line_, "\\N{...} in a string is not supported");
    } else if (uint8_t(c) >= 0x80) {  // Jinja decodes "\é" as "\\xe9": a backslash and the code
      char buffer[16];
      const char32_t code = next_code_point(s_, i);
      std::snprintf(buffer, sizeof buffer,
                    code < 0x100     ? "\\x%02x"
                    : code < 0x10000 ? "\\u%04x"
                                     : "\\U%08x",
                    unsigned(code));
      out += buffer;
    } else {
      out += {'\\', c};
      ++i;
    }
  }

  void hex_escape(std::string& out, size_t& i, int digits) {
    char32_t code = 0;
    ++i;
    for (int n = 0; n < digits; ++n, ++i) {
      if (!is_digit_of(peek(i), 16))
        syntax_error(line_, "a \\x, \\u or \\U escape needs %d hexadecimal digits", digits);
      const char c = s_[i];
      code = code * 16 + char32_t(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
      syntax_error(line_, "\\u%x is not a character", unsigned(code));
    append_utf8(out, code);
  }

  const std::string s_;
  const bool trims_;
  const Watch& watch_;
  size_t at_ = 0;
  int line_ = 1;
  bool line_starting_ = true;
  std::string open_;  // closing brackets awaited
  enum class Tag : uint8_t { none, variable, block } tag_ = Tag::none;
  int tag_line_ = 1;
  std::deque<Token> ready_;  // a few
};

Tokens::Tokens(std::string_view source, TemplateStyle style, const Watch& watch) {
  if (source.size() > kMaxSource)
    syntax_error(1, "the template has %zu bytes, more than the %zu that one may have", source.size(), kMaxSource);
  if (!is_utf8(source)) fail(Status::bad_file, "chat template: not valid UTF-8");
  lexer_ = std::make_unique<Lexer>(normalize_newlines(source, style), style, watch);
}

Tokens::~Tokens() = default;

Token Tokens::next() { return lexer_->next(); }

void syntax_error(int line, const char* format, ...) {
  char buffer[400];
  va_list args;
  va_start(args, format);
  std::vsnprintf(buffer, sizeof buffer, format, args);
  va_end(args);
  fail(Status::bad_file, "chat template line %d: %s", line, buffer);
}

}  // namespace puna::jinja
