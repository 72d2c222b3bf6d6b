#include "connection.h"

#ifndef _WIN32
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

namespace puna::http {
namespace {

// The client's closing is an event of its own here; elsewhere it is noticed when something is written.
#ifdef POLLRDHUP
constexpr short kGone = POLLRDHUP;
#else
constexpr short kGone = 0;
#endif

}  // namespace

short Connection::events() const {
  switch (phase) {
    case Phase::writing: return POLLOUT;
    case Phase::answering: return kGone;
    case Phase::streaming: return short(kGone | (written < output.size() ? POLLOUT : 0));
    default: return POLLIN;
  }
}

void Connection::enter(Phase to, Clock::time_point now, double limit) {
  phase = to;
  since = now;
  deadline = now + seconds(limit);
}

void Connection::write(const Answer& a, bool keep, Clock::time_point now) {
  keep_alive = keep;
  output = as_text(a, keep, head);
  written = 0;
  whole = true;
  enter(Phase::writing, now, o->idle_seconds);
  write_some(now);
}

bool Connection::take_pieces(Clock::time_point now) {
  if (written == output.size()) output.clear(), written = 0;
  const ReplyState::News news = reply->take(output, output.size() - written);
  if (news.broken) return false;
  whole = news.ended;
  keep_alive = news.keep_alive;
  ping = news.ping;
  if (phase == Phase::answering) phase = news.begun ? Phase::streaming : Phase::writing;
  await(now);
  return write_some(now);
}

// What is waited for next: the reader, the next piece, or the end of all patience.
void Connection::await(Clock::time_point now) {
  if (written < output.size())
    deadline = now + seconds(o->idle_seconds);
  else
    deadline = ping.empty() ? end_of_answer : now + seconds(o->ping_seconds);
  deadline = std::min(deadline, end_of_answer);
}

bool Connection::stream(bool writable, Clock::time_point now) {
  if (writable && !write_some(now)) return false;
  if (phase != Phase::streaming || now < deadline) return true;
  if (now >= end_of_answer || written < output.size()) return false;
  char size[24];
  output.assign(size, size_t(snprintf(size, sizeof size, "%zx\r\n", ping.size())));
  output += ping + "\r\n";
  written = 0;
  await(now);
  return write_some(now);
}

bool Connection::write_some(Clock::time_point now) {
  while (written < output.size()) {
    const ssize_t sent = ::send(fd.get(), output.data() + written, output.size() - written, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    written += size_t(sent);
    if (phase == Phase::streaming)
      await(now);
    else
      deadline = now + seconds(o->idle_seconds);
    if (reply) reply->sent(output.size() - written);
  }
  if (!whole) return true;
  finish(now);
  return true;
}

void Connection::finish(Clock::time_point now) {
  std::string().swap(output);
  written = 0;
  whole = false;
  reply = nullptr;
  if (!keep_alive) {  // closing now might reset the connection before the client has read why
    ::shutdown(fd.get(), SHUT_WR);
    enter(Phase::draining, now, 1);
    return;
  }
  parser = RequestParser(o->limits);
  continued = head = false;
  enter(Phase::idle, now, o->idle_seconds);
}

bool Connection::discard_some() {
  char buffer[16 << 10];
  for (int i = 0; i < 16; ++i) {
    const ssize_t got = ::recv(fd.get(), buffer, sizeof buffer, 0);
    if (got == 0) return false;
    if (got < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
  }
  return true;
}

void Connection::say_continue() {
  if (!parser.wants_continue() || continued) return;
  constexpr std::string_view kGoOn = "HTTP/1.1 100 Continue\r\n\r\n";
  (void)!::send(fd.get(), kGoOn.data(), kGoOn.size(), MSG_NOSIGNAL);
  continued = true;
}

void Connection::leave() {
  if (!reply) return;
  std::exchange(reply, nullptr)->leave();
}

}  // namespace puna::http
#endif
