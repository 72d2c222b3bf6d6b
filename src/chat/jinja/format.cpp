// format.cpp -- the format mini-language: fill, align, sign, width, precision, type; numbers to digits.
#include "chat/jinja/format.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "chat/jinja/ops.h"
#include "chat/jinja/search.h"
#include "chat/jinja/text.h"

namespace puna::jinja {

int64_t parse_number(Machine& m, std::string_view s, size_t& i, int64_t otherwise) {
  int64_t n = 0;
  const auto [end, error] = std::from_chars(s.data() + i, s.data() + s.size(), n);
  if (error == std::errc::invalid_argument) return otherwise;
  if (error != std::errc() || n > INT32_MAX) m.fail("a width or precision is too large");
  i = size_t(end - s.data());
  return n;
}

namespace {

std::string group_digits(const std::string& body, char separator, size_t every) {
  const size_t integral = std::min(body.find_first_not_of("0123456789abcdefABCDEF"), body.size());
  std::string out;
  for (size_t i = 0; i < integral; ++i) {
    if (i > 0 && (integral - i) % every == 0) out += separator;
    out += body[i];
  }
  return out + body.substr(integral);
}

// A double has 1074 digits behind its point at most: more are zeros, which stand before an exponent.
constexpr int64_t kMostDigits = 1100;

std::string float_body(Machine& m, double d, const FormatSpec& spec) {
  const char type = char(spec.type | 0x20);
  if (!std::isfinite(d)) return std::isnan(d) ? "nan" : "inf";
  if (!spec.type && spec.precision < 0) return repr_float(d);
  const int64_t precision = spec.precision < 0 ? 6 : spec.precision, made = std::min(precision, kMostDigits);
  m.check_size(precision);
  m.charge(8 + made / 4);
  char buffer[kMostDigits + 400];
  const auto format = type == 'e'                     ? std::chars_format::scientific
                      : spec.type == 0 || type == 'g' ? std::chars_format::general
                                                      : std::chars_format::fixed;
  const int digits = format == std::chars_format::general && precision == 0 ? 1 : int(made);
  std::string out(buffer,
                  std::to_chars(buffer, buffer + sizeof buffer, spec.type == '%' ? d * 100 : d, format, digits).ptr);
  if (!spec.type && out.find_first_of(".e") == std::string::npos) out += ".0";
  if (precision > made && format != std::chars_format::general && std::isfinite(spec.type == '%' ? d * 100 : d)) {
    m.charge_bytes(2 * (precision - made));
    out.insert(std::min(out.find('e'), out.size()), size_t(precision - made), '0');
  }
  return out;
}

}  // namespace

bool is_negative(const Value& v) {
  const std::string* big = big_digits(v);
  return big ? (*big)[0] == '-' : v.as_integer() < 0;
}

std::string integer_digits(const Value& v, int base, bool upper) {
  if (const std::string* big = big_digits(v)) return big->substr(is_negative(v));
  const uint64_t n = is_negative(v) ? 0 - uint64_t(v.as_integer()) : uint64_t(v.as_integer());
  char buffer[64];
  std::string s(buffer, size_t(std::to_chars(buffer, buffer + sizeof buffer, n, base).ptr - buffer));
  if (upper) std::transform(s.begin(), s.end(), s.begin(), [](char c) { return c >= 'a' ? char(c - 32) : c; });
  return s;
}

// `sign` and `body` of a number, or all of a text, padded to the width. Widths count code points.
void pad(Machine& m, TextBuilder& out, const Value& prefix, const Value& body, const FormatSpec& spec, char own_align) {
  const int64_t missing = std::max<int64_t>(spec.width - prefix.as<Text>().length - body.as<Text>().length, 0);
  const char align = spec.align ? spec.align : spec.zero ? '=' : own_align;
  std::string unit;
  append_utf8(unit, spec.zero && !spec.align ? U'0' : spec.fill);
  m.charge(1);
  const int64_t left = align == '<' || align == '=' ? 0 : align == '^' ? missing / 2 : missing;
  const int64_t inside = align == '=' ? missing : 0;
  out.repeat(unit, left, spec.content);
  out.add(prefix);
  out.repeat(unit, inside, spec.content);
  out.add(body);
  out.repeat(unit, missing - left - inside, spec.content);
}

void format_float(Machine& m, TextBuilder& out, double d, const FormatSpec& spec) {
  if (spec.alternate) m.unsupported("the '#' flag for floats");
  std::string body = float_body(m, std::fabs(d), spec);
  if (spec.type == 'F' || spec.type == 'E' || spec.type == 'G')
    std::transform(body.begin(), body.end(), body.begin(), [](char c) { return c >= 'a' ? char(c - 32) : c; });
  if (spec.grouping) body = group_digits(body, spec.grouping, 3);
  if (spec.type == '%') body += '%';
  const char* sign = std::signbit(d) && !std::isnan(d) ? "-" : spec.sign == '+' ? "+" : spec.sign == ' ' ? " " : "";
  pad(m, out, m.text(sign, false, spec.content), m.text(std::move(body), false, spec.content), spec, '>');
}

void format_integer(Machine& m, TextBuilder& out, const Value& v, const FormatSpec& spec) {
  if (is_one_of(spec.type ? spec.type : 'd', "eEfFgG%")) {
    const std::string* big = big_digits(v);
    return format_float(m, out, big ? big_as_real(m, *big) : double(v.as_integer()), spec);
  }
  if (spec.precision >= 0) m.fail("Precision not allowed in integer format specifier");
  const int base = spec.type == 'x' || spec.type == 'X' ? 16 : spec.type == 'o' ? 8 : spec.type == 'b' ? 2 : 10;
  if (big_digits(v) && (base != 10 || spec.type == 'c')) m.fail("an integer leaves the 64-bit range");
  if (spec.type == 'c') {
    const int64_t i = v.as_integer();
    if (i < 0 || i > 0x10ffff || (i >= 0xd800 && i < 0xe000)) m.fail("%%c arg not in range(0x110000)");
    std::string s;
    append_utf8(s, char32_t(i));
    return pad(m, out, m.text(""), m.text(s, false, spec.content), spec, '<');
  }
  std::string body = integer_digits(v, base, spec.type == 'X');
  if (spec.grouping) body = group_digits(body, spec.grouping, base == 10 ? 3 : 4);
  std::string prefix = is_negative(v) ? "-" : spec.sign == '+' ? "+" : spec.sign == ' ' ? " " : "";
  if (spec.alternate && base != 10) prefix += {'0', spec.type};
  pad(m, out, m.text(prefix, false, spec.content), m.text(std::move(body), false, spec.content), spec, '>');
}

void format_text(Machine& m, TextBuilder& out, const Value& text, const FormatSpec& spec) {
  FormatSpec as_text = spec;
  if (spec.zero && !spec.align) {
    as_text.fill = '0';
    as_text.align = '<';
  }
  const Value body = spec.precision >= 0 ? part_of(m, text, 0, character_offset(m, text.text(), spec.precision)) : text;
  pad(m, out, m.text(""), body, as_text, '<');
}

FormatSpec parse_spec(Machine& m, std::string_view s) {
  FormatSpec spec;
  size_t i = 0;
  if (!s.empty()) {
    size_t after_fill = 0;
    const char32_t fill = next_code_point(s, after_fill);
    if (after_fill < s.size() && is_one_of(s[after_fill], "<>^=")) {
      spec.fill = fill;
      spec.align = s[after_fill];
      i = after_fill + 1;
    } else if (is_one_of(s[0], "<>^=")) {
      spec.align = s[i++];
    }
  }
  if (i < s.size() && is_one_of(s[i], "+- ")) spec.sign = s[i++];
  if (i < s.size() && s[i] == '#') spec.alternate = ++i;
  if (i < s.size() && s[i] == '0') {
    spec.zero = ++i;
    if (spec.align && spec.fill == ' ') spec.fill = '0';
  }
  spec.width = parse_number(m, s, i, 0);
  if (i < s.size() && is_one_of(s[i], ",_")) spec.grouping = s[i++];
  if (i < s.size() && s[i] == '.') {
    spec.precision = parse_number(m, s, ++i, -1);
    if (spec.precision < 0) m.fail("Format specifier missing precision");
  }
  if (i < s.size()) spec.type = s[i++];
  if (i != s.size()) m.fail("Invalid format specifier '%.40s'", std::string(s).c_str());
  return spec;
}

void format_value(Machine& m, TextBuilder& out, const Value& v, const FormatSpec& given) {
  FormatSpec spec = given;
  spec.content = spec.content || (!v.is_string() && is_content(v));
  if (v.is_string()) {
    if (spec.type && spec.type != 's') m.fail("Unknown format code '%c' for object of type 'str'", spec.type);
    if (spec.align == '=') m.fail("'=' alignment not allowed in string format specifier");
    if (spec.sign != '-' || spec.alternate || spec.grouping)
      m.fail("a sign, '#' or grouping is not allowed in string format specifier");
    return format_text(m, out, v, spec);
  }
  if (v.is_integral() || big_digits(v)) {
    if (!is_one_of(spec.type ? spec.type : 'd', "bcdoxXneEfFgG%"))
      m.fail("Unknown format code '%c' for object of type 'int'", spec.type);
    return format_integer(m, out, v, spec);
  }
  if (v.is(Kind::real)) {
    if (!is_one_of(spec.type ? spec.type : 'g', "eEfFgGn%"))
      m.fail("Unknown format code '%c' for object of type 'float'", spec.type);
    return format_float(m, out, v.as_real(), spec);
  }
  m.fail("unsupported format string passed to %s.__format__", type_name(v));
}

}  // namespace puna::jinja
