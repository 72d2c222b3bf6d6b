// server.h -- an HTTP server for the lifetime of the object. One thread polls all connections and reads whole requests;
// others answer them. So an idle or very slow connection costs a file descriptor until its timeout, and blocks no
// other.
//
//   idle -> reading -> answering -> writing -> idle ...        any of them -> closed, by its timeout or its client
//
// Allowed requests: access.h. POSIX alone.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "request.h"

namespace puna::http {

struct Answer {
  int status = 200;
  std::string body, type = "application/json";
};

struct ServerOptions {
  std::string host = "127.0.0.1";  // a name or an address to listen at
  int port = 0;                    // 0: any that is free
  Limits limits;                   // of one request
  size_t connections = 256;        // at once; above, the one that has been idle or reading longest gives way
  size_t body_bytes = 256 << 20;   // of all requests that are being read or wait for their answer
  int threads = 4;                 // that answer
  double request_seconds = 15;     // from the first byte of a request to its last
  double idle_seconds = 30;        // between two requests, and while the client reads nothing of an answer
};

class Server {
 public:
  // Any thread, `threads` at once. What it throws becomes a 500.
  using Handler = std::function<Answer(const Request&)>;

  // Error{invalid_argument}: the port; {io}: the port cannot be opened, and why
  Server(const ServerOptions& options, Handler handler);
  ~Server();  // answers that are being made are waited for, then dropped
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  int port() const noexcept;

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

// {"error": why}: whatever bytes `why` holds.
Answer refusal(int status, const std::string& why);

}  // namespace puna::http
