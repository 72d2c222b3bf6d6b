// interrupt.h -- signals that end a program: SIGINT (Ctrl-C), SIGTERM and SIGHUP. While an Interrupt exists, the first
// of them ends the call under way instead of the program, so that files stay whole and a chat goes on. Otherwise, and
// from the second on, they end the program, without the temporary files of what it was writing.
#pragma once
#include "puna/base/watch.h"

namespace puna {
class Session;
}

namespace puna::cli {

void catch_signals();        // once, at the start of the program
int last_signal() noexcept;  // that an Interrupt took; 0 = none

class Interrupt {
 public:
  Interrupt();
  explicit Interrupt(Session& session);  // also cancels the session's call: it throws Error{cancelled}
  ~Interrupt();                          // a signal that was not handled ends the program now
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  bool requested() const noexcept;
};

// work(watch), which Ctrl-C ends by Error{cancelled} within milliseconds: parsing, rendering, tokenizing.
template <class Work>
auto stoppable(Work&& work) {
  const Interrupt interrupt;
  const auto go_on = [&] { return !interrupt.requested(); };
  const Watch watch(go_on);
  return work(watch);
}

}  // namespace puna::cli
