// json_format.h -- the values of `format` that are checked. To JSON Schema a format is an annotation unless somebody
// asks; here it is asked for, as OpenAI's strict subset does.
#pragma once
#include <string_view>

namespace puna::grammar {

// A regular expression over the text, for parse_regex; NULL: not one of ours, an annotation.
const char* format_pattern(std::string_view format);
// One of JSON Schema's that we have no pattern for: refused, where an unknown one is ignored.
bool is_unchecked_standard_format(std::string_view format);

}  // namespace puna::grammar
