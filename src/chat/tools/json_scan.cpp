#include "chat/tools/json_scan.h"

#include <charconv>

#include "base/utf8.h"

namespace puna::tools {

bool Utf8Steps::step(uint8_t byte) noexcept {
  if (need_ > 0) {
    if (byte < low_ || byte > high_) return false;
    --need_;
    low_ = 0x80, high_ = 0xbf;
    return true;
  }
  if (byte < 0x80) return true;
  if (byte < 0xc2 || byte > 0xf4) return false;
  need_ = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
  low_ = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;   // overlong
  high_ = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;  // surrogates; above U+10FFFF
  return true;
}

bool is_json_blank(char c) noexcept { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

void append_json_char(std::string& out, char c) {
  constexpr std::string_view kFrom = "\"\\\b\f\n\r\t", kTo = "\"\\bfnrt", kHex = "0123456789abcdef";
  if (const size_t at = kFrom.find(c); at != kFrom.npos) {
    out += {'\\', kTo[at]};
  } else if (uint8_t(c) < 0x20 || c == 0x7f) {
    out += {'\\', 'u', '0', '0', kHex[uint8_t(c) >> 4], kHex[c & 15]};
  } else {
    out += c;
  }
}

std::string unescaped(std::string_view raw) {
  constexpr std::string_view kFrom = "bfnrt", kTo = "\b\f\n\r\t";
  const auto hex = [&](size_t at) {
    uint32_t code = 0;
    std::from_chars(raw.data() + at, raw.data() + at + 4, code, 16);
    return code;
  };
  std::string out;
  for (size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '\\') {
      out += raw[i];
      continue;
    }
    const char c = raw[++i];
    if (c != 'u') {
      const size_t at = kFrom.find(c);
      out += at == kFrom.npos ? c : kTo[at];
      continue;
    }
    uint32_t code = hex(i + 1);
    i += 4;
    if (code >= 0xd800 && code < 0xe000) {  // the low surrogate that follows has been checked
      code = 0x10000 + ((code - 0xd800) << 10) + (hex(i + 3) - 0xdc00);
      i += 6;
    }
    append_utf8(out, code);
  }
  return out;
}

JsonScan::Event JsonScan::step(char c) {
  if (wants_ == Wants::scalar) {
    if (const Event e = scalar(c); e != Event::blank) return e;
    wants_ = Wants::comma;  // the number or word ended before this byte
  }
  switch (wants_) {
    case Wants::text:
    case Wants::escape:
    case Wants::hex:
    case Wants::low: return text(c);
    default: break;
  }
  if (is_json_blank(c)) return Event::blank;
  switch (wants_) {
    case Wants::value_or_close:
      if (c == ']') return close(c);
      [[fallthrough]];
    case Wants::value: return value(c);
    case Wants::key_or_close:
      if (c == '}') return close(c);
      [[fallthrough]];
    case Wants::key:
      if (c != '"') return Event::bad;
      key_ = true;
      wants_ = Wants::text;
      return Event::text_open;
    case Wants::colon:
      if (c != ':') return Event::bad;
      wants_ = Wants::value;
      return Event::colon;
    default: break;
  }
  if (c != ',') return close(c);
  wants_ = stack_.back() == '{' ? Wants::key : Wants::value;
  return Event::comma;
}

JsonScan::Event JsonScan::value(char c) {
  if (c == '{' || c == '[') {
    if (stack_.size() >= kMostDepth) return Event::bad;
    stack_ += c;
    wants_ = c == '{' ? Wants::key_or_close : Wants::value_or_close;
    return Event::open;
  }
  if (stack_.empty()) return Event::bad;
  if (c == '"') {
    key_ = false;
    wants_ = Wants::text;
    return Event::text_open;
  }
  number_ = 0;
  literal_ = c == 't' ? "rue" : c == 'f' ? "alse" : c == 'n' ? "ull" : "";
  if (literal_.empty()) {
    if (c != '-' && (c < '0' || c > '9')) return Event::bad;
    number_ = c == '-' ? '-' : c == '0' ? '0' : '1';
  }
  wants_ = Wants::scalar;
  return Event::scalar;
}

JsonScan::Event JsonScan::close(char c) {
  if (stack_.empty() || c != (stack_.back() == '{' ? '}' : ']')) return Event::bad;
  stack_.pop_back();
  wants_ = Wants::comma;
  return Event::close;
}

JsonScan::Event JsonScan::text(char c) {
  switch (wants_) {
    case Wants::escape:
      if (c == 'u') {
        wants_ = Wants::hex;
        digits_ = 0, code_ = 0;
        return Event::text_byte;
      }
      if (std::string_view("\"\\/bfnrt").find(c) == std::string_view::npos) return Event::bad;
      wants_ = Wants::text;
      return Event::text_byte;
    case Wants::hex: {
      const char low = char(c | 0x20);
      const bool digit = c >= '0' && c <= '9', letter = low >= 'a' && low <= 'f';
      if (!digit && !letter) return Event::bad;
      code_ = code_ * 16 + uint32_t(digit ? c - '0' : low - 'a' + 10);
      if (++digits_ < 4) return Event::text_byte;
      const bool is_low = code_ >= 0xdc00 && code_ < 0xe000;
      if (is_low != high_) return Event::bad;
      high_ = code_ >= 0xd800 && code_ < 0xdc00;
      low_at_ = 0;
      wants_ = high_ ? Wants::low : Wants::text;
      return Event::text_byte;
    }
    case Wants::low:
      if (c != "\\u"[low_at_]) return Event::bad;
      if (++low_at_ == 2) {
        wants_ = Wants::hex;
        digits_ = 0, code_ = 0;
      }
      return Event::text_byte;
    default: break;
  }
  if (uint8_t(c) < 0x20 || !utf8_.step(uint8_t(c))) return Event::bad;
  if (c == '"') {
    wants_ = key_ ? Wants::colon : Wants::comma;
    return Event::text_close;
  }
  if (c == '\\') wants_ = Wants::escape;
  return Event::text_byte;
}

bool JsonScan::scalar_is_whole() const noexcept {
  return literal_.empty() && (number_ == 0 || number_ == '0' || number_ == '1' || number_ == 'f' || number_ == 'x');
}

// blank: this byte is no part of it. States of a number: '-', '0' a leading zero, '1' digits, '.', 'f' its digits, 'e',
// '+' the exponent's sign, 'x' its digits.
JsonScan::Event JsonScan::scalar(char c) {
  if (!literal_.empty()) {
    if (c != literal_.front()) return Event::bad;
    literal_.remove_prefix(1);
    return Event::scalar;
  }
  const bool digit = c >= '0' && c <= '9';
  char next = 0;
  switch (number_) {
    case '-': next = !digit ? 0 : c == '0' ? '0' : '1'; break;
    case '0': next = c == '.' ? '.' : (c | 0x20) == 'e' ? 'e' : 0; break;
    case '1': next = digit ? '1' : c == '.' ? '.' : (c | 0x20) == 'e' ? 'e' : 0; break;
    case '.': next = digit ? 'f' : 0; break;
    case 'f': next = digit ? 'f' : (c | 0x20) == 'e' ? 'e' : 0; break;
    case 'e': next = digit ? 'x' : c == '+' || c == '-' ? '+' : 0; break;
    case '+':
    case 'x': next = digit ? 'x' : 0; break;
    default: break;
  }
  if (next) {
    number_ = next;
    return Event::scalar;
  }
  return scalar_is_whole() ? Event::blank : Event::bad;
}

}  // namespace puna::tools
