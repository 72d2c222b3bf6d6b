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
  char align = 0;       // < > ^ =, or 0: the type's own
  char sign = '-';      // '-', '+' or ' '
  bool alternate = false, zero = false;
  char grouping = 0;    // ',' or '_'
  int64_t width = 0, precision = -1;
  char type = 0;
};
std::string format_value(Machine& m, const Value& v, const FormatSpec& spec);

}  // namespace puna::jinja
