// json_fault.h -- what is wrong with a JSON document, in our words: where, and what was expected there. The parser's
// own words are for its developers ("[json.exception.parse_error.101] ...").
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace puna {

struct JsonFault {
  size_t byte = 0;              // where it was seen, from 0; the document's size at its end
  size_t line = 1, column = 1;  // of that byte, from 1
  std::string what;             // "expected ':', not a number"
  std::string where() const;    // "line 3, column 7"
};

// Of the `position` that parse_error() of the events of walk_json() is told, and of what its exception says.
JsonFault json_fault(std::string_view text, size_t position, std::string_view said);

}  // namespace puna
