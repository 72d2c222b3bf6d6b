// filters.h -- value|filter(arguments) and `value is test(arguments)`: looked up by name when a template is
// parsed, or when map('name') and select('name') run. Signatures are Jinja 3.1's; tojson is the one transformers
// installs.
#pragma once
#include <functional>
#include <span>
#include <string_view>

#include "chat/jinja/machine.h"

namespace puna::jinja {

using Filter = Value (*)(Machine& m, const Value& input, Args& args);
using Test = bool (*)(Machine& m, const Value& input, Args& args);
Filter find_filter(std::string_view name);  // NULL when there is none
Test find_test(std::string_view name);

// ---- for the files that define them
struct FilterEntry {
  std::string_view name;
  Filter filter;
};
inline Filter find_among(std::span<const FilterEntry> filters, std::string_view name) {
  for (const FilterEntry& e : filters)
    if (e.name == name) return e.filter;
  return nullptr;
}
Filter find_text_filter(std::string_view name);    // filters_text.cpp
Filter find_list_filter(std::string_view name);    // filters_list.cpp
Filter find_number_filter(std::string_view name);  // filters.cpp, with the rest

// What Python would return as a generator: unprintable, without a length, walked once, and nothing happens (or fails)
// before the first item is asked for. It is as deep as all that it holds, and one more: `held` is the depth of what
// `step` keeps besides the source.
struct Lazy final : Iterator {
  using Step = std::function<bool(Machine&, Iterator& source, Value& out)>;
  Value source;
  Step step;
  Ref<Iterator> iterator;
  bool done = false;
  bool next(Machine& m, Value& out) override;
};
Value generator(Machine& m, const Value& source, int held, Lazy::Step step);
// The items of a list made from `source` when the first one is asked for.
Value deferred(Machine& m, const Value& source, int held,
               std::function<std::vector<Value>(Machine&, const Value&)> make);

}  // namespace puna::jinja
