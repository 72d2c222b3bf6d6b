// python_literal.h -- lists as Python writes them: templates print them, and lm-evaluation-harness reads them back by
// ast.literal_eval.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace puna::eval {

// ['a', "it's", 3]: texts and whole numbers, these as texts of digits. Nothing when it is something else.
struct PythonList {
  std::vector<std::string> items;
  bool numbers = false;  // all of them
};
std::optional<PythonList> read_python_list(std::string_view text);
// repr() of a text.
std::string python_repr(std::string_view text);

}  // namespace puna::eval
