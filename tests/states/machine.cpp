#include "states/machine.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <sstream>

#include "states/armed.h"

namespace puna::test::states {

Trigger& trigger() {
  thread_local Trigger t;
  return t;
}

// Runs everything on the thread that calls, in order: a seed gives the same run each time.
puna_context_options host_with_triggers() {
  auto options = sized<puna_context_options>();
  options.executor_threads = 2;
  options.alloc = [](void*, size_t bytes, size_t alignment) -> void* {
    Trigger& t = trigger();
    const bool one = t.kind == Trigger::Kind::no_memory, all = t.kind == Trigger::Kind::no_more_memory;
    const int64_t n = one || all ? t.runs++ : -1;
    if ((one && n == t.at) || (all && n >= t.at)) {
      t.fired = true;
      return nullptr;
    }
    return ::operator new(bytes, std::align_val_t(alignment), std::nothrow);
  };
  options.dealloc = [](void*, void* memory, size_t) { ::operator delete(memory, std::align_val_t(64)); };
  options.parallel_for = [](void*, int64_t n, void (*task)(void*, int64_t), void* data) {
    Trigger& t = trigger();
    const bool mine =
        t.kind == Trigger::Kind::cancel || t.kind == Trigger::Kind::exception || t.kind == Trigger::Kind::reenter;
    const bool now = mine && t.runs++ == t.at;
    for (int64_t i = 0; i < n / 2; ++i) task(data, i);
    if (now) {
      t.fired = true;
      if (t.kind == Trigger::Kind::cancel) puna_session_cancel(t.session);
      if (t.kind == Trigger::Kind::exception) throw t.runs;
      if (t.kind == Trigger::Kind::reenter) {
        const int32_t id = 1;
        puna_session* copy = nullptr;
        size_t size = 0;
        for (const puna_status status :
             {puna_session_append(t.session, &id, 1, nullptr, nullptr), puna_session_truncate(t.session, 0),
              puna_session_fork(t.session, &copy), puna_session_snapshot(t.session, nullptr, 0, &size),
              puna_session_begin(t.session, &id, 1, nullptr)})
          if (status != PUNA_WRONG_STATE) t.reentry_status = status;
        puna_session_free(copy);
      }
    }
    for (int64_t i = n / 2; i < n; ++i) task(data, i);
  };
  return options;
}

std::vector<Op> random_ops(uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Op> ops(8 + random() % 40);
  for (Op& op : ops) {
    op.kind = uint32_t(random());
    for (uint32_t& n : op.n) n = uint32_t(random() >> 20);
  }
  return ops;
}

Machine::~Machine() {
  trigger() = {};
  for (auto& g : generations_)
    if (g) puna_generation_free(g->handle);
  for (auto& s : sessions_)
    if (s) puna_session_free(s->handle);
}

void Machine::run(const std::vector<Op>& ops) {
  for (const Op& op : ops) {
    trigger() = {};
    step(op);
    for (const SessionPtr& s : sessions_)
      if (s) check(s, op.n[6] % 4 == 0);
  }
  for (const SessionPtr& s : sessions_)
    if (s) check(s, true);
}

void Machine::step(const Op& op) {
  using Call = void (Machine::*)(const Op&);
  // As often as they stand here.
  static constexpr Call kCalls[] = {&Machine::create,
                                    &Machine::create,
                                    &Machine::append,
                                    &Machine::append,
                                    &Machine::append,
                                    &Machine::append_logits,
                                    &Machine::embed,
                                    &Machine::score,
                                    &Machine::append_batch,
                                    &Machine::append_batch,
                                    &Machine::begin,
                                    &Machine::begin,
                                    &Machine::begin_batch,
                                    &Machine::session_step,
                                    &Machine::session_step,
                                    &Machine::session_step,
                                    &Machine::cancel,
                                    &Machine::cancel,
                                    &Machine::truncate,
                                    &Machine::truncate,
                                    &Machine::truncate,
                                    &Machine::fork,
                                    &Machine::snapshot,
                                    &Machine::restore,
                                    &Machine::use_adapter,
                                    &Machine::free_session,
                                    &Machine::create_generation,
                                    &Machine::create_generation,
                                    &Machine::create_generation,
                                    &Machine::generation_step,
                                    &Machine::generation_step,
                                    &Machine::generation_step,
                                    &Machine::generation_step,
                                    &Machine::generation_step,
                                    &Machine::generation_step,
                                    &Machine::free_generation,
                                    &Machine::free_generation,
                                    &Machine::generate,
                                    &Machine::generate};
  static constexpr Call kImageCalls[] = {&Machine::append_images, &Machine::append_images, &Machine::begin_images,
                                         &Machine::append_shared};
  static constexpr Call kMatcherCalls[] = {&Machine::create_matcher, &Machine::matcher_call, &Machine::matcher_call,
                                           &Machine::matcher_call};
  std::vector<Call> all(std::begin(kCalls), std::end(kCalls));
  if (!subject_.images.empty()) all.insert(all.end(), std::begin(kImageCalls), std::end(kImageCalls));
  if (!subject_.grammars.empty()) all.insert(all.end(), std::begin(kMatcherCalls), std::end(kMatcherCalls));
  (this->*all[op.kind % all.size()])(op);
}

// The slot's session; where it is empty any other.
SessionPtr Machine::pick(const Op& op, size_t i) const {
  for (size_t k = 0; k < kSessions; ++k)
    if (const SessionPtr& s = sessions_[(op.n[i] + k) % kSessions]) return s;
  return nullptr;
}

// Few different ones, so that histories repeat; now and then none, or one that is no token.
std::vector<int32_t> Machine::tokens(uint32_t n) const {
  static constexpr size_t kSizes[] = {1, 1, 1, 2, 3, 5, 7, 8, 9, 12, 17, 25};
  const uint32_t rare = n / 4096 % 64;
  if (rare == 0) return {};
  std::vector<int32_t> ids;
  for (size_t i = 0; i < kSizes[n % std::size(kSizes)]; ++i) ids.push_back(int32_t((n / 64 % 3 * 7 + i * 5 + 3) % 80));
  if (rare == 1) ids.back() = -1;
  if (rare == 2) ids.front() = subject_.vocabulary();
  return ids;
}

History Machine::prompt(uint32_t n, bool images) const {
  History h;
  for (const int32_t id : tokens(n)) h.add(id);
  if (images && !subject_.images.empty()) h.add(subject_.image_tokens[n / 7 % subject_.images.size()]);
  if (images) h.add(int32_t(n % 50));
  return h;
}

void Machine::check(const SessionPtr& s, bool bits) {
  auto info = sized<puna_session_info>();
  require(puna_session_get_info(s->handle, &info) == PUNA_OK, "get_info failed");
  require(info.length == s->length(),
          "a session holds " + std::to_string(info.length) + " tokens, the rules say " + std::to_string(s->length()));
  require(info.under_way == int32_t(s->busy()),
          s->busy() ? "an append is not under way any more" : "an append is under way that should not be");
  if (!s->busy()) {  // whatever was begun, cancelled and dropped in between
    if (s->kv_bytes >= 0 && s->kv_changes == s->changes)
      require(s->kv_bytes == int64_t(info.kv_bytes), words("kv_bytes of ", name(s), " was ", s->kv_bytes, " and is ",
                                                           info.kv_bytes, ", but nothing has changed it"));
    s->kv_bytes = int64_t(info.kv_bytes);
    s->kv_changes = s->changes;
  }
  require(info.pending == int32_t(s->uncomputed),
          s->uncomputed ? "the last token is not pending any more" : "a token is pending that should not be");
  const int32_t* ids = nullptr;
  size_t count = 0;
  require(puna_session_get_tokens(s->handle, &ids, &count) == PUNA_OK, "tokens failed");
  require(std::vector<int32_t>(ids, ids + count) == s->held.ids, "a session holds other tokens than the rules say");
  const float* logits = nullptr;
  Refusals refusals;
  refusals.when(!s->shows_logits(), PUNA_WRONG_STATE);
  require_status("logits", puna_session_get_logits(s->handle, &logits, &count), refusals);
  if (!bits || !s->shows_logits()) return;
  const std::vector<float> want = oracle_.logits(s->held, mode(*s));
  require(count == want.size() && memcmp(logits, want.data(), count * sizeof(float)) == 0,
          "a session's logits are not those of a fresh run over its tokens");
}

}  // namespace puna::test::states
