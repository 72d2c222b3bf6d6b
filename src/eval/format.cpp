#include "eval/format.h"

#include <cstdarg>
#include <cstdio>

namespace puna::eval {

std::string format(const char* pattern, ...) {
  va_list values, again;
  va_start(values, pattern);
  va_copy(again, values);
  std::string text(size_t(vsnprintf(nullptr, 0, pattern, values)), '\0');
  vsnprintf(text.data(), text.size() + 1, pattern, again);
  va_end(again);
  va_end(values);
  return text;
}

}  // namespace puna::eval
