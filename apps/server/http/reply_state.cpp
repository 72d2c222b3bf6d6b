#include "reply_state.h"

#include <cstdio>

#ifndef _WIN32
#include <unistd.h>
#endif

namespace puna::http {

void Waker::wake_locked() {
#ifndef _WIN32
  if (fd_ < 0 || written_) return;
  written_ = ::write(fd_, "", 1) == 1;
#endif
}

void ReplyState::frame(std::string_view piece) {
  if (!chunked_) {
    pending_ += piece;
    return;
  }
  char size[24];
  const auto digits = size_t(snprintf(size, sizeof size, "%zx\r\n", piece.size()));
  pending_.reserve(pending_.size() + digits + piece.size() + 2);  // all of a chunk, or nothing
  pending_.append(size, digits);
  pending_ += piece;
  pending_ += "\r\n";
}

bool ReplyState::send(const Answer& whole) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (gone() || begun_ || ended_) return false;
    pending_ = as_text(whole, keep_alive_.load(), head_);
    ended_ = true;
    call_ = nullptr;
  }
  waker_->wake(connection_);
  return true;
}

bool ReplyState::begin(const Answer& head, std::string ping) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (gone() || begun_ || ended_) return false;
    if (!chunked_) keep_alive_.store(false);
    pending_ = stream_head(head, keep_alive_.load(), chunked_);
    ping_ = std::move(ping);
    begun_ = true;
  }
  waker_->wake(connection_);
  return true;
}

bool ReplyState::write(std::string_view piece) {
  if (piece.empty()) return !gone();  // an empty chunk would be the last one
  bool full = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (gone() || !begun_ || ended_) return false;
    full = pending_.size() + unsent_.load(std::memory_order_relaxed) + piece.size() > most_;
    if (full) {
      broken_ = ended_ = true;
      pending_.clear();
    } else if (!head_) {
      frame(piece);
    }
  }
  waker_->wake(connection_);
  return !full;
}

void ReplyState::end() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (gone() || !begun_ || ended_) return;
    if (chunked_ && !head_) pending_ += "0\r\n\r\n";
    ended_ = true;
    call_ = nullptr;
  }
  waker_->wake(connection_);
}

// Where there is no memory for as much as an error the connection closes.
void ReplyState::abandon() noexcept {
  try {
    if (send(refusal(500, "the request ended without an answer"))) return;
  } catch (...) {}
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (gone() || ended_) return;
    broken_ = ended_ = true;
  }
  waker_->wake(connection_);
}

void ReplyState::on_gone(std::function<void()> call) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!gone()) {
      call_ = std::move(call);
      return;
    }
  }
  if (call) call();
}

ReplyState::News ReplyState::take(std::string& output, size_t unsent) {
  const std::lock_guard<std::mutex> lock(mutex_);
  output += pending_;
  unsent_.store(unsent + pending_.size(), std::memory_order_relaxed);
  std::string().swap(pending_);
  return {begun_, ended_, broken_, keep_alive_.load(), chunked_ && !ping_.empty() ? ping_ : std::string()};
}

void ReplyState::leave() {
  std::function<void()> call;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    gone_.store(true);
    std::string().swap(pending_);
    call = std::exchange(call_, nullptr);
  }
  if (call) call();
}

}  // namespace puna::http
