#include "states/armed.h"

#include <algorithm>

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
  if (!snapshot_.empty())
    require(snapshot() == snapshot_, call + ": it failed, and the session's snapshot is not what it was");
}

void Machine::Armed::over() {
  Trigger& t = trigger();
  cancelled = t.fired && t.kind == Trigger::Kind::cancel;
  no_memory = t.fired && t.refuses_memory();
  // attention chunks may have given way, whether the call succeeded or not: they are computed again when they are
  // needed
  if (no_memory) {
    for (const Before& b : before) b.session()->kv_bytes = -1;
    before.clear();
  }
  const puna_status reentry_status = t.reentry_status;
  t = {};
  require(reentry_status == PUNA_WRONG_STATE, call + ": a callback used the session during it");
}

std::string Machine::name(const SessionPtr& s) const {
  for (size_t i = 0; i < kSessions; ++i)
    if (sessions_[i] == s) return "s" + std::to_string(i);
  return "s?";
}

SessionPtr* Machine::free_slot() {
  for (SessionPtr& s : sessions_)
    if (!s) return &s;
  return nullptr;
}

Machine::Armed Machine::arm(const Op& op, const SessionPtr& s, const std::string& call,
                            const std::vector<SessionPtr>& all) {
  const uint32_t n = op.n[5];
  Armed armed{call, {}};
  const bool set = triggers_ && s->handle && n % 3 == 0;
  for (const SessionPtr& one : all.empty() ? std::vector<SessionPtr>{s} : all)
    armed.before.emplace_back(one, set ? n / 1024 % 2 == 0 : n % 16 == 1);
  Trigger& t = trigger();
  t = {};
  if (set) {
    static constexpr Trigger::Kind kKinds[] = {
        Trigger::Kind::cancel,    Trigger::Kind::cancel,  Trigger::Kind::cancel,    Trigger::Kind::cancel,
        Trigger::Kind::exception, Trigger::Kind::reenter, Trigger::Kind::no_memory, Trigger::Kind::no_more_memory};
    static constexpr const char* kDoes[] = {"",
                                            "parallel_for cancels it",
                                            "parallel_for throws",
                                            "parallel_for uses it",
                                            "alloc refuses",
                                            "alloc refuses from then on"};
    t.kind = kKinds[n / 3 % std::size(kKinds)];
    // An append that replaces may have released the old positions before it sees a cancel: one of the two at a time.
    const bool pending =
        std::any_of(armed.before.begin(), armed.before.end(), [](const Before& b) { return b.session()->pending; });
    if (pending && t.refuses_memory()) t.kind = Trigger::Kind::cancel;
    const bool memory = t.refuses_memory();
    t.at = int64_t(n / 2048 % (1 + n / 64 % (memory ? 24 : 96)));
    t.session = s->handle;
    armed.call += words("   // call ", t.at, " of ", kDoes[size_t(t.kind)], " (", name(s), ")");
  }
  script.push_back(armed.call);
  return armed;
}

bool Machine::without_memory(puna_status got, const Refusals& refusals, const Armed& armed,
                             const std::vector<SessionPtr>& sessions) {
  if (got != PUNA_OUT_OF_MEMORY || !armed.no_memory || !refusals.none()) return false;
  for (const SessionPtr& s : sessions) {
    s->drop();
    s->pending = false;
    if (!s->handle) continue;
    puna_session_clear_cancel(s->handle);
    auto info = sized<puna_session_info>();
    require(puna_session_get_info(s->handle, &info) == PUNA_OK, "get_info failed");
    if (info.length >= s->length()) continue;
    s->cut(info.length);
    s->has_logits = false;
  }
  return true;
}

}  // namespace puna::test::states
