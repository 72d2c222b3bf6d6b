// sha256.h -- FIPS 180-4, as hexadecimal: lm-evaluation-harness names data, prompts and targets by it, and runs of
// theirs and ours are compared by those names.
#pragma once
#include <string>
#include <string_view>

namespace puna::eval {

std::string sha256(std::string_view text);

}  // namespace puna::eval
