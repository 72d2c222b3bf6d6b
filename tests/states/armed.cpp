#include "states/armed.h"

namespace puna::test::states {

Before::Before(const SessionPtr& s, bool bytes) : session_(s) {
  if (bytes && s->handle && !s->busy() && !s->adapter) snapshot_ = snapshot();
}

std::string Before::snapshot() const {
  size_t size = 0;
  require(puna_session_snapshot(session_->handle, nullptr, 0, &size) == PUNA_OK, "the size of a snapshot failed");
  std::string bytes(size, '\0');
  require(puna_session_snapshot(session_->handle, bytes.data(), size, &size) == PUNA_OK, "a snapshot failed");
  return bytes;
}

void Before::require_same(const std::string& call) const {
  if (!snapshot_.empty()) require(snapshot() == snapshot_, call + ": it failed, and the session's snapshot is not what it was");
}

void Machine::Armed::over() {
  Trigger& t = trigger();
  cancelled = t.fired && t.kind == Trigger::Kind::cancel;
  const puna_status came_back = t.came_back;
  t = {};
  require(came_back == PUNA_WRONG_STATE, call + ": a callback used the session in the midst of it");
}

std::string Machine::name(const SessionPtr& s) const {
  for (size_t i = 0; i < kSessions; ++i)
    if (sessions_[i] == s) return "s" + std::to_string(i);
  return "s?";
}

SessionPtr* Machine::room() {
  for (SessionPtr& s : sessions_)
    if (!s) return &s;
  return nullptr;
}

Machine::Armed Machine::arm(const Op& op, const SessionPtr& s, const std::string& call, const std::vector<SessionPtr>& all) {
  const uint32_t n = op.n[5];
  Armed armed{call, {}};
  const bool set = triggers_ && s->handle && n % 3 == 0;
  for (const SessionPtr& one : all.empty() ? std::vector<SessionPtr>{s} : all) armed.before.emplace_back(one, set ? n / 1024 % 2 == 0 : n % 16 == 1);
  Trigger& t = trigger();
  t = {};
  if (set) {
    static constexpr Trigger::Kind kKinds[] = {Trigger::Kind::cancel, Trigger::Kind::cancel, Trigger::Kind::cancel, Trigger::Kind::cancel,
                                               Trigger::Kind::exception, Trigger::Kind::come_back};
    static constexpr const char* kDoes[] = {"", "cancels it", "throws", "uses it"};
    t.kind = kKinds[n / 3 % std::size(kKinds)];
    t.at = int64_t(n / 2048 % (1 + n / 64 % 96));
    t.session = s->handle;
    armed.call += words("   // run ", t.at, " of parallel_for ", kDoes[size_t(t.kind)], " (", name(s), ")");
  }
  script.push_back(armed.call);
  return armed;
}

}  // namespace puna::test::states
