// connection.h -- one connection, as the thread that polls sees it.
#pragma once
#ifndef _WIN32
#include <chrono>
#include <memory>
#include <string>

#include "reply_state.h"
#include "request.h"
#include "server.h"
#include "sockets.h"

namespace puna::http {

using Clock = std::chrono::steady_clock;

inline Clock::duration seconds(double s) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(s));
}

enum class Phase : uint8_t {
  idle,       // between two requests
  reading,    // a request
  answering,  // somebody else works, nothing to send
  streaming,  // an answer in pieces
  writing,    // a whole answer
  draining,   // closed for writing: waits for the client to close
};

struct Connection {
  Connection(Fd socket, const ServerOptions& options) : fd(std::move(socket)), parser(options.limits), o(&options) {}

  short events() const;
  bool busy() const { return phase == Phase::answering || phase == Phase::streaming || phase == Phase::writing; }
  void enter(Phase to, Clock::time_point now, double limit);
  void write(const Answer& a, bool keep, Clock::time_point now);
  bool take_pieces(Clock::time_point now);            // of the reply; false: the connection has ended
  bool stream(bool writable, Clock::time_point now);  // false: likewise
  bool write_some(Clock::time_point now);             // false: gone
  bool discard_some();
  void say_continue();
  void leave();  // nobody reads the reply any more

  Fd fd;
  RequestParser parser;
  const ServerOptions* o;
  Phase phase = Phase::idle;
  Clock::time_point deadline, since, end_of_answer;  // since: of this phase
  std::string input;                                 // behind the request that is being answered
  std::string output, ping;
  size_t written = 0, body = 0;                             // body: bytes counted against ServerOptions::body_bytes
  bool keep_alive = true, continued = false, head = false;  // head: the method HEAD, an answer without its body
  bool whole = false;                                       // all of the answer is in `output`
  std::shared_ptr<ReplyState> reply;                        // while somebody else answers

 private:
  void finish(Clock::time_point now);
  void await(Clock::time_point now);
};

}  // namespace puna::http
#endif
