// sockets.h -- a listening socket, and descriptors that are closed once. POSIX alone.
#pragma once
#ifndef _WIN32
#include <unistd.h>

#include <string>
#include <utility>

namespace puna::http {

// A file descriptor that is closed once.
class Fd {
 public:
  explicit Fd(int fd = -1) noexcept : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

void set_flags(int fd);  // never blocks, and is not inherited

struct Address {
  Fd fd;
  int port = 0;
};

// Error{invalid_argument}: the port; {io}: it cannot be opened, and why.
Address listen_at(const std::string& host, int port);

}  // namespace puna::http
#endif
