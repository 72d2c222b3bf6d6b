#include "sockets.h"

#ifndef _WIN32
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "puna/base/error.h"

namespace puna::http {

void set_flags(int fd) {
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  fcntl(fd, F_SETFD, FD_CLOEXEC);
}

Address listen_at(const std::string& host, int port) {
  PUNA_REQUIRE(port >= 0 && port <= 65535, "port is %d, expected 0 to 65535", port);
  addrinfo hints{}, *found = nullptr;
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  if (const int e = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found); e != 0)
    fail(Status::io, "cannot listen at %s: %s", host.c_str(), gai_strerror(e));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> list(found, freeaddrinfo);
  int error = 0;
  for (const addrinfo* a = found; a; a = a->ai_next) {
    Fd fd(::socket(a->ai_family, a->ai_socktype, a->ai_protocol));
    const int on = 1;
    if (fd.get() >= 0) setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd.get() < 0 || ::bind(fd.get(), a->ai_addr, a->ai_addrlen) != 0 || ::listen(fd.get(), 128) != 0) {
      error = errno;
      continue;
    }
    sockaddr_storage at{};
    socklen_t size = sizeof at;
    getsockname(fd.get(), reinterpret_cast<sockaddr*>(&at), &size);
    set_flags(fd.get());
    const int bound = at.ss_family == AF_INET6 ? ntohs(reinterpret_cast<sockaddr_in6*>(&at)->sin6_port)
                                               : ntohs(reinterpret_cast<sockaddr_in*>(&at)->sin_port);
    return {std::move(fd), bound};
  }
  fail(Status::io, "cannot listen at %s:%d: %s", host.c_str(), port, strerror(error));
}

}  // namespace puna::http
#endif
