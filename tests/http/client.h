// client.h -- a client's socket, for tests that behave well and badly.
#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "support/catch.h"

namespace puna::test {

class Client {
 public:
  explicit Client(int port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(uint16_t(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval limit{20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    REQUIRE(::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  }
  Client(Client&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Client() {
    if (fd_ >= 0) ::close(fd_);
  }
  void close() { ::close(std::exchange(fd_, -1)); }
  void send(const std::string& bytes) { (void)!::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  // Until the other side closes, or `until` is there.
  std::string receive(const std::string& until = "") {
    std::string all;
    char buffer[4096];
    for (ssize_t got;
         (until.empty() || all.find(until) == all.npos) && (got = ::recv(fd_, buffer, sizeof buffer, 0)) > 0;)
      all.append(buffer, size_t(got));
    return all;
  }

 private:
  int fd_;
};

}  // namespace puna::test
