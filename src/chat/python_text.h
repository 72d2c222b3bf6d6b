// python_text.h -- values as Python writes them.
#pragma once
#include <string>
#include <string_view>

#include "base/json.h"

namespace puna {

// Tools that Meta's code knows by name and writes in notations of their own.
inline bool is_builtin_tool(std::string_view name) {
  return name == "brave_search" || name == "wolfram_alpha" || name == "photogen" || name == "code_interpreter";
}

std::string python_json(const OrderedJson& value);  // json.dumps(value)
std::string python_str(const OrderedJson& scalar);  // str(value) of a number, boolean or null

}  // namespace puna
