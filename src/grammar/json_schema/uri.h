// uri.h -- as much of RFC 3986 as $id and $ref need.
#pragma once
#include <string>
#include <string_view>

namespace puna::grammar {

std::string resolve_uri(std::string_view base, std::string_view reference);  // section 5.2, without fragments
std::string percent_decoded(std::string_view text);

}  // namespace puna::grammar
