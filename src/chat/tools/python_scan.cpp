#include "chat/tools/python_scan.h"

#include <charconv>

#include "base/utf8.h"

namespace puna::tools {
namespace {

constexpr size_t kMostName = 256, kMostNumber = 4096, kMostBlanks = 1024;

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_letter(char c) noexcept { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
bool is_blank(char c) noexcept { return is_json_blank(c) || c == '\f'; }
// Of a keyword. More than Python's identifiers: schemas have keys such as "user-id" and "$ref" too.
bool is_name_byte(char c) noexcept {
  return uint8_t(c) > 0x20 && c != 0x7f && std::string_view("=(),:[]{}'\"#\\").find(c) == std::string_view::npos;
}

bool is_json_number(std::string_view text) {
  JsonScan scan;
  scan.step('[');
  for (char c : text)
    if (scan.step(c) != JsonScan::Event::scalar) return false;
  return scan.step(']') == JsonScan::Event::close;
}

// Python's notation of a number as JSON's; the text itself where JSON takes it. "" when it is none.
std::string json_number(std::string_view python) {
  if (is_json_number(python)) return std::string(python);
  std::string digits;
  const bool minus = python.starts_with('-');
  if (minus || python.starts_with('+')) python.remove_prefix(1);
  for (size_t i = 0; i < python.size(); ++i) {
    if (python[i] != '_') {
      digits += char(is_letter(python[i]) ? python[i] | 0x20 : python[i]);
      continue;
    }
    const bool between = i > 0 && i + 1 < python.size() && (is_digit(python[i + 1]) || is_letter(python[i + 1]));
    if (!between || python[i - 1] == '_') return {};
  }
  if (digits.empty() || is_letter(digits[0])) return {};
  const int base = digits.starts_with("0x") ? 16 : digits.starts_with("0o") ? 8 : digits.starts_with("0b") ? 2 : 10;
  if (base != 10) {
    uint64_t value = 0;
    const char* end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data() + 2, end, value, base);
    if (error != std::errc() || stop != end) return {};
    digits = std::to_string(value);
  } else {
    const size_t point = digits.find('.'), first = digits.find_first_not_of('0');
    if (point != digits.npos && (point + 1 == digits.size() || !is_digit(digits[point + 1]))) {
      if (point == 0) return {};
      digits.insert(point + 1, "0");
    }
    const bool real = digits.find_first_of(".e") != digits.npos;
    if (first == digits.npos)
      digits = "0";  // 00 is Python's, 07 is not
    else if (real && first > 0)
      digits.erase(0, first);
    if (digits.starts_with('.') || digits.starts_with('e')) digits.insert(0, "0");
  }
  if (minus) digits.insert(0, "-");
  return is_json_number(digits) ? digits : std::string();
}

}  // namespace

PythonScan::PythonScan() { push('f'); }

size_t PythonScan::settled() const noexcept {
  for (const Frame& f : stack_)
    if (f.kind == '(' && !f.comma) return f.at;
  return out_.size();
}

bool PythonScan::push(char kind) {
  if (stack_.size() >= kMostDepth) return false;
  Frame f{kind};
  f.at = out_.size();
  stack_.push_back(f);
  out_ += kind == 'f' ? '{' : kind == '(' ? ' ' : kind;  // a blank is what (1) leaves of its parentheses
  wants_ = kind == 'f' || kind == '{' ? Wants::keyword : Wants::value_or_close;
  return true;
}

void PythonScan::element() {
  if (stack_.back().count++ > 0) out_ += ", ";
}

bool PythonScan::close(char c) {
  const Frame f = stack_.back();
  if (c != (f.kind == 'f' || f.kind == '(' ? ')' : f.kind == '{' ? '}' : ']')) return false;
  if (f.kind == '(') {
    const bool tuple = f.comma || f.count == 0;
    if (tuple) {
      out_[f.at] = '[';
      out_ += ']';
    }
  } else {
    out_ += f.kind == '[' ? ']' : '}';
  }
  stack_.pop_back();
  wants_ = Wants::comma;
  done_ = stack_.empty();
  return true;
}

bool PythonScan::start_value(char c) {
  if (stack_.back().kind == '[' || stack_.back().kind == '(') element();
  if (c == '[' || c == '(' || c == '{') return push(c);
  if (c == '"' || c == '\'') {
    key_ = false;
    quote_ = c;
    out_ += '"';
    wants_ = Wants::text_begin;
    return true;
  }
  word_ = c;
  const bool number = is_digit(c) || c == '-' || c == '+' || c == '.';
  wants_ = number ? Wants::number : Wants::word;
  return number || is_letter(c);
}

bool PythonScan::start_key(char c) {
  element();
  if (stack_.back().kind == '{' && (c == '"' || c == '\'')) {
    key_ = true;
    quote_ = c;
    out_ += '"';
    wants_ = Wants::text_begin;
    return true;
  }
  word_ = c;
  wants_ = Wants::name;
  return is_name_byte(c) && (stack_.back().kind == '{' || !is_digit(c));
}

// A keyword, or a key of a dict: {k=v}, and as json.dumps writes the keys of {1: v} and {True: v}.
bool PythonScan::name_ends(char c) {
  const bool keyword = c == '=';
  if (!keyword && stack_.back().kind == 'f') return false;
  std::string name = word_;
  if (!keyword)
    name = word_ == "True" ? "true" : word_ == "False" ? "false" : word_ == "None" ? "null" : json_number(word_);
  if (name.empty() || !is_utf8(name)) return false;
  out_ += '"' + name + "\": ";
  wants_ = Wants::value;
  return true;
}

bool PythonScan::number_ends() {
  const std::string number = json_number(word_);
  out_ += number;
  wants_ = Wants::comma;
  return !number.empty();
}

bool PythonScan::word_ends() {
  const char* json = word_ == "True" || word_ == "true"     ? "true"
                     : word_ == "False" || word_ == "false" ? "false"
                     : word_ == "None" || word_ == "null"   ? "null"
                                                            : nullptr;
  if (json) out_ += json;
  wants_ = Wants::comma;
  return json != nullptr;
}

void PythonScan::text_ends() {
  out_ += '"';
  wants_ = key_ ? Wants::colon : Wants::comma;
}

bool PythonScan::text_byte(char c) {
  if (!utf8_.step(uint8_t(c)) || (!triple_ && (c == '\n' || c == '\r'))) return false;
  append_json_char(out_, c);
  return true;
}

bool PythonScan::text_step(char c, bool& again) {
  switch (wants_) {
    case Wants::text_begin:
      triple_ = false;
      quotes_ = 0;
      wants_ = c == quote_ ? Wants::text_second : Wants::text;
      again = c != quote_;
      return true;
    case Wants::text_second:
      triple_ = c == quote_;
      if (triple_) {
        wants_ = Wants::text;
      } else {
        blanks_.clear();
        wants_ = Wants::text_end;
        again = true;
      }
      return true;
    case Wants::text_end: {
      if (is_blank(c)) {
        blanks_ += c;
        return blanks_.size() <= kMostBlanks;
      }
      const bool closes = c == ',' || c == ')' || c == ']' || c == '}' || c == '#' || (key_ && c == ':');
      if (closes) {
        text_ends();
        again = true;
        return true;
      }
      if (!blanks_.empty() && !key_ && (c == '"' || c == '\'')) {  // adjacent literals are one text
        quote_ = c;
        wants_ = Wants::text_begin;
        return true;
      }
      if (!text_byte(quote_)) return false;
      for (char b : blanks_)
        if (!text_byte(b)) return false;
      wants_ = Wants::text;
      again = true;
      return true;
    }
    default: break;
  }
  if (c == '\\') {
    for (; quotes_ > 0; --quotes_) text_byte(quote_);
    wants_ = Wants::escape;
    return utf8_.between();
  }
  if (c == quote_) {
    if (!utf8_.between()) return false;
    if (!triple_) {
      blanks_.clear();
      wants_ = Wants::text_end;
    } else if (++quotes_ == 3) {
      text_ends();
    }
    return true;
  }
  for (; quotes_ > 0; --quotes_) text_byte(quote_);
  return text_byte(c);
}

bool PythonScan::escape(char c, bool& again) {
  constexpr std::string_view kFrom = "abfnrtv\\'\"", kTo = "\a\b\f\n\r\t\v\\'\"";
  wants_ = Wants::text;
  if (const size_t at = kFrom.find(c); at != kFrom.npos) {
    append_json_char(out_, kTo[at]);
  } else if (c == 'x' || c == 'u' || c == 'U' || (c >= '0' && c <= '7')) {
    code_ = 0, digits_ = 0;
    base_ = is_digit(c) ? 8 : 16;
    most_digits_ = base_ == 8 ? 3 : c == 'x' ? 2 : c == 'u' ? 4 : 8;
    wants_ = Wants::digits;
    again = base_ == 8;
  } else if (c == 'N') {
    return false;
  } else if (c != '\n') {  // an unknown escape stays as it is written
    append_json_char(out_, '\\');
    again = true;
  }
  return true;
}

bool PythonScan::code_point() {
  wants_ = Wants::text;
  if (code_ > 0x10ffff) return false;
  const bool low = code_ >= 0xdc00 && code_ < 0xe000;
  if (low != (high_ != 0)) return false;
  if (code_ >= 0xd800 && code_ < 0xdc00) {  // as JSON writes what is above U+FFFF: the other half must follow
    high_ = code_;
    surrogate_at_ = 0;
    wants_ = Wants::surrogate;
    return true;
  }
  const uint32_t code = low ? 0x10000 + ((high_ - 0xd800) << 10) + (code_ - 0xdc00) : code_;
  high_ = 0;
  if (code < 0x80)
    append_json_char(out_, char(code));
  else
    append_utf8(out_, code);
  return true;
}

PythonScan::Step PythonScan::step(char c) {
  const auto answer = [&](bool fine) { return !fine ? Step::bad : done_ ? Step::done : Step::more; };
  for (bool again = true; again;) {  // once more when a number, a word or a text ended before this byte
    again = false;
    switch (wants_) {
      case Wants::text_begin:
      case Wants::text_second:
      case Wants::text:
      case Wants::text_end:
        if (!text_step(c, again)) return Step::bad;
        continue;
      case Wants::escape:
        if (!escape(c, again)) return Step::bad;
        continue;
      case Wants::surrogate:
        if (c != "\\u"[surrogate_at_]) return Step::bad;
        if (++surrogate_at_ == 2) {
          code_ = 0, digits_ = 0;
          wants_ = Wants::digits;
        }
        continue;
      case Wants::digits: {
        const char low = char(c | 0x20);
        const int digit = is_digit(c) ? c - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : 99;
        if (digit < base_) {
          code_ = code_ * uint32_t(base_) + uint32_t(digit);
          if (++digits_ == most_digits_ && !code_point()) return Step::bad;
        } else {
          if (base_ != 8 || !code_point()) return Step::bad;  // only octal ones may have fewer digits
          again = true;
        }
        continue;
      }
      case Wants::number: {
        const bool sign = (c == '-' || c == '+') && (word_.back() | 0x20) == 'e';
        if (sign || is_digit(c) || is_letter(c) || c == '_' || c == '.') {
          word_ += c;
          if (word_.size() > kMostNumber) return Step::bad;
        } else {
          if (!number_ends()) return Step::bad;
          again = true;
        }
        continue;
      }
      case Wants::word:
        if (is_letter(c)) {
          word_ += c;
          if (word_.size() > 5) return Step::bad;  // "False"
        } else {
          if (!word_ends()) return Step::bad;
          again = true;
        }
        continue;
      case Wants::name:
        if (is_name_byte(c)) {
          word_ += c;
          if (word_.size() > kMostName) return Step::bad;
        } else if (is_blank(c)) {
          wants_ = Wants::equals;
        } else if ((c != '=' && c != ':') || !name_ends(c)) {
          return Step::bad;
        }
        continue;
      case Wants::comment:
        if (c == '\n') wants_ = behind_comment_;
        continue;
      default: break;
    }
    if (is_blank(c)) continue;
    if (c == '#') {
      behind_comment_ = wants_;
      wants_ = Wants::comment;
      continue;
    }
    switch (wants_) {
      case Wants::keyword:
        if (c == ')' || c == '}') return answer(close(c));
        return answer(start_key(c));
      case Wants::equals: return answer((c == '=' || c == ':') && name_ends(c));
      case Wants::colon:
        out_ += ": ";
        wants_ = Wants::value;
        return answer(c == ':');
      case Wants::value_or_close:
        if (c == ']' || c == ')') return answer(close(c));
        return answer(start_value(c));
      case Wants::value: return answer(start_value(c));
      default: break;
    }
    if (c != ',') return answer(close(c));  // Wants::comma
    Frame& f = stack_.back();
    if (f.kind == '(' && !f.comma) out_[f.at] = '[';
    f.comma = true;
    wants_ = f.kind == 'f' || f.kind == '{' ? Wants::keyword : Wants::value_or_close;
  }
  return Step::more;
}

}  // namespace puna::tools
