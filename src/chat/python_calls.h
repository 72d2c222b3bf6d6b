// python_calls.h -- reads "[f(a=1, b='x'), g()]", the Python notation Llama models write tool calls in, and writes
// values as Python does. Only literals are accepted (strings, numbers, True, False, None, lists, tuples, dicts):
// nothing is evaluated.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"

namespace puna {

struct PythonCall {
  explicit PythonCall(std::string n) : name(std::move(n)), arguments(OrderedJson::object()) {}
  PythonCall(PythonCall&&) = default;
  PythonCall& operator=(PythonCall&& other) noexcept {
    name = std::move(other.name);
    std::swap(arguments, other.arguments);
    return *this;
  }
  ~PythonCall() { dismantle(arguments); }

  std::string name;
  OrderedJson arguments;  // by keyword
};

// Nothing unless the whole text is one non-empty list of calls with keyword arguments. Linear time, bounded depth.
std::optional<std::vector<PythonCall>> parse_python_calls(std::string_view text);

// Tools that Meta's code knows by name and writes in notations of their own.
inline bool is_builtin_tool(std::string_view name) {
  return name == "brave_search" || name == "wolfram_alpha" || name == "photogen" || name == "code_interpreter";
}

std::string python_json(const OrderedJson& value);  // json.dumps(value)
std::string python_str(const OrderedJson& scalar);  // str(value) of a number, boolean or null

}  // namespace puna
