// jinja_percent.cpp -- "%5.2f %s %(name)d" % arguments, as Python's str does it.
#include <algorithm>

#include "text/jinja_format.h"
#include "text/jinja_ops.h"

namespace puna::jinja {
namespace {

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
      m_.check_size(out.size());
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
    if (at(i) == '%') {
      ++i;
      return "%";
    }
    FormatSpec spec;
    std::optional<Value> named;
    if (at(i) == '(') {
      const size_t close = format_.find(')', i);
      if (close == format_.npos) m_.fail("incomplete format key");
      if (!arguments_.is(Kind::dict)) m_.fail("format requires a mapping");
      const Value* found = arguments_.as<Dict>().find_text(std::string_view(format_).substr(i + 1, close - i - 1));
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
    if (spec.width < 0) {
      spec.align = '<';
      spec.width = -spec.width;
    }
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

}  // namespace

Value percent_format(Machine& m, const Value& format, const Value& arguments) { return PercentFormatter(m, format, arguments).run(); }

}  // namespace puna::jinja
