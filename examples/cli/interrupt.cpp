#include "interrupt.h"

#include <atomic>
#include <csignal>

#include "puna/runtime/session.h"

namespace puna::cli {
namespace {

// A signal handler gets no argument, so this is the program's one piece of global state. Lock-free, hence async-signal-safe.
std::atomic<bool> interrupted{false};
std::atomic<Session*> running{nullptr};
static_assert(std::atomic<Session*>::is_always_lock_free);

extern "C" void on_interrupt(int) {
  std::signal(SIGINT, SIG_DFL);
  interrupted.store(true);
  if (Session* session = running.load()) session->cancel();
}

}  // namespace

Interrupt::Interrupt() {
  interrupted.store(false);
  std::signal(SIGINT, on_interrupt);
}

Interrupt::Interrupt(Session& session) : Interrupt() { running.store(&session); }

Interrupt::~Interrupt() {
  std::signal(SIGINT, SIG_DFL);
  running.store(nullptr);
}

bool Interrupt::requested() const noexcept { return interrupted.load(); }

}  // namespace puna::cli
