// globals.h -- the functions every template may call: range, dict, namespace, cycler, joiner, and what
// transformers adds, raise_exception and strftime_now.
#pragma once
#include <string_view>

#include "chat/jinja/machine.h"

namespace puna::jinja {

Value find_global(Machine& m,
                  std::string_view name);  // undefined when there is none; strftime_now exists only when `now` is known
bool is_global(std::string_view name);
bool set_namespace_attribute(Machine& m, const Value& space, std::string_view name,
                             const Value& value);  // false: not a namespace

// date.cpp: C's strftime for a date (the time of day is midnight), in the C locale. `date` is YYYY-MM-DD.
bool is_date(std::string_view date);
std::string format_date(Machine& m, std::string_view date, std::string_view format);

}  // namespace puna::jinja
