// jinja_format.cpp -- the format mini-language: fill, align, sign, width, precision, type; numbers to digits.
#include "text/jinja_format.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "text/jinja_ops.h"
#include "text/jinja_unicode.h"

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

std::string digits_of(uint64_t n, int base, bool upper) {
  char buffer[64];
  std::string s(buffer, size_t(std::to_chars(buffer, buffer + sizeof buffer, n, base).ptr - buffer));
  if (upper) std::transform(s.begin(), s.end(), s.begin(), [](char c) { return c >= 'a' ? char(c - 32) : c; });
  return s;
}

std::string group_digits(const std::string& body, char separator, size_t every) {
  const size_t integral = std::min(body.find_first_not_of("0123456789abcdefABCDEF"), body.size());
  std::string out;
  for (size_t i = 0; i < integral; ++i) {
    if (i > 0 && (integral - i) % every == 0) out += separator;
    out += body[i];
  }
  return out + body.substr(integral);
}

std::string float_body(Machine& m, double d, const FormatSpec& spec) {
  const char type = char(spec.type | 0x20);
  if (!std::isfinite(d)) return std::isnan(d) ? "nan" : "inf";
  if (!spec.type && spec.precision < 0) return repr_float(d);
  const int64_t precision = spec.precision < 0 ? 6 : spec.precision;
  m.charge_text(precision + 400);
  std::string buffer(size_t(precision) + 400, '\0');
  const auto format = type == 'e'                     ? std::chars_format::scientific
                      : spec.type == 0 || type == 'g' ? std::chars_format::general
                                                      : std::chars_format::fixed;
  const int digits = format == std::chars_format::general && precision == 0 ? 1 : int(precision);
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), spec.type == '%' ? d * 100 : d, format, digits).ptr;
  buffer.resize(size_t(end - buffer.data()));
  if (!spec.type && buffer.find_first_of(".e") == std::string::npos) buffer += ".0";
  return buffer;
}

}  // namespace

// `sign` and `body` of a number, or all of a text, padded to the width. Widths count code points.
std::string pad(Machine& m, std::string_view prefix, std::string_view body, const FormatSpec& spec, char own_align) {
  const int64_t missing = spec.width - count_code_points(prefix) - count_code_points(body);
  if (missing <= 0) return std::string(prefix) + std::string(body);
  m.charge_text(4 * missing);
  const char align = spec.align ? spec.align : spec.zero ? '=' : own_align;
  std::string unit;
  append_utf8(unit, spec.zero && !spec.align ? U'0' : spec.fill);
  const auto fill = [&](int64_t n) {
    std::string s;
    for (int64_t i = 0; i < n; ++i) s += unit;
    return s;
  };
  const std::string text = std::string(prefix) + std::string(body);
  switch (align) {
    case '<': return text + fill(missing);
    case '^': return fill(missing / 2) + text + fill(missing - missing / 2);
    case '=': return std::string(prefix) + fill(missing) + std::string(body);
    default: return fill(missing) + text;
  }
}

std::string format_float(Machine& m, double d, const FormatSpec& spec) {
  if (spec.alternate) m.unsupported("the '#' flag for floats");
  std::string body = float_body(m, std::fabs(d), spec);
  if (spec.type == 'F' || spec.type == 'E' || spec.type == 'G')
    std::transform(body.begin(), body.end(), body.begin(), [](char c) { return c >= 'a' ? char(c - 32) : c; });
  if (spec.grouping) body = group_digits(body, spec.grouping, 3);
  if (spec.type == '%') body += '%';
  const char* sign = std::signbit(d) && !std::isnan(d) ? "-" : spec.sign == '+' ? "+" : spec.sign == ' ' ? " " : "";
  return pad(m, sign, body, spec, '>');
}

std::string format_integer(Machine& m, int64_t i, const FormatSpec& spec) {
  if (is_one_of(spec.type ? spec.type : 'd', "eEfFgG%")) return format_float(m, double(i), spec);
  if (spec.precision >= 0) m.fail("Precision not allowed in integer format specifier");
  if (spec.type == 'c') {
    if (i < 0 || i > 0x10ffff || (i >= 0xd800 && i < 0xe000)) m.fail("%%c arg not in range(0x110000)");
    std::string s;
    append_utf8(s, char32_t(i));
    return pad(m, "", s, spec, '<');
  }
  const int base = spec.type == 'x' || spec.type == 'X' ? 16 : spec.type == 'o' ? 8 : spec.type == 'b' ? 2 : 10;
  std::string body = digits_of(i < 0 ? 0 - uint64_t(i) : uint64_t(i), base, spec.type == 'X');
  if (spec.grouping) body = group_digits(body, spec.grouping, base == 10 ? 3 : 4);
  std::string prefix = i < 0 ? "-" : spec.sign == '+' ? "+" : spec.sign == ' ' ? " " : "";
  if (spec.alternate && base != 10) prefix += {'0', spec.type};
  return pad(m, prefix, body, spec, '>');
}

std::string format_text(Machine& m, std::string_view s, const FormatSpec& spec) {
  if (spec.precision >= 0) s = s.substr(0, byte_offset(s, spec.precision));
  FormatSpec text = spec;
  if (text.zero && !text.align) {
    text.fill = '0';
    text.align = '<';
  }
  return pad(m, "", s, text, '<');
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

std::string format_value(Machine& m, const Value& v, const FormatSpec& spec) {
  if (v.is_string()) {
    if (spec.type && spec.type != 's') m.fail("Unknown format code '%c' for object of type 'str'", spec.type);
    if (spec.align == '=') m.fail("'=' alignment not allowed in string format specifier");
    if (spec.sign != '-' || spec.alternate || spec.grouping) m.fail("a sign, '#' or grouping is not allowed in string format specifier");
    return format_text(m, v.text(), spec);
  }
  if (v.is_integral()) {
    if (!is_one_of(spec.type ? spec.type : 'd', "bcdoxXneEfFgG%")) m.fail("Unknown format code '%c' for object of type 'int'", spec.type);
    return format_integer(m, v.as_integer(), spec);
  }
  if (v.is(Kind::real)) {
    if (!is_one_of(spec.type ? spec.type : 'g', "eEfFgGn%")) m.fail("Unknown format code '%c' for object of type 'float'", spec.type);
    return format_float(m, v.as_real(), spec);
  }
  m.fail("unsupported format string passed to %s.__format__", type_name(v));
}

}  // namespace puna::jinja
