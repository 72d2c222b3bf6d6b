// percent.cpp -- "%5.2f %s %(name)d" % arguments, as Python's str does it.
#include <algorithm>

#include "chat/jinja/format.h"
#include "chat/jinja/ops.h"

namespace puna::jinja {
namespace {

class PercentFormatter {
 public:
  PercentFormatter(Machine& m, const Value& format, const Value& arguments)
      : m_(m),
        format_(format.text()),
        marks_(format.as<Text>()),
        markup_(is_markup(format)),
        arguments_(arguments),
        out_(m) {
    is_mapping_ =
        arguments.is(Kind::list) || arguments.is(Kind::dict) || arguments.is(Kind::range) || arguments.is_undefined();
  }

  Value run() {
    for (size_t i = 0; i < format_.size();) {
      size_t end = i;
      for (; end < format_.size() && format_[end] != '%'; ++end) m_.charge_bytes(1);
      out_.add(marks_, i, end);
      i = end + 1;
      if (end < format_.size()) conversion(i);
    }
    const size_t given = arguments_.is(Kind::tuple) ? arguments_.items().size() : 1;
    if (used_ < given && !is_mapping_) m_.fail("not all arguments converted during string formatting");
    return out_.finish(markup_);
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

  void conversion(size_t& i) {  // after its %
    m_.charge(1);
    const size_t start = i - 1;
    if (at(i) == '%') {
      out_.add(marks_, i, i + 1);
      ++i;
      return;
    }
    FormatSpec spec;
    std::optional<Value> named;
    if (at(i) == '(') {
      size_t close = i;
      for (; close < format_.size() && format_[close] != ')'; ++close) m_.charge_bytes(1);
      if (close == format_.size()) m_.fail("incomplete format key");
      if (!arguments_.is(Kind::dict)) m_.fail("format requires a mapping");
      const Value* found = arguments_.as<Dict>().find_text(m_, std::string_view(format_).substr(i + 1, close - i - 1));
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
    spec.content = marks_.has_content(start, i);
    convert(named ? *named : next_argument(), spec);
  }

  void convert(const Value& v, FormatSpec spec) {
    switch (spec.type) {
      case 's':
      case 'r':
      case 'a': return text(v, spec);
      case 'c':
        if (v.is_string() && v.as<Text>().length == 1) return text(v, spec);
        if (!v.is_integral()) m_.fail("%%c requires int or char");
        spec.zero = false;
        if (!spec.align) spec.align = '>';
        spec.content = spec.content || is_content(v);
        return format_integer(m_, out_, v, spec);
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
    const std::string* big = big_digits(v);
    if (!v.is_number() && !big) m_.fail("must be real number, not %s", type_name(v));
    spec.content = spec.content || is_content(v);
    format_float(m_, out_, big ? big_as_real(m_, *big) : v.as_real(), spec);
  }

  void text(const Value& v, FormatSpec spec) {
    if (spec.type == 'a') m_.unsupported("%a");
    Value s = spec.type == 'r' ? to_repr(m_, v) : to_str(m_, v);
    if (markup_) s = escaped(m_, s);
    spec.zero = false;
    if (!spec.align) spec.align = '>';
    format_text(m_, out_, s, spec);
  }

  void integer(const Value& v, FormatSpec spec) {
    m_.require_defined(v);
    if (!v.is_number() && !big_digits(v))
      m_.fail("%%%c format: a real number is required, not %s", spec.type, type_name(v));
    if (v.is(Kind::real) && spec.type != 'd') m_.fail("%%%c format: an integer is required, not float", spec.type);
    spec.content = spec.content || is_content(v);
    const Value i = v.is(Kind::real) ? Value::integer(to_integer(m_, v.as_real())) : v;
    if (spec.precision < 0) return format_integer(m_, out_, i, spec);
    const int base = spec.type == 'd' ? 10 : spec.type == 'o' ? 8 : 16;  // a minimum of digits
    if (base != 10 && big_digits(i)) m_.fail("an integer leaves the 64-bit range");
    const std::string digits = integer_digits(i, base, spec.type == 'X');
    std::string sign = is_negative(i) ? "-" : spec.sign == '+' ? "+" : spec.sign == ' ' ? " " : "";
    if (spec.alternate && base != 10) sign += {'0', spec.type};
    TextBuilder body(m_);
    body.repeat("0", spec.precision - int64_t(digits.size()), spec.content);
    body.add(digits, spec.content);
    pad(m_, out_, m_.text(sign, false, spec.content), body.finish(), spec, '>');
  }

  Machine& m_;
  const std::string& format_;
  const Text& marks_;
  const bool markup_;
  const Value& arguments_;
  TextBuilder out_;
  bool is_mapping_ = false;  // has a subscript, as Python tells mappings: may be left unused
  size_t used_ = 0;
};

}  // namespace

Value percent_format(Machine& m, const Value& format, const Value& arguments) {
  return PercentFormatter(m, format, arguments).run();
}

}  // namespace puna::jinja
