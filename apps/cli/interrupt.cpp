#include "interrupt.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <exception>

#ifndef _WIN32
#include <pthread.h>
#endif

#include "base/os.h"
#include "puna/runtime/session.h"

namespace puna::cli {
namespace {

// A signal handler gets no argument, so this is the program's one piece of global state. Lock-free, hence
// async-signal-safe.
std::atomic<bool> listening{false};  // an Interrupt exists
std::atomic<int> taken{0};           // the signal that it took
std::atomic<bool> handled{false};    // the call under way handles it
std::atomic<Session*> running{nullptr};
static_assert(std::atomic<Session*>::is_always_lock_free);
#ifndef _WIN32
pthread_t main_thread;
#endif

extern "C" void on_signal(int number) {
  const int saved = errno;
#ifndef _WIN32
  // Always on the main thread: it owns the session, which may be gone by the time that another thread has read the
  // pointer.
  if (!pthread_equal(pthread_self(), main_thread)) {
    pthread_kill(main_thread, number);
    errno = saved;
    return;
  }
#else
  std::signal(number, on_signal);
#endif
  if (listening.load() && taken.exchange(number) == 0) {
    if (Session* session = running.load()) {
      session->cancel();
      handled.store(true);
    }
    errno = saved;
    return;
  }
  os::remove_temporaries();
  std::signal(number, SIG_DFL);
  raise(number);
}

}  // namespace

void catch_signals() {
#ifndef _WIN32
  main_thread = pthread_self();
  if (std::signal(SIGHUP, on_signal) == SIG_IGN) std::signal(SIGHUP, SIG_IGN);  // nohup
#endif
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

int last_signal() noexcept { return taken.load(); }

Interrupt::Interrupt() {
  taken.store(0);
  handled.store(false);
  listening.store(true);
}

Interrupt::Interrupt(Session& session) : Interrupt() { running.store(&session); }

Interrupt::~Interrupt() {
  listening.store(false);
  running.store(nullptr);
  const int number = taken.load();
  if (number != 0 && !handled.load() && std::uncaught_exceptions() == 0)
    raise(number);  // it came when the work was done, and must not be lost
}

bool Interrupt::requested() const noexcept {
  const bool now = taken.load() != 0;
  if (now) handled.store(true);
  return now;
}

}  // namespace puna::cli
