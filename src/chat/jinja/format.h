// format.h -- Python's two ways to format: "%5.2f" % x (also the format filter), and "{:>5}".format(x).
// Widths and precisions are paid for before they are filled.
#pragma once
#include <string_view>

#include "chat/jinja/builder.h"

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
  bool content = false;  // the format is the caller's, or the number is
};
FormatSpec parse_spec(Machine& m, std::string_view s);
// All of these add to `out`. What is written of content is content; so are fill characters that content asked for
// (`spec.content`).
void format_value(Machine& m, TextBuilder& out, const Value& v, const FormatSpec& spec);
void format_text(Machine& m, TextBuilder& out, const Value& text, const FormatSpec& spec);
void format_integer(Machine& m, TextBuilder& out, const Value& v, const FormatSpec& spec);  // of an integral or big one
void format_float(Machine& m, TextBuilder& out, double d, const FormatSpec& spec);

// `prefix` (a sign, 0x) and `body`, padded to the width; `own_align` where the spec has none.
void pad(Machine& m, TextBuilder& out, const Value& prefix, const Value& body, const FormatSpec& spec, char own_align);
std::string integer_digits(const Value& v, int base, bool upper);  // without sign
bool is_negative(const Value& v);
int64_t parse_number(Machine& m, std::string_view s, size_t& i,
                     int64_t otherwise);  // digits at `i`, which moves past them
inline bool is_one_of(char c, std::string_view set) { return set.find(c) != set.npos; }

}  // namespace puna::jinja
