#include "puna/base/error.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace puna {

const char* name(Status status) noexcept {
  switch (status) {
    case Status::ok: return "ok";
    case Status::invalid_argument: return "invalid argument";
    case Status::out_of_memory: return "out of memory";
    case Status::io: return "input/output error";
    case Status::bad_file: return "bad file";
    case Status::unsupported: return "unsupported";
    case Status::cancelled: return "cancelled";
    case Status::context_full: return "context full";
    case Status::wrong_state: return "wrong state";
    case Status::internal: return "internal error";
    case Status::busy: return "busy";
  }
  return "unknown status";
}

Error::Error(Status status, const char* message) noexcept : status_(status) {
  const size_t n = strnlen(message, kCapacity - 1);
  memcpy(message_, message, n);
  message_[n] = '\0';
}

void fail(Status status, const char* format, ...) {
  char text[Error::kCapacity];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  throw Error(status, text);
}

}  // namespace puna
