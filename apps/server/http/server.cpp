#include "server.h"

#include "connection.h"
#include "puna/base/error.h"
#include "sockets.h"

#ifndef _WIN32
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#endif

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace puna::http {

#ifdef _WIN32
class Server::Loop {};
Server::Server(const ServerOptions&, Handler) {
  fail(Status::unsupported, "this build has no HTTP server: it is for POSIX systems");
}
int Server::port() const noexcept { return 0; }
bool Server::drain(double) { return true; }
ServerCounts Server::counts() const noexcept { return {}; }
#else

// What the polling thread does with one connection is in connection.cpp.
class Server::Loop {
 public:
  Loop(const ServerOptions& options, Handler handler)
      : o_(options), handler_(std::move(handler)), listener_(listen_at(options.host, options.port)) {
    int ends[2];
    if (pipe(ends) != 0) fail(Status::io, "no pipe: %s", strerror(errno));
    wake_read_ = Fd(ends[0]);
    wake_write_ = Fd(ends[1]);
    set_flags(ends[0]);
    set_flags(ends[1]);
    waker_ = std::make_shared<Waker>(ends[1]);
    threads_.emplace_back([this] { run(); });
    for (int i = 0; i < std::max(1, o_.threads); ++i) threads_.emplace_back([this] { answer_requests(); });
  }
  ~Loop() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    jobs_wait_.notify_all();
    waker_->wake();
    for (std::thread& t : threads_) t.join();
    for (auto& [id, c] : connections_) c.leave();
    waker_->close();
  }
  int port() const noexcept { return listener_.port; }
  ServerCounts counts() const noexcept { return {open_.load(), answering_.load()}; }

  bool drain(double limit) {
    std::unique_lock<std::mutex> lock(mutex_);
    draining_ = true;
    waker_->wake();
    return drained_.wait_for(lock, std::chrono::duration<double>(limit), [&] { return quiet_; });
  }

 private:
  using Connections = std::map<uint64_t, Connection>;

  // ---- the thread that polls: everything about connections is its own ----

  void run() {
    while (!stopping_) {
      try {
        turn();
      } catch (const std::bad_alloc&) {  // every turn looks at everything again
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
  }

  void turn() {
    polled_.clear();
    ids_.clear();
    polled_.push_back({listener_.fd.get(), POLLIN, 0});
    polled_.push_back({wake_read_.get(), POLLIN, 0});
    Clock::time_point next = Clock::now() + seconds(1);
    for (auto& [id, c] : connections_) {
      polled_.push_back({c.fd.get(), c.events(), 0});
      ids_.push_back(id);
      next = std::min(next, c.deadline);
    }
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now()).count();
    if (::poll(polled_.data(), nfds_t(polled_.size()), int(std::clamp<int64_t>(wait, 0, 1000))) < 0 && errno != EINTR)
      return;
    const Clock::time_point now = Clock::now();
    take_pieces(now);
    for (size_t i = 0; i < ids_.size(); ++i) {
      const auto found = connections_.find(ids_[i]);
      if (found == connections_.end()) continue;
      or_close(found, [&] { return serve(found, polled_[i + 2].revents, now); });
    }
    if (polled_[0].revents) accept_some(now);
    count(now);
  }

  // `step` false: the connection has ended. One that the memory does not suffice for ends as well, and no other.
  template <class Step>
  void or_close(Connections::iterator at, Step&& step) {
    bool goes_on = false;
    try {
      goes_on = step();
    } catch (const std::bad_alloc&) {}
    if (!goes_on) close(at);
  }

  void count(Clock::time_point now) {
    size_t busy = 0;
    const bool draining = draining_;
    for (auto c = connections_.begin(); c != connections_.end();) {
      const auto here = c++;
      if (here->second.busy())
        ++busy;
      else if (draining && here->second.phase == Phase::idle && now - here->second.since > seconds(0.2))
        close(here);
    }
    open_ = connections_.size();
    answering_ = busy;
    if (!draining) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    quiet_ = busy == 0;
    if (quiet_) drained_.notify_all();
  }

  void accept_some(Clock::time_point now) {
    for (int i = 0; i < 64; ++i) {
      Fd fd(::accept(listener_.fd.get(), nullptr, nullptr));
      if (fd.get() < 0) return;
      set_flags(fd.get());
      const int on = 1;
      setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      if (connections_.size() >= o_.connections && !evict_oldest()) {  // all are being answered
        const std::string full = as_text(refusal(503, "too many connections"), false, false);
        (void)!::send(fd.get(), full.data(), full.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        continue;
      }
      Connection& c = connections_.emplace(++last_id_, Connection(std::move(fd), o_)).first->second;
      c.enter(Phase::idle, now, o_.idle_seconds);
    }
  }

  bool evict_oldest() {
    auto oldest = connections_.end();
    for (auto c = connections_.begin(); c != connections_.end(); ++c) {
      if (c->second.busy()) continue;
      if (oldest == connections_.end() || c->second.since < oldest->second.since) oldest = c;
    }
    if (oldest == connections_.end()) return false;
    close(oldest);
    return true;
  }

  void close(Connections::iterator c) {
    body_bytes_ -= c->second.body;
    c->second.leave();
    connections_.erase(c);
  }

  // false: the connection has ended.
  bool serve(Connections::iterator at, short revents, Clock::time_point now) {
    Connection& c = at->second;
    if (revents & (POLLERR | POLLNVAL)) return false;
    switch (c.phase) {
      case Phase::answering:
        if (revents & ~POLLIN) return false;  // the client is gone
        if (now < c.deadline) return true;
        return respond(at, refusal(504, "no answer after " + std::to_string(int(o_.answer_seconds)) + " seconds"), now);
      case Phase::streaming:
        if (revents & ~(POLLIN | POLLOUT)) return false;
        return c.stream(revents & POLLOUT, now) && went_on(at, now);
      case Phase::writing: return (!revents || c.write_some(now)) && now < c.deadline && went_on(at, now);
      case Phase::draining: return (!revents || c.discard_some()) && now < c.deadline;
      default: break;
    }
    if (revents && (!read_some(at, now) || !went_on(at, now))) return false;
    if ((c.phase == Phase::idle || c.phase == Phase::reading) && now >= c.deadline) {
      if (c.phase == Phase::idle) return false;
      const std::string why = "the request was not complete after " + std::to_string(int(o_.request_seconds));
      return respond(at, refusal(408, why + " seconds"), now);
    }
    return true;
  }

  // After bytes were sent: when the answer is complete, the next request.
  bool went_on(Connections::iterator at, Clock::time_point now) {
    Connection& c = at->second;
    if (c.phase == Phase::draining) body_bytes_ -= std::exchange(c.body, 0);
    while (c.phase == Phase::idle) {
      body_bytes_ -= std::exchange(c.body, 0);
      if (c.input.empty()) break;
      parse(at, now);
    }
    return true;
  }

  bool read_some(Connections::iterator at, Clock::time_point now) {
    Connection& c = at->second;
    char buffer[64 << 10];
    for (int i = 0; i < 16; ++i) {  // and then the others
      const ssize_t got = ::recv(c.fd.get(), buffer, sizeof buffer, 0);
      if (got == 0) return false;
      if (got < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
      c.input.append(buffer, size_t(got));
      if (!parse(at, now)) return true;
    }
    return true;
  }

  // Takes what is there; false: nothing more is to be read for now.
  bool parse(Connections::iterator at, Clock::time_point now) {
    Connection& c = at->second;
    if (!c.input.empty() && c.phase == Phase::idle) c.enter(Phase::reading, now, o_.request_seconds);
    c.input.erase(0, c.parser.take(c.input));
    const size_t body = c.parser.request().body.size();
    body_bytes_ += body - c.body;
    c.body = body;
    if (c.parser.refused()) return respond(at, refusal(c.parser.refused(), c.parser.why()), now), false;
    if (body_bytes_ > o_.body_bytes) return respond(at, refusal(503, "too many large requests at once"), now), false;
    c.say_continue();
    if (!c.parser.done()) return true;
    take_request(at, c.parser.take_request(), now);
    return false;
  }

  void take_request(Connections::iterator at, Request request, Clock::time_point now) {
    Connection& c = at->second;
    c.keep_alive = request.keep_alive && !draining_;
    c.head = request.method == "HEAD";
    std::optional<Answer> answer;
    try {
      if (o_.quick) answer = o_.quick(request);
    } catch (const std::exception& e) {
      answer = refusal(500, e.what());
    }
    if (!answer && draining_) answer = o_.refused ? o_.refused(request) : refusal(503, "the server is shutting down");
    if (answer) {
      c.write(*answer, c.keep_alive, now);
      return;
    }
    c.enter(Phase::answering, now, o_.answer_seconds);
    c.end_of_answer = c.deadline;
    c.reply = std::make_shared<ReplyState>(waker_, at->first, c.keep_alive, c.head, request.http_1_0, o_.unread_bytes);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      jobs_.push_back({c.reply, std::move(request)});
    }
    jobs_wait_.notify_one();
  }

  // An answer of the loop's own, after which the connection closes.
  bool respond(Connections::iterator at, const Answer& a, Clock::time_point now) {
    at->second.leave();
    at->second.write(a, false, now);
    return went_on(at, now);
  }

  void take_pieces(Clock::time_point now) {
    char buffer[256];
    while (::read(wake_read_.get(), buffer, sizeof buffer) > 0) {}
    const Waker::Woken woken = waker_->take();
    const auto take = [&](Connections::iterator at) {
      if (at == connections_.end() || !at->second.reply) return;
      or_close(at, [&] { return at->second.take_pieces(now) && went_on(at, now); });
    };
    for (const uint64_t id : woken.ids) take(connections_.find(id));
    if (!woken.all) return;
    for (auto at = connections_.begin(); at != connections_.end();) take(at++);
  }

  // ---- the threads that answer ----

  void answer_requests() {
    for (;;) {
      std::unique_lock<std::mutex> lock(mutex_);
      jobs_wait_.wait(lock, [&] { return stopping_ || !jobs_.empty(); });
      if (stopping_) return;
      Job job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      if (job.reply->gone()) continue;
      try {
        const Reply reply(job.reply);
        try {
          handler_(job.request, reply);
        } catch (const std::bad_alloc&) {
          throw;
        } catch (const std::exception& e) {
          if (!reply.send(refusal(500, e.what()))) reply.end();
        }
      } catch (const std::bad_alloc&) {
        job.reply->abandon();
      }
    }
  }

  struct Job {
    std::shared_ptr<ReplyState> reply;
    Request request;
  };

  const ServerOptions o_;
  const Handler handler_;
  Address listener_;
  Fd wake_read_, wake_write_;
  std::shared_ptr<Waker> waker_;
  Connections connections_;
  std::vector<pollfd> polled_;
  std::vector<uint64_t> ids_;  // of the connections in it, from the third on
  uint64_t last_id_ = 0;
  size_t body_bytes_ = 0;
  std::atomic<size_t> open_{0}, answering_{0};
  std::atomic<bool> stopping_ = false, draining_ = false;
  std::mutex mutex_;  // of what follows
  std::condition_variable jobs_wait_, drained_;
  bool quiet_ = false;
  std::deque<Job> jobs_;
  std::vector<std::thread> threads_;
};

Server::Server(const ServerOptions& options, Handler handler)
    : loop_(std::make_unique<Loop>(options, std::move(handler))) {}
int Server::port() const noexcept { return loop_->port(); }
bool Server::drain(double seconds) { return loop_->drain(seconds); }
ServerCounts Server::counts() const noexcept { return loop_->counts(); }
#endif

Server::Server(const ServerOptions& options, Answerer answerer)
    : Server(options,
             Handler([answer = std::move(answerer)](const Request& r, const Reply& reply) { reply.send(answer(r)); })) {
}
Server::~Server() = default;

}  // namespace puna::http
