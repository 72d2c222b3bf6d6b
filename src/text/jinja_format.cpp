#include "text/jinja_format.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>

#include "text/jinja_ops.h"
#include "text/jinja_unicode.h"

namespace puna::jinja {
namespace {

bool is_one_of(char c, std::string_view set) { return set.find(c) != set.npos; }

int64_t parse_number(Machine& m, std::string_view s, size_t& i, int64_t otherwise) {
  int64_t n = 0;
  const auto [end, error] = std::from_chars(s.data() + i, s.data() + s.size(), n);
  if (error == std::errc::invalid_argument) return otherwise;
  if (error != std::errc() || n > INT32_MAX) m.fail("a width or precision is too large");
  i = size_t(end - s.data());
  return n;
}

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

std::string float_body(Machine& m, double d, const FormatSpec& spec) {
  const char type = char(spec.type | 0x20);
  if (!std::isfinite(d)) return std::isnan(d) ? "nan" : "inf";
  if (!spec.type && spec.precision < 0) return repr_float(d);
  const int64_t precision = spec.precision < 0 ? 6 : spec.precision;
  m.charge_text(precision + 400);
  std::string buffer(size_t(precision) + 400, '\0');
  const auto format = type == 'e' ? std::chars_format::scientific : spec.type == 0 || type == 'g' ? std::chars_format::general : std::chars_format::fixed;
  const int digits = format == std::chars_format::general && precision == 0 ? 1 : int(precision);
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), spec.type == '%' ? d * 100 : d, format, digits).ptr;
  buffer.resize(size_t(end - buffer.data()));
  if (!spec.type && buffer.find_first_of(".e") == std::string::npos) buffer += ".0";
  return buffer;
}

std::string format_float(Machine& m, double d, const FormatSpec& spec) {
  if (spec.alternate) m.unsupported("the '#' flag for floats");
  std::string body = float_body(m, std::fabs(d), spec);
  if (spec.type == 'F' || spec.type == 'E' || spec.type == 'G') std::transform(body.begin(), body.end(), body.begin(), [](char c) { return c >= 'a' ? char(c - 32) : c; });
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
  if (text.zero && !text.align) { text.fill = '0'; text.align = '<'; }
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

// ---- "%..." % arguments

class PercentFormatter {
 public:
  PercentFormatter(Machine& m, const Value& format, const Value& arguments)
      : m_(m), format_(format.text()), markup_(is_markup(format)), arguments_(arguments) {
    is_mapping_ = arguments.is(Kind::list) || arguments.is(Kind::dict) || arguments.is(Kind::range) || arguments.is_undefined();
  }

  Value run() {
    std::string out;
    for (size_t i = 0; i < format_.size();) {
      if (format_[i] != '%') {
        const size_t end = std::min(format_.find('%', i), format_.size());
        out += format_.substr(i, end - i);
        i = end;
      } else {
        ++i;
        out += conversion(i);
      }
      if (int64_t(out.size()) > m_.limits().output_bytes) m_.charge_text(int64_t(out.size()));  // fails
    }
    const size_t given = arguments_.is(Kind::tuple) ? arguments_.items().size() : 1;
    if (used_ < given && !is_mapping_) m_.fail("not all arguments converted during string formatting");
    return m_.text(std::move(out), markup_);
  }

 private:
  char at(size_t i) {
    if (i >= format_.size()) m_.fail("incomplete format");
    return format_[i];
  }

  Value next_argument() {
    if (arguments_.is(Kind::tuple)) {
      if (used_ >= arguments_.items().size()) m_.fail("not enough arguments for format string");
      return arguments_.items()[used_++];
    }
    if (used_ > 0) m_.fail("not enough arguments for format string");
    ++used_;
    return arguments_;
  }

  std::string conversion(size_t& i) {
    if (at(i) == '%') { ++i; return "%"; }
    FormatSpec spec;
    std::optional<Value> named;
    if (at(i) == '(') {
      const size_t close = format_.find(')', i);
      if (close == format_.npos) m_.fail("incomplete format key");
      if (!arguments_.is(Kind::dict)) m_.fail("format requires a mapping");
      const Value* found = arguments_.as<Dict>().find(std::string_view(format_).substr(i + 1, close - i - 1));
      if (!found) m_.fail("KeyError: '%.64s'", format_.substr(i + 1, close - i - 1).c_str());
      named = *found;
      i = close + 1;
    }
    for (; is_one_of(at(i), "#0- +"); ++i) {
      if (format_[i] == '#') spec.alternate = true;
      if (format_[i] == '0') spec.zero = true;
      if (format_[i] == '-') spec.align = '<';
      if (format_[i] == '+' || (format_[i] == ' ' && spec.sign != '+')) spec.sign = format_[i];
    }
    const auto number = [&](int64_t otherwise) {
      if (at(i) != '*') return parse_number(m_, format_, i, otherwise);
      ++i;
      const Value v = next_argument();
      if (!v.is_integral()) m_.fail("* wants int");
      if (v.as_integer() > INT32_MAX || v.as_integer() < -INT32_MAX) m_.fail("a width or precision is too large");
      return v.as_integer();
    };
    spec.width = number(0);
    if (spec.width < 0) { spec.align = '<'; spec.width = -spec.width; }
    if (at(i) == '.') {
      ++i;
      spec.precision = std::max<int64_t>(number(0), 0);
    }
    if (is_one_of(at(i), "hlL")) ++i;
    spec.type = at(i++);
    return convert(named ? *named : next_argument(), spec);
  }

  std::string convert(const Value& v, FormatSpec spec) {
    switch (spec.type) {
      case 's':
      case 'r':
      case 'a': return text(v, spec);
      case 'c':
        if (v.is_string() && v.as<Text>().length == 1) return text(v, spec);
        if (!v.is_integral()) m_.fail("%%c requires int or char");
        spec.zero = false;
        if (!spec.align) spec.align = '>';
        return format_integer(m_, v.as_integer(), spec);
      case 'i':
      case 'u': spec.type = 'd'; [[fallthrough]];
      case 'd':
      case 'x':
      case 'X':
      case 'o': return integer(v, spec);
      default: break;
    }
    if (!is_one_of(spec.type, "eEfFgG")) m_.fail("unsupported format character '%c'", spec.type);
    m_.require_defined(v);
    if (!v.is_number()) m_.fail("must be real number, not %s", type_name(v));
    return format_float(m_, v.as_real(), spec);
  }

  std::string text(const Value& v, FormatSpec spec) {
    if (spec.type == 'a') m_.unsupported("%a");
    std::string s = spec.type == 'r' ? to_repr(m_, v) : to_str(m_, v);
    if (markup_ && !(spec.type != 'r' && is_markup(v))) s = escape_html(s);
    spec.zero = false;
    if (!spec.align) spec.align = '>';
    return format_text(m_, s, spec);
  }

  std::string integer(const Value& v, FormatSpec spec) {
    m_.require_defined(v);
    if (!v.is_number()) m_.fail("%%%c format: a real number is required, not %s", spec.type, type_name(v));
    if (v.is(Kind::real) && spec.type != 'd') m_.fail("%%%c format: an integer is required, not float", spec.type);
    const int64_t i = v.is(Kind::real) ? to_integer(m_, v.as_real()) : v.as_integer();
    if (spec.precision >= 0) {  // a minimum of digits
      FormatSpec digits;
      digits.zero = true;
      digits.width = spec.precision;
      digits.type = spec.type;
      std::string body = format_integer(m_, i < 0 ? -std::max(i, -INT64_MAX) : i, digits);
      const char* sign = i < 0 ? "-" : spec.sign == '+' ? "+" : spec.sign == ' ' ? " " : "";
      spec.zero = false;
      return pad(m_, sign, body, spec, '>');
    }
    return format_integer(m_, i, spec);
  }

  Machine& m_;
  const std::string& format_;
  const bool markup_;
  const Value& arguments_;
  bool is_mapping_ = false;  // has a subscript, as Python tells mappings: may be left unused
  size_t used_ = 0;
};

// ---- "{...}".format(arguments)

class BraceFormatter {
 public:
  BraceFormatter(Machine& m, std::vector<Value> positional, std::function<const Value*(std::string_view)> named, bool markup)
      : m_(m), positional_(std::move(positional)), named_(std::move(named)), markup_(markup) {}

  std::string run(std::string_view s, int depth) {
    if (depth > 2) m_.fail("Max string recursion exceeded");
    std::string out;
    for (size_t i = 0; i < s.size();) {
      const char c = s[i++];
      if (c != '{' && c != '}') {
        out += c;
      } else if (i < s.size() && s[i] == c) {
        out += c;
        ++i;
      } else if (c == '}') {
        m_.fail("Single '}' encountered in format string");
      } else {
        out += field(s, i, depth);
      }
      if (int64_t(out.size()) > m_.limits().output_bytes) m_.charge_text(int64_t(out.size()));  // fails
    }
    return out;
  }

 private:
  // After '{': name[!conversion][:spec]}, where the spec may hold fields of its own.
  std::string field(std::string_view s, size_t& i, int depth) {
    size_t end = i;
    for (int open = 1; open > 0; ++end) {
      if (end >= s.size()) m_.fail("expected '}' before end of string");
      open += s[end] == '{' ? 1 : s[end] == '}' ? -1 : 0;
    }
    const std::string_view whole = s.substr(i, end - 1 - i);
    i = end;
    m_.charge(1 + int64_t(whole.size()) / 8);
    size_t name_end = whole.find_first_of("!:");
    if (const size_t bracket = whole.find('['); bracket < name_end) name_end = whole.find_first_of("!:", std::min(whole.find(']', bracket), whole.size()));
    name_end = std::min(name_end, whole.size());
    Value v = resolve(whole.substr(0, name_end));
    std::string_view rest = whole.substr(name_end);
    if (!rest.empty() && rest[0] == '!') {
      if (rest.size() < 2 || (rest.size() > 2 && rest[2] != ':')) m_.fail("expected ':' after conversion specifier");
      if (rest[1] != 's' && rest[1] != 'r') m_.fail("Unknown conversion specifier '%c'", rest[1]);
      v = m_.text(rest[1] == 's' ? to_str(m_, v) : to_repr(m_, v));
      rest.remove_prefix(2);
    }
    const std::string spec = rest.empty() ? std::string() : run(rest.substr(1), depth + 1);
    std::string out = spec.empty() ? to_str(m_, v) : format_value(m_, v, parse_spec(m_, spec));
    return markup_ && !is_markup(v) && depth == 1 ? escape_html(out) : out;
  }

  Value resolve(std::string_view name) {
    const std::string_view first = name.substr(0, name.find_first_of(".["));
    if (first.empty() && !name.empty()) m_.fail("KeyError: ''");  // only a wholly empty name is numbered
    Value v = root(first);
    for (size_t i = first.size(); i < name.size();) {
      if (name[i] == '.') {
        const size_t end = std::min(name.find_first_of(".[", i + 1), name.size());
        if (end == i + 1) m_.fail("Empty attribute in format string");
        v = get_attribute(m_, v, name.substr(i + 1, end - i - 1));
        i = end;
      } else if (name[i] == '[') {
        const size_t close = name.find(']', i);
        if (close == name.npos) m_.fail("Missing ']' in format string");
        const std::string_view key = name.substr(i + 1, close - i - 1);
        int64_t index = 0;
        const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
        const bool is_index = error == std::errc() && end == key.data() + key.size() && key[0] != '-';
        v = get_item(m_, v, is_index ? Value::integer(index) : m_.text(std::string(key)));
        i = close + 1;
      } else {
        m_.fail("Only '.' or '[' may follow ']' in format field specifier");
      }
    }
    return v;
  }

  Value root(std::string_view first) {
    int64_t index = 0;
    const auto [end, error] = std::from_chars(first.data(), first.data() + first.size(), index);
    const bool is_index = !first.empty() && error == std::errc() && end == first.data() + first.size() && first[0] != '-';
    if (first.empty() || is_index) {
      const char mode = first.empty() ? 'a' : 'm';
      if (numbering_ && numbering_ != mode) m_.fail("cannot switch between manual and automatic field numbering");
      numbering_ = mode;
      if (first.empty()) index = automatic_++;
      if (index >= int64_t(positional_.size())) m_.fail("Replacement index %lld out of range for positional args tuple", static_cast<long long>(index));
      return positional_[size_t(index)];
    }
    const Value* v = named_(first);
    if (!v) m_.fail("KeyError: '%.64s'", std::string(first).c_str());
    return *v;
  }

  Machine& m_;
  const std::vector<Value> positional_;
  std::function<const Value*(std::string_view)> named_;
  const bool markup_;
  char numbering_ = 0;
  int64_t automatic_ = 0;
};

}  // namespace

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

Value percent_format(Machine& m, const Value& format, const Value& arguments) { return PercentFormatter(m, format, arguments).run(); }

Value brace_format(Machine& m, const Value& self, Args& args) {
  const auto named = [&](std::string_view name) -> const Value* {
    m.charge(int64_t(args.named.size()) / 8);
    for (const auto& [key, value] : args.named)
      if (key == name) return &value;
    return nullptr;
  };
  return m.text(BraceFormatter(m, args.positional, named, is_markup(self)).run(self.text(), 1), is_markup(self));
}

Value brace_format_map(Machine& m, const Value& self, Args& args) {
  Bound b(m, "format_map", {"mapping"}, 1, args);
  if (!b[0].is(Kind::dict)) m.fail("format_map() expects a dict");
  const auto named = [&b](std::string_view name) { return b[0].as<Dict>().find(name); };
  return m.text(BraceFormatter(m, {}, named, is_markup(self)).run(self.text(), 1), is_markup(self));
}

}  // namespace puna::jinja
