// server.h -- an HTTP server for the lifetime of the object. One thread polls all connections and reads whole requests;
// others answer them, at once or in pieces. So an idle or very slow connection costs a file descriptor until its
// timeout, and blocks no other; a client that leaves is noticed at once, whatever its request waits for.
//
//   idle -> reading -> answering -> streaming -> idle ...        any of them -> closed, by its timeout or its client
//                               \-> writing  -/
//
// Allowed requests: access.h. POSIX alone.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "answer.h"
#include "request.h"

namespace puna::http {

struct ServerOptions {
  std::string host = "127.0.0.1";  // a name or an address to listen at
  int port = 0;                    // 0: any that is free
  Limits limits;                   // of one request
  size_t connections = 256;        // at once; above, the one that has been idle or reading longest gives way
  size_t body_bytes = 256 << 20;   // of all requests that are being read or wait for their answer
  size_t unread_bytes = 4 << 20;   // of an answer that wait for a slow reader; past it the connection is closed
  int threads = 4;                 // that call the handler
  double request_seconds = 15;     // from the first byte of a request to its last
  double idle_seconds = 30;        // between two requests, and while the client reads nothing of an answer
  double answer_seconds = 3600;    // from a request's last byte to its answer's last
  double ping_seconds = 15;        // without a piece, until Reply::begin's ping is sent
  // Asked first, by the thread that polls: what must be answered however busy the others are. It may not block.
  std::function<std::optional<Answer>(const Request&)> quick = {};
  // While the server drains: the answer to new requests. Without one: {503, "the server is shutting down"}
  std::function<Answer(const Request&)> refused = {};
};

struct ServerCounts {
  size_t connections = 0, answering = 0;
};

class Server {
 public:
  // Any thread, `threads` at once. What it throws becomes a 500. It may keep the reply and return before it is used.
  using Handler = std::function<void(const Request&, Reply)>;
  using Answerer = std::function<Answer(const Request&)>;  // for answers that are whole when it returns

  // Error{invalid_argument}: the port; {io}: the port cannot be opened, and why
  Server(const ServerOptions& options, Handler handler);
  Server(const ServerOptions& options, Answerer answerer);
  ~Server();  // handlers that run are waited for; what is not sent yet is dropped
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  int port() const noexcept;
  // From now on new requests are refused, and idle connections closed. Returns when all answers are sent, or the
  // seconds over: whether all were.
  bool drain(double seconds);
  ServerCounts counts() const noexcept;

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace puna::http
