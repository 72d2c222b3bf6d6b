// json_values.h -- names and numbers in rows of JSON; errors name the row and the key.
#pragma once
#include <string>
#include <string_view>

#include "io/json_rows.h"

namespace puna::label {

std::string name_in(const io::Place& place, const char* key, std::string_view json);  // a text, a number, true, false
double number_in(const io::Place& place, const char* key, std::string_view json);

}  // namespace puna::label
