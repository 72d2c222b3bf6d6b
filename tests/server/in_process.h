// in_process.h -- the whole of `puna serve` in the test's own process, for sanitizers and for a heap that fails; and a
// client that takes no memory while it asks.
#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <regex>
#include <string>
#include <string_view>

#include "api.h"
#include "http/server.h"
#include "puna/base/context.h"

namespace puna::test {

class InProcess {
 public:
  explicit InProcess(std::vector<serve::ModelSpec> specs, uint64_t memory_limit = 0, int parallel = 32, int queue = 256)
      : log_(serve::Log::Form::none),
        models_(make_context(context(memory_limit)), std::move(specs), backend(parallel, queue)),
        api_(models_, serve::Keys(), serve::ApiOptions(), log_),
        server_(std::make_unique<http::Server>(
            http(api_), http::Server::Handler(
                            [this](const http::Request& r, const http::Reply& reply) { api_.handle(r, reply); }))) {}
  ~InProcess() {
    if (server_) server_->drain(10);
    stop_now();
  }
  void stop_now() {
    server_.reset();
    models_.clear();
  }
  int port() const { return server_->port(); }
  serve::Models& models() { return models_; }
  size_t under_way() const { return server_->counts().answering; }

 private:
  static ContextOptions context(uint64_t limit) {
    ContextOptions o;
    o.threads = 2;
    o.memory_limit = limit;
    return o;
  }
  static serve::BackendOptions backend(int parallel, int queue) {
    serve::BackendOptions o;
    o.session.max_positions = 512;
    o.max_running = parallel;
    o.max_queued = queue;
    return o;
  }
  static http::ServerOptions http(serve::Api& api) {
    http::ServerOptions o;
    o.quick = [&api](const http::Request& r) { return api.quick(r); };
    return o;
  }
  serve::Log log_;
  serve::Models models_;
  serve::Api api_;
  std::unique_ptr<http::Server> server_;
};

inline std::string request_text(const char* path, const std::string& body) {
  return std::string("POST ") + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" +
         "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// An answer as it came, until the server closed; memory of the caller's. A server that is silent for 30 seconds hangs.
struct Received {
  char bytes[1 << 17];
  size_t size = 0;
  bool connected = false, hung = false;
  std::string_view text() const { return {bytes, size}; }
  int status() const { return size > 12 ? 100 * (bytes[9] - '0') + 10 * (bytes[10] - '0') + bytes[11] - '0' : 0; }
};

inline int connect_to(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(uint16_t(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const timeval limit{30, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0) return fd;
  ::close(fd);
  return -1;
}

inline void exchange(int port, std::string_view request, Received& into) {
  into.size = 0;
  into.hung = false;
  const int fd = connect_to(port);
  into.connected = fd >= 0;
  if (!into.connected) return;
  (void)!::send(fd, request.data(), request.size(), MSG_NOSIGNAL);
  while (into.size < sizeof into.bytes) {
    const ssize_t got = ::recv(fd, into.bytes + into.size, sizeof into.bytes - into.size, 0);
    into.hung = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    if (got <= 0) break;
    into.size += size_t(got);
  }
  ::close(fd);
}

// Without what differs from one time to the next: ids, times, what the cache or drafts saved, where chunks were cut.
inline std::string lasting(std::string_view answer) {
  static const std::regex changes(
      R"re("id":"[^"]*"|"created(_at)?":\d+|x-request-id: \w+|Content-Length: \d+|)re"
      R"re("(cached|accepted_prediction|rejected_prediction|input|cache_read_input)_tokens":\d+|)re"
      R"re(\r\n[0-9a-f]+\r\n|: ping\n\n)re");
  return std::regex_replace(std::string(answer), changes, "");
}

}  // namespace puna::test
