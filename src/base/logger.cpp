#include "puna/base/logger.h"

#include <cstdarg>
#include <cstdio>

#include "base/guarded_host.h"

namespace puna {

void Logger::write(LogLevel level, const char* format, ...) const noexcept {
  if (!log) return;
  char text[512];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  call_host([&] { log(user, int32_t(level), text); });
}

}  // namespace puna
