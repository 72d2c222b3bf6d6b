// json_out.h -- JSON written by hand: chunks of a stream are many and small.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace puna::serve {

// In quotes; bytes that are no UTF-8 become U+FFFD.
std::string json_string(std::string_view text);
std::string json_number(double value);  // finite; the shortest that reads back
std::string base64(std::string_view bytes);
// false: it is not base64 (with or without padding).
bool from_base64(std::string_view text, std::string& bytes);

}  // namespace puna::serve
