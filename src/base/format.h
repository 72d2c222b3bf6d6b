// format.h -- printf into a text of any length.
#pragma once
#include <cstdarg>
#include <string>

namespace puna {

std::string format(const char* pattern, ...) __attribute__((format(printf, 1, 2)));
std::string format_list(const char* pattern, va_list values) __attribute__((format(printf, 1, 0)));

}  // namespace puna
