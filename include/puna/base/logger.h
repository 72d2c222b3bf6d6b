// logger.h -- log messages go to the host's function, if it gives one. The library itself prints nothing.
#pragma once
#include <cstdint>

namespace puna {

enum class LogLevel : int32_t { error = 1, warning = 2, info = 3, debug = 4 };

struct Logger {
  void* user = nullptr;
  void (*log)(void* user, int32_t level, const char* message) = nullptr;  // one line, no newline; any thread

  void write(LogLevel level, const char* format, ...) const noexcept __attribute__((format(printf, 3, 4)));
};

}  // namespace puna
