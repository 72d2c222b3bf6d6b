// interrupt.h -- while one of these lives, Ctrl-C ends the call under way instead of the program, so that files stay whole and
// a chat goes on. A second Ctrl-C ends the program.
#pragma once

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

}  // namespace puna::cli
