#include "puna/base/watch.h"

#include "base/shared_watch.h"
#include "puna/base/error.h"

namespace puna {
namespace {

constexpr auto kBetweenQuestions = std::chrono::milliseconds(1);

}  // namespace

void Watch::look() const {
  work_ = 0;
  const Clock::time_point now = Clock::now();
  if (now - asked_ < between_) return;
  if (!go_on_()) fail(Status::cancelled, "the caller asked to stop");
  asked_ = Clock::now();
}

void HostAnswer::ask() noexcept {
  if (stopped()) return;
  try {
    if (go_on_()) return;
  } catch (...) {
    thrown_ = std::current_exception();
  }
  stopped_.store(true, std::memory_order_relaxed);
}

bool SharedWatch::operator()() noexcept {
  if (answer_.stopped()) return true;
  if (caller_works_ && std::this_thread::get_id() != owner_) return false;
  const auto now = [] { return std::chrono::steady_clock::now().time_since_epoch().count(); };
  if (now() < next_.load(std::memory_order_relaxed) || asking_.test_and_set(std::memory_order_acquire)) return false;
  answer_.ask();
  next_.store(now() + std::chrono::steady_clock::duration(kBetweenQuestions).count(), std::memory_order_relaxed);
  asking_.clear(std::memory_order_release);
  return answer_.stopped();
}

}  // namespace puna
