#include "server.h"

#include "base/json.h"
#include "puna/base/error.h"

#ifndef _WIN32
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#endif

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace puna::http {

Answer refusal(int status, const std::string& why) {
  return {status, "{\"error\": " + Json(why).dump(-1, ' ', false, Json::error_handler_t::replace) + "}"};
}

#ifdef _WIN32
class Server::Loop {};
Server::Server(const ServerOptions&, Handler) {
  fail(Status::unsupported, "this build has no HTTP server: it is for POSIX systems");
}
Server::~Server() = default;
int Server::port() const noexcept { return 0; }
#else
namespace {

using Clock = std::chrono::steady_clock;

Clock::duration seconds(double s) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(s));
}

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

void set_flags(int fd) {
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  fcntl(fd, F_SETFD, FD_CLOEXEC);
}

const char* reason(int status) {
  switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 431: return "Request Header Fields Too Large";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return status < 500 ? "Refused" : "Internal Server Error";
  }
}

std::string as_text(const Answer& a, bool keep_alive, bool without_body) {
  std::string out = "HTTP/1.1 " + std::to_string(a.status) + " " + reason(a.status) + "\r\nContent-Type: " + a.type +
                    "\r\nContent-Length: " + std::to_string(a.body.size()) +
                    "\r\nX-Content-Type-Options: nosniff\r\nConnection: " + (keep_alive ? "keep-alive" : "close") +
                    "\r\n\r\n";
  if (!without_body) out += a.body;
  return out;
}

struct Address {
  Fd fd;
  int port = 0;
};

Address listen_at(const ServerOptions& o) {
  PUNA_REQUIRE(o.port >= 0 && o.port <= 65535, "port is %d, expected 0 to 65535", o.port);
  addrinfo hints{}, *found = nullptr;
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  if (const int e = getaddrinfo(o.host.c_str(), std::to_string(o.port).c_str(), &hints, &found); e != 0)
    fail(Status::io, "cannot listen at %s: %s", o.host.c_str(), gai_strerror(e));
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
    const int port = at.ss_family == AF_INET6 ? ntohs(reinterpret_cast<sockaddr_in6*>(&at)->sin6_port)
                                              : ntohs(reinterpret_cast<sockaddr_in*>(&at)->sin_port);
    return {std::move(fd), port};
  }
  fail(Status::io, "cannot listen at %s:%d: %s", o.host.c_str(), o.port, strerror(error));
}

enum class Phase : uint8_t { idle, reading, answering, writing, draining };

struct Connection {
  Connection(Fd socket, const Limits& limits) : fd(std::move(socket)), parser(limits) {}

  Fd fd;
  RequestParser parser;
  Phase phase = Phase::idle;
  Clock::time_point deadline, since;  // since: of this phase
  std::string input;                  // behind the request that is being answered
  std::string output;
  size_t written = 0, body = 0;                             // body: bytes counted against ServerOptions::body_bytes
  bool keep_alive = true, continued = false, head = false;  // head: the method HEAD, an answer without its body
};

}  // namespace

class Server::Loop {
 public:
  Loop(const ServerOptions& options, Handler handler)
      : o_(options), handler_(std::move(handler)), listener_(listen_at(options)) {
    int ends[2];
    if (pipe(ends) != 0) fail(Status::io, "no pipe: %s", strerror(errno));
    wake_read_ = Fd(ends[0]);
    wake_write_ = Fd(ends[1]);
    set_flags(ends[0]);
    set_flags(ends[1]);
    threads_.emplace_back([this] { run(); });
    for (int i = 0; i < std::max(1, o_.threads); ++i) threads_.emplace_back([this] { answer_requests(); });
  }
  ~Loop() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    jobs_wait_.notify_all();
    wake();
    for (std::thread& t : threads_) t.join();
  }
  int port() const noexcept { return listener_.port; }

 private:
  // ---- the thread that polls: everything about connections is its own ----

  void run() {
    std::vector<pollfd> polled;
    std::vector<uint64_t> ids;
    while (!stopping_) {
      polled.clear();
      ids.clear();
      polled.push_back({listener_.fd.get(), POLLIN, 0});
      polled.push_back({wake_read_.get(), POLLIN, 0});
      Clock::time_point next = Clock::now() + seconds(1);
      for (auto& [id, c] : connections_) {
        polled.push_back({c.fd.get(), events_of(c), 0});
        ids.push_back(id);
        next = std::min(next, c.deadline);
      }
      const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now()).count();
      if (::poll(polled.data(), nfds_t(polled.size()), int(std::clamp<int64_t>(wait, 0, 1000))) < 0 && errno != EINTR)
        continue;
      const Clock::time_point now = Clock::now();
      take_answers(now);
      for (size_t i = 0; i < ids.size(); ++i) {
        const auto found = connections_.find(ids[i]);
        if (found == connections_.end()) continue;
        if (!serve(ids[i], found->second, polled[i + 2].revents, now)) close(found);
      }
      if (polled[0].revents) accept_some(now);
    }
  }

  static short events_of(const Connection& c) {
    switch (c.phase) {
      case Phase::writing: return POLLOUT;
#ifdef POLLRDHUP
      case Phase::answering: return POLLRDHUP;
#else
      case Phase::answering: return 0;
#endif
      default: return POLLIN;
    }
  }

  void accept_some(Clock::time_point now) {
    for (int i = 0; i < 64; ++i) {
      Fd fd(::accept(listener_.fd.get(), nullptr, nullptr));
      if (fd.get() < 0) return;
      set_flags(fd.get());
      const int on = 1;
      setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      if (connections_.size() >= o_.connections && !evict_oldest()) continue;  // all are being answered: closed at once
      Connection& c = connections_.emplace(++last_id_, Connection(std::move(fd), o_.limits)).first->second;
      enter(c, Phase::idle, now, o_.idle_seconds);
    }
  }

  bool evict_oldest() {
    auto oldest = connections_.end();
    for (auto c = connections_.begin(); c != connections_.end(); ++c) {
      if (c->second.phase == Phase::answering) continue;
      if (oldest == connections_.end() || c->second.since < oldest->second.since) oldest = c;
    }
    if (oldest == connections_.end()) return false;
    close(oldest);
    return true;
  }

  static void enter(Connection& c, Phase phase, Clock::time_point now, double limit) {
    c.phase = phase;
    c.since = now;
    c.deadline = now + seconds(limit);
  }

  void close(std::map<uint64_t, Connection>::iterator c) {
    body_bytes_ -= c->second.body;
    connections_.erase(c);
  }

  // false: the connection has ended.
  bool serve(uint64_t id, Connection& c, short revents, Clock::time_point now) {
    if (revents & (POLLERR | POLLNVAL)) return false;
    switch (c.phase) {
      case Phase::answering: return (revents & ~POLLIN) == 0;  // the client is gone
      case Phase::writing: return (!revents || write_some(id, c, now)) && now < c.deadline;
      case Phase::draining: return (!revents || discard_some(c)) && now < c.deadline;
      default: break;
    }
    if (revents && !read_some(id, c, now)) return false;
    if ((c.phase == Phase::idle || c.phase == Phase::reading) && now >= c.deadline) {
      if (c.phase == Phase::idle) return false;
      respond(
          id, c,
          refusal(408, "the request was not complete after " + std::to_string(int(o_.request_seconds)) + " seconds"),
          false, now);
    }
    return true;
  }

  bool read_some(uint64_t id, Connection& c, Clock::time_point now) {
    char buffer[64 << 10];
    for (int i = 0; i < 16; ++i) {  // and then the others
      const ssize_t got = ::recv(c.fd.get(), buffer, sizeof buffer, 0);
      if (got == 0) return false;
      if (got < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
      c.input.append(buffer, size_t(got));
      if (!parse(id, c, now)) return true;
    }
    return true;
  }

  // Takes what is there; false: nothing more is to be read for now.
  bool parse(uint64_t id, Connection& c, Clock::time_point now) {
    if (!c.input.empty() && c.phase == Phase::idle) enter(c, Phase::reading, now, o_.request_seconds);
    c.input.erase(0, c.parser.take(c.input));
    const size_t body = c.parser.request().body.size();
    body_bytes_ += body - c.body;
    c.body = body;
    if (c.parser.refused()) return respond(id, c, refusal(c.parser.refused(), c.parser.why()), false, now), false;
    if (body_bytes_ > o_.body_bytes)
      return respond(id, c, refusal(503, "too many large requests at once"), false, now), false;
    if (c.parser.wants_continue() && !c.continued) {
      constexpr std::string_view kGoOn = "HTTP/1.1 100 Continue\r\n\r\n";
      (void)!::send(c.fd.get(), kGoOn.data(), kGoOn.size(), MSG_NOSIGNAL);
      c.continued = true;
    }
    if (!c.parser.done()) return true;
    enter(c, Phase::answering, now, 1e6);
    Request request = c.parser.take_request();
    c.keep_alive = request.keep_alive;
    c.head = request.method == "HEAD";
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      jobs_.push_back({id, std::move(request)});
    }
    jobs_wait_.notify_one();
    return false;
  }

  void respond(uint64_t id, Connection& c, const Answer& a, bool keep_alive, Clock::time_point now) {
    c.keep_alive = keep_alive;
    c.output = as_text(a, keep_alive, c.head);
    c.written = 0;
    enter(c, Phase::writing, now, o_.idle_seconds);
    write_some(id, c, now);
  }

  // false: gone.
  bool write_some(uint64_t id, Connection& c, Clock::time_point now) {
    while (c.written < c.output.size()) {
      const ssize_t sent = ::send(c.fd.get(), c.output.data() + c.written, c.output.size() - c.written, MSG_NOSIGNAL);
      if (sent < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
      c.written += size_t(sent);
      c.deadline = now + seconds(o_.idle_seconds);
    }
    std::string().swap(c.output);
    body_bytes_ -= c.body;
    c.body = 0;
    if (!c.keep_alive) {  // closing now might reset the connection before the client has read why
      ::shutdown(c.fd.get(), SHUT_WR);
      enter(c, Phase::draining, now, 1);
      return true;
    }
    c.parser = RequestParser(o_.limits);
    c.continued = c.head = false;
    enter(c, Phase::idle, now, o_.idle_seconds);
    if (!c.input.empty()) parse(id, c, now);
    return true;
  }

  static bool discard_some(Connection& c) {
    char buffer[16 << 10];
    for (int i = 0; i < 16; ++i) {
      const ssize_t got = ::recv(c.fd.get(), buffer, sizeof buffer, 0);
      if (got == 0) return false;
      if (got < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    }
    return true;
  }

  void take_answers(Clock::time_point now) {
    char buffer[256];
    while (::read(wake_read_.get(), buffer, sizeof buffer) > 0) {}
    std::vector<Done> done;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      done.swap(done_);
    }
    for (Done& d : done)
      if (const auto c = connections_.find(d.id); c != connections_.end())
        respond(d.id, c->second, d.answer, c->second.keep_alive, now);
  }

  void wake() { (void)!::write(wake_write_.get(), "", 1); }

  // ---- the threads that answer ----

  void answer_requests() {
    for (;;) {
      std::unique_lock<std::mutex> lock(mutex_);
      jobs_wait_.wait(lock, [&] { return stopping_ || !jobs_.empty(); });
      if (stopping_) return;
      Job job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      Answer a;
      try {
        a = handler_(job.request);
      } catch (const std::exception& e) {
        a = refusal(500, e.what());
      }
      job.request = {};  // frees its memory before the wait
      lock.lock();
      done_.push_back({job.id, std::move(a)});
      lock.unlock();
      wake();
    }
  }

  struct Job {
    uint64_t id;
    Request request;
  };
  struct Done {
    uint64_t id;
    Answer answer;
  };

  const ServerOptions o_;
  const Handler handler_;
  Address listener_;
  Fd wake_read_, wake_write_;
  std::map<uint64_t, Connection> connections_;
  uint64_t last_id_ = 0;
  size_t body_bytes_ = 0;
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;  // of what follows
  std::condition_variable jobs_wait_;
  std::deque<Job> jobs_;
  std::vector<Done> done_;
  std::vector<std::thread> threads_;
};

Server::Server(const ServerOptions& options, Handler handler)
    : loop_(std::make_unique<Loop>(options, std::move(handler))) {}
Server::~Server() = default;
int Server::port() const noexcept { return loop_->port(); }
#endif

}  // namespace puna::http
