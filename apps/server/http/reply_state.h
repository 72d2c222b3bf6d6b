// reply_state.h -- what the threads that answer hand to the thread that polls, request by request.
#pragma once
#include <atomic>
#include <mutex>
#include <new>
#include <vector>

#include "answer.h"

namespace puna::http {

// Tells the polling thread which connections have something to send. Replies may outlive the server, so they share it.
class Waker {
 public:
  explicit Waker(int write_end) : fd_(write_end) {}
  void wake(uint64_t connection) noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    try {
      ids_.push_back(connection);
    } catch (const std::bad_alloc&) {
      all_ = true;
    }
    wake_locked();
  }
  void wake() {
    const std::lock_guard<std::mutex> lock(mutex_);
    wake_locked();
  }
  struct Woken {
    std::vector<uint64_t> ids;
    bool all = false;  // there was no memory for an id: any connection may have something
  };
  Woken take() {
    const std::lock_guard<std::mutex> lock(mutex_);
    written_ = false;
    return {std::exchange(ids_, {}), std::exchange(all_, false)};
  }
  void close() {  // the pipe is about to go
    const std::lock_guard<std::mutex> lock(mutex_);
    fd_ = -1;
  }

 private:
  void wake_locked();
  std::mutex mutex_;
  int fd_;
  bool all_ = false;
  bool written_ = false;  // and not read yet: a byte is enough for many
  std::vector<uint64_t> ids_;
};

class ReplyState {
 public:
  ReplyState(std::shared_ptr<Waker> waker, uint64_t connection, bool keep_alive, bool head, bool http_1_0, size_t most)
      : waker_(std::move(waker)), connection_(connection), most_(most), chunked_(!http_1_0), head_(head) {
    keep_alive_ = keep_alive;
  }

  // ---- the threads that answer: see Reply ----
  bool send(const Answer& whole);
  bool begin(const Answer& head, std::string ping);
  bool write(std::string_view piece);
  void end();
  void abandon() noexcept;
  bool gone() const noexcept { return gone_.load(std::memory_order_relaxed); }
  void on_gone(std::function<void()> call);

  // ---- the thread that polls ----
  struct News {
    bool begun = false, ended = false, broken = false, keep_alive = true;
    std::string ping;
  };
  // Appends what is to be sent to `output`, which holds so many bytes that are not sent yet.
  News take(std::string& output, size_t unsent);
  void sent(size_t unsent) { unsent_.store(unsent, std::memory_order_relaxed); }
  void leave();  // nobody reads any more: calls on_gone
  void close_after() { keep_alive_.store(false); }

 private:
  void frame(std::string_view piece);

  const std::shared_ptr<Waker> waker_;
  const uint64_t connection_;
  const size_t most_;  // bytes that may wait for a slow reader
  const bool chunked_, head_;
  std::atomic<bool> gone_{false}, keep_alive_{true};
  std::atomic<size_t> unsent_{0};  // of what the polling thread took
  std::mutex mutex_;               // of what follows
  bool begun_ = false, ended_ = false, broken_ = false;
  std::string pending_, ping_;
  std::function<void()> call_;
};

}  // namespace puna::http
