#include "puna/base/logger.h"

#include <cstdarg>
#include <cstdio>

namespace puna {

void Logger::write(LogLevel level, const char* format, ...) const noexcept {
  if (!log) return;
  char text[512];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  try {
    log(user, int32_t(level), text);
  } catch (...) {  // a host's exception must not end the host: what is logged is not worth that
  }
}

}  // namespace puna
