// shown.h -- texts from outside in messages: a name may have megabytes, and bytes that a terminal obeys.
#pragma once
#include <string>
#include <string_view>

namespace puna {

// At most 60 bytes, cut between two characters and "..." behind; control characters and what is no UTF-8 as '?'.
std::string shown(std::string_view text);

}  // namespace puna
