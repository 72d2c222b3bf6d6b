#include "base/format.h"

#include <cstdio>

namespace puna {

std::string format_list(const char* pattern, va_list values) {
  va_list again;
  va_copy(again, values);
  std::string text(size_t(vsnprintf(nullptr, 0, pattern, values)), '\0');
  vsnprintf(text.data(), text.size() + 1, pattern, again);
  va_end(again);
  return text;
}

std::string format(const char* pattern, ...) {
  va_list values;
  va_start(values, pattern);
  std::string text = format_list(pattern, values);
  va_end(values);
  return text;
}

}  // namespace puna
