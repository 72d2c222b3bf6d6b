#include "http_client.h"

#include "puna/base/error.h"

#ifndef _WIN32
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#endif

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

namespace puna::cli {

ServerUrl ServerUrl::parse(const std::string& url) {
  constexpr std::string_view kScheme = "http://";
  PUNA_REQUIRE(url.starts_with(kScheme), "the server is '%s', expected http://HOST:PORT (TLS is a proxy's)",
               url.c_str());
  std::string rest = url.substr(kScheme.size());
  ServerUrl u;
  const size_t slash = rest.find('/');
  if (slash != rest.npos) u.path = rest.substr(slash), rest.resize(slash);
  while (u.path.ends_with('/')) u.path.pop_back();
  if (u.path.ends_with("/v1")) u.path.resize(u.path.size() - 3);
  const size_t bracket = rest.find(']'), colon = rest.rfind(':');
  if (colon != rest.npos && (bracket == rest.npos || colon > bracket)) {
    const std::string port = rest.substr(colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), u.port);
    PUNA_REQUIRE(error == std::errc() && end == port.data() + port.size() && u.port > 0 && u.port < 65536,
                 "the server's port is '%s', expected 1 to 65535", port.c_str());
    rest.resize(colon);
  }
  if (rest.starts_with('[') && rest.ends_with(']')) rest = rest.substr(1, rest.size() - 2);
  PUNA_REQUIRE(!rest.empty(), "the server is '%s', which names no host", url.c_str());
  u.host = rest;
  return u;
}

#ifdef _WIN32
HttpClient::HttpClient(ServerUrl, double patience, std::string) : patience_(patience) {
  fail(Status::unsupported, "this build has no HTTP client: it is for POSIX systems");
}
HttpClient::~HttpClient() = default;
int HttpClient::ask(const char*, const std::string&, const std::string&, FunctionRef<bool(std::string_view)>) {
  return 0;
}
#else

HttpClient::HttpClient(ServerUrl url, double patience, std::string key)
    : url_(std::move(url)), patience_(patience), key_(std::move(key)) {}
HttpClient::~HttpClient() { close(); }

void HttpClient::close() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  input_.clear();
  at_ = 0;
}

void HttpClient::connect() {
  addrinfo hints{}, *found = nullptr;
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  if (const int e = getaddrinfo(url_.host.c_str(), std::to_string(url_.port).c_str(), &hints, &found); e != 0)
    fail(Status::io, "%s: %s", url_.host.c_str(), gai_strerror(e));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> list(found, freeaddrinfo);
  int error = 0;
  for (const addrinfo* a = found; a; a = a->ai_next) {
    fd_ = ::socket(a->ai_family, a->ai_socktype, a->ai_protocol);
    if (fd_ >= 0 && ::connect(fd_, a->ai_addr, a->ai_addrlen) == 0) {
      const int on = 1;
      setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      return;
    }
    error = errno;
    close();
  }
  fail(Status::io, "no connection to %s:%d: %s", url_.host.c_str(), url_.port, strerror(error));
}

bool HttpClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(size_t(sent));
  }
  return true;
}

bool HttpClient::receive() {
  if (at_ == input_.size()) {
    input_.clear();
    at_ = 0;
  }
  char buffer[16 << 10];
  pollfd wait{fd_, POLLIN, 0};
  int ready = 0;
  do ready = ::poll(&wait, 1, int(patience_ * 1000));
  while (ready < 0 && errno == EINTR);
  if (ready == 0) fail(Status::io, "the server was silent for %.0f seconds", patience_);
  const ssize_t got = ::recv(fd_, buffer, sizeof buffer, 0);
  if (got <= 0) return false;
  input_.append(buffer, size_t(got));
  return true;
}

// Without its end.
std::string_view HttpClient::line() {
  for (;;) {
    const size_t end = input_.find("\r\n", at_);
    if (end != input_.npos) {
      const std::string_view found = std::string_view(input_).substr(at_, end - at_);
      at_ = end + 2;
      return found;
    }
    if (input_.size() - at_ > (64 << 10)) fail(Status::io, "the answer has a line without end");
    if (at_ > 0) input_.erase(0, std::exchange(at_, 0));
    if (!receive()) fail(Status::io, "the server closed the connection within an answer");
  }
}

int HttpClient::read_answer(FunctionRef<bool(std::string_view)> on_body, bool& began) {
  const std::string_view first = line();
  began = true;
  int status = 0;
  if (first.starts_with("HTTP/1.") && first.size() > 12) std::from_chars(first.data() + 9, first.data() + 12, status);
  if (status < 100) fail(Status::io, "the answer begins with '%.40s', which is no HTTP/1", std::string(first).c_str());
  bool chunked = false, keep = true;
  size_t left = SIZE_MAX;  // until the connection closes
  for (std::string field(line()); !field.empty(); field = line()) {
    std::transform(field.begin(), field.end(), field.begin(), [](unsigned char c) { return char(std::tolower(c)); });
    const std::string_view f = field;
    if (f.starts_with("transfer-encoding:")) chunked = f.find("chunked") != f.npos;
    if (f.starts_with("connection:")) keep = f.find("close") == f.npos;
    if (f.starts_with("content-length:")) {
      const size_t digits = f.find_first_of("0123456789");
      if (digits == f.npos || std::from_chars(f.data() + digits, f.data() + f.size(), left).ec != std::errc())
        fail(Status::io, "the answer's content-length is no number");
    }
  }
  const auto body = [&](size_t bytes) {  // false: the connection has ended, or `on_body` has enough
    while (bytes > 0) {
      if (at_ == input_.size() && !receive()) return false;
      const std::string_view piece = std::string_view(input_).substr(at_, bytes);
      at_ += piece.size();
      bytes -= piece.size();
      if (!on_body(piece)) return false;
    }
    return true;
  };
  bool whole = true;
  while (chunked && whole) {
    const std::string_view size = line();
    size_t bytes = 0;
    if (std::from_chars(size.data(), size.data() + size.size(), bytes, 16).ec != std::errc())
      fail(Status::io, "the answer has a chunk without a size");
    whole = body(bytes);
    if (whole) (void)line();
    if (bytes == 0) break;
  }
  if (!chunked) whole = body(left) && left != SIZE_MAX;
  if (!whole || !keep) close();
  return status;
}

int HttpClient::ask(const char* method, const std::string& path, const std::string& body,
                    FunctionRef<bool(std::string_view)> on_body) {
  std::string head = std::string(method) + " " + url_.path + path + " HTTP/1.1\r\nHost: " + url_.host + ":" +
                     std::to_string(url_.port) + "\r\nAccept: */*\r\n";
  if (!key_.empty()) head += "Authorization: Bearer " + key_ + "\r\n";
  if (!body.empty())
    head += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  head += "\r\n" + body;
  // A connection that was kept may have been closed meanwhile: then once more, on a new one.
  for (bool again = fd_ >= 0;; again = false) {
    if (fd_ < 0) connect();
    bool began = false;
    try {
      if (!send(head)) fail(Status::io, "the server closed the connection");
      return read_answer(on_body, began);
    } catch (...) {
      close();
      if (!again || began) throw;
    }
  }
}
#endif

}  // namespace puna::cli
