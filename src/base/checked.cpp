#include "puna/base/checked.h"

#include <cstdarg>
#include <cstdio>

namespace puna {

uint64_t Size::take(uint64_t limit, const char* field_format, ...) const {
  if (fits(limit)) return value_;
  char field[256];
  va_list args;
  va_start(args, field_format);
  vsnprintf(field, sizeof field, field_format, args);
  va_end(args);
  if (!valid_) fail(Status::bad_file, "%s: the size overflows 64 bits or is negative", field);
  fail(Status::bad_file, "%s: %ju is more than the %ju possible here", field, value_, limit);
}

}  // namespace puna
