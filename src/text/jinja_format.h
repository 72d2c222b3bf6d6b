// jinja_format.h -- Python's two ways to format: "%5.2f" % x (also the format filter), and "{:>5}".format(x).
// Widths and precisions are paid for before they are filled.
#pragma once
#include <string_view>

#include "text/jinja_machine.h"

namespace puna::jinja {

Value percent_format(Machine& m, const Value& format, const Value& arguments);
Value brace_format(Machine& m, const Value& self, Args& args);      // str.format
Value brace_format_map(Machine& m, const Value& self, Args& args);  // str.format_map

// The format-specification mini-language; both formatters reduce to it.
struct FormatSpec {
  char32_t fill = ' ';
  char align = 0;   // < > ^ =, or 0: the type's own
  char sign = '-';  // '-', '+' or ' '
  bool alternate = false, zero = false;
  char grouping = 0;  // ',' or '_'
  int64_t width = 0, precision = -1;
  char type = 0;
};
FormatSpec parse_spec(Machine& m, std::string_view s);
std::string format_value(Machine& m, const Value& v, const FormatSpec& spec);
std::string format_text(Machine& m, std::string_view s, const FormatSpec& spec);
std::string format_integer(Machine& m, int64_t i, const FormatSpec& spec);
std::string format_float(Machine& m, double d, const FormatSpec& spec);

// `prefix` (a sign, 0x) and `body`, padded to the width; `own_align` where the spec has none.
std::string pad(Machine& m, std::string_view prefix, std::string_view body, const FormatSpec& spec, char own_align);
int64_t parse_number(Machine& m, std::string_view s, size_t& i, int64_t otherwise);  // digits at `i`, which moves past them
inline bool is_one_of(char c, std::string_view set) { return set.find(c) != set.npos; }

}  // namespace puna::jinja
