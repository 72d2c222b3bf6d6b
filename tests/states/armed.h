// armed.h -- a call with what the host does during it, from before it to what came of that; and how calls are
// written down.
#pragma once
#include <sstream>

#include "states/machine.h"

namespace puna::test::states {

// A session's bytes, beyond what its rules say: a call that was refused, failed or cancelled leaves exactly these.
class Before {
 public:
  Before(const SessionPtr& s, bool bytes);
  void require_same(const std::string& call) const;
  const SessionPtr& session() const { return session_; }

 private:
  std::string snapshot() const;
  SessionPtr session_;
  std::string snapshot_;  // "" = not asked for
};

struct Machine::Armed {
  std::string call;
  std::vector<Before> before;
  bool cancelled = false;  // during the call
  bool no_memory = false;
  // Ends the trigger.
  void over();
  void require_same() const {
    for (const Before& b : before) b.require_same(call);
  }
};

inline std::string text(const std::vector<int32_t>& ids) {
  std::ostringstream out;
  out << '{';
  for (size_t i = 0; i < ids.size(); ++i) out << (i ? ", " : "") << ids[i];
  out << '}';
  return out.str();
}

template <class... Parts>
std::string words(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

}  // namespace puna::test::states
