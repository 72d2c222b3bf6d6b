// json_out.h -- what answers are written with beside base/json_out.h: numbers and base64.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/json_out.h"

namespace puna::serve {

std::string json_number(double value);  // finite; the shortest that reads back
std::string base64(std::string_view bytes);
// false: it is not base64 (with or without padding).
bool from_base64(std::string_view text, std::string& bytes);

}  // namespace puna::serve
