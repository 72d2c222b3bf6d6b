// shared_watch.h -- a host asked on behalf of threads that are in the middle of a parallel run, where nothing may be
// thrown.
#pragma once
#include <atomic>
#include <cstdint>
#include <exception>
#include <thread>

#include "puna/base/function_ref.h"

namespace puna {

// The host's answer, kept: once it was no (or an exception), it stays no. Nothing is thrown where threads are in the
// middle of a run.
class HostAnswer {
 public:
  explicit HostAnswer(FunctionRef<bool()> go_on) : go_on_(go_on) {}
  bool stopped() const noexcept { return stopped_.load(std::memory_order_relaxed); }
  void ask() noexcept;  // not from two threads at once
  // What the host's callback threw, if it did.
  void rethrow() const {
    if (thrown_) std::rethrow_exception(thrown_);
  }

 private:
  FunctionRef<bool()> go_on_;
  std::atomic<bool> stopped_{false};
  std::exception_ptr thrown_;
};

// The `should_stop` of a pass: any thread may call it, and the host is asked once a millisecond, on the thread that
// made this object. Where that thread may stay outside (`caller_works` is false: an executor of the host's), on
// whichever thread calls.
class SharedWatch {
 public:
  SharedWatch(FunctionRef<bool()> go_on, bool caller_works) : answer_(go_on), caller_works_(caller_works) {}
  bool operator()() noexcept;  // true: stop
  void rethrow() const { answer_.rethrow(); }

 private:
  HostAnswer answer_;
  const bool caller_works_;
  const std::thread::id owner_ = std::this_thread::get_id();
  std::atomic<int64_t> next_{0};  // when to ask again, nanoseconds of the steady clock
  std::atomic_flag asking_ = ATOMIC_FLAG_INIT;
};

}  // namespace puna
