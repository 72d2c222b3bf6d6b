// os_posix.h -- what os_posix.cpp and os_write_posix.cpp share.
#pragma once
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "puna/base/error.h"

namespace puna::os {

struct FileDescriptor {
  int fd;
  ~FileDescriptor() {
    if (fd >= 0) ::close(fd);
  }
};

[[noreturn]] inline void fail_errno(const char* verb, const std::string& path) {
  fail(Status::io, "cannot %s '%s': %s", verb, path.c_str(), strerror(errno));
}

}  // namespace puna::os
