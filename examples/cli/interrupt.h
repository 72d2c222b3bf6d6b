// interrupt.h -- while one of these lives, Ctrl-C ends the call under way instead of the program, so that files stay whole and
// a chat goes on. A second Ctrl-C ends the program.
#pragma once
#include "puna/base/watch.h"

namespace puna {
class Session;
}

namespace puna::cli {

class Interrupt {
 public:
  Interrupt();
  explicit Interrupt(Session& session);  // also cancels the session's call: it throws Error{cancelled}
  ~Interrupt();
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
