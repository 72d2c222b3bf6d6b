// format.h -- printf into a text of any length.
#pragma once
#include <string>

namespace puna::eval {

std::string format(const char* pattern, ...) __attribute__((format(printf, 1, 2)));

}  // namespace puna::eval
