// session_calls.cpp -- making, filling, cutting and copying sessions.
#include <algorithm>
#include <cstring>

#include "states/armed.h"

namespace puna::test::states {
namespace {

constexpr float kUntouched = 12345.5f;

void require_untouched(const std::vector<float>& buffer, const std::string& call) {
  require(std::all_of(buffer.begin(), buffer.end(), [](float x) { return x == kUntouched; }),
          call + ": it failed, and its buffer was written to");
}

History with(const History& held, const std::vector<int32_t>& ids) {
  History after = held;
  for (const int32_t id : ids) after.add(id);
  return after;
}

puna_append_options with_images(const std::vector<const puna_image*>& images) {
  auto options = sized<puna_append_options>();
  options.images = images.data();
  options.image_count = images.size();
  return options;
}

}  // namespace

bool Machine::appended(puna_status got, const SessionPtr& s, const Refusals& refusals, Armed& armed, History after) {
  armed.over();
  const int64_t length = s->length();
  if (without_memory(got, refusals, armed, {s})) {
    require(s->length() == length || s->length() == after.shared(s->held),
            armed.call + ": without memory it cut off what it does not replace");
    return false;
  }
  const bool cancelled = armed.cancelled || s->pending;
  require_status(armed.call, got, refusals, cancelled);
  if (refusals.none()) s->pending = false;
  if (refusals.none() && !cancelled)
    s->commit(std::move(after));
  else
    armed.require_same();
  return refusals.none() && !cancelled;
}

void Machine::create(const Op& op) {
  SessionPtr* const to = free_slot();
  if (!to) return;
  static constexpr int64_t kMost[] = {0, 20, 30, 40}, kChunks[] = {0, 1, 3, 7, 16};
  auto options = sized<puna_session_options>();
  options.exact = op.n[0] % 4 == 0;
  options.max_positions = subject_.images.empty() ? kMost[op.n[1] % 4] : kMost[op.n[1] % 2] * 4;
  options.prefill_chunk = kChunks[op.n[2] % 5];
  puna_session* made = nullptr;
  require_status("create", puna_session_create(subject_.model, &options, &made), {});
  *to = std::make_shared<SessionRules>();
  (*to)->handle = made;
  (*to)->exact = options.exact;
  (*to)->max_positions = options.max_positions ? options.max_positions : subject_.info.max_positions;
  script.push_back(words(name(*to), " = create(exact ", options.exact, ", max_positions ", options.max_positions,
                         ", prefill_chunk ", options.prefill_chunk, ")"));
}

void Machine::free_session(const Op& op) {
  SessionPtr& s = sessions_[slot(op)];
  if (!s || op.n[1] % 2) return;
  script.push_back(words("free(", name(s), ")"));
  puna_session_free(s->handle);
  s->handle = nullptr;
  s.reset();
}

void Machine::append(const Op& op) {
  const SessionPtr s = pick(op);
  if (!s) return;
  const std::vector<int32_t> ids = tokens(op.n[1]);
  Refusals refusals;
  refuse_append(refusals, *s, ids, s->length(), subject_.vocabulary());
  Armed armed = arm(op, s, words("append(", name(s), ", ", text(ids), ")"));
  appended(puna_session_append(s->handle, ids.data(), ids.size(), nullptr, nullptr), s, refusals, armed,
           with(s->held, ids));
}

void Machine::append_logits(const Op& op) {
  const SessionPtr s = pick(op);
  if (!s) return;
  const std::vector<int32_t> ids = tokens(op.n[1]);
  const size_t vocabulary = size_t(subject_.vocabulary());
  std::vector<float> rows(ids.size() * vocabulary + 1, kUntouched);
  auto options = sized<puna_append_options>();
  options.logits = rows.data();
  const size_t capacity = op.n[2] % 16 ? rows.size() : ids.size() * vocabulary / 2;
  const History after = with(s->held, ids);
  Refusals refusals;
  refuse_append(refusals, *s, ids, s->length(), subject_.vocabulary());
  refusals.when(capacity < ids.size() * vocabulary, PUNA_INVALID_ARGUMENT);
  Armed armed = arm(op, s, words("append_logits(", name(s), ", ", text(ids), ", capacity ", capacity, ")"));
  options.logits_capacity = capacity;
  if (!appended(puna_session_append(s->handle, ids.data(), ids.size(), &options, nullptr), s, refusals, armed, after))
    return require_untouched(rows, armed.call);
  for (size_t i = 0; i < ids.size(); ++i) {
    const std::vector<float> want = oracle_.logits(after.first(after.size() - int64_t(ids.size() - i) + 1), mode(*s));
    require(memcmp(rows.data() + i * vocabulary, want.data(), vocabulary * sizeof(float)) == 0,
            armed.call + words(": row ", i, " is not that of a fresh run"));
  }
}

void Machine::embed(const Op& op) {
  const SessionPtr s = pick(op);
  if (!s) return;
  const std::vector<int32_t> ids = tokens(op.n[1]);
  if (ids.empty() && s->uncomputed) return;  // there is nothing to embed, but a token to compute
  auto options = sized<puna_append_options>();
  options.pooling = int32_t(op.n[2] % 3);
  std::vector<float> out(size_t(subject_.info.hidden) * (options.pooling == PUNA_POOLING_NONE ? ids.size() : 1),
                         kUntouched);
  Refusals refusals;
  refuse_append(refusals, *s, ids, s->length(), subject_.vocabulary());
  const History before = s->held;
  Armed armed = arm(op, s, words("embed(", name(s), ", ", text(ids), ", pooling ", options.pooling, ")"));
  float nowhere = 0;
  options.embeddings = out.empty() ? &nowhere : out.data();
  options.embeddings_capacity = out.size();
  const puna_status got = puna_session_append(s->handle, ids.data(), ids.size(), &options, nullptr);
  if (!appended(got, s, refusals, armed, with(before, ids))) return require_untouched(out, armed.call);
  require(out == oracle_.embedding(before, ids, options.pooling, mode(*s)),
          armed.call + ": the embedding is not that of a fresh run");
}

void Machine::score(const Op& op) {
  const SessionPtr s = pick(op);
  if (!s) return;
  const std::vector<int32_t> ids = tokens(op.n[1]);
  std::vector<float> nll(ids.size() + 1, kUntouched);
  Refusals refusals;
  refuse_append(refusals, *s, ids, 0, subject_.vocabulary());
  refusals.when(ids.size() < 2, PUNA_INVALID_ARGUMENT);
  refusals.when(s->length() != 0, PUNA_WRONG_STATE);
  Armed armed = arm(op, s, words("score(", name(s), ", ", text(ids), ")"));
  const puna_status got = puna_session_score(s->handle, ids.data(), ids.size(), nll.data(), nll.size());
  armed.over();
  if (without_memory(got, refusals, armed, {s})) return require_untouched(nll, armed.call);
  // A cancel in the last run, behind the last append, comes too late.
  const bool cancelled = s->pending || (armed.cancelled && got != PUNA_OK);
  require_status(armed.call, got, refusals, cancelled);
  if (!refusals.none() || cancelled) {
    if (refusals.none()) s->pending = false;
    armed.require_same();
    return require_untouched(nll, armed.call);
  }
  s->commit(with({}, ids));
  const std::vector<float> want = oracle_.scores(ids, mode(*s));
  require(std::equal(want.begin(), want.end(), nll.begin()), armed.call + ": the scores are not those of a fresh run");
}

// The sessions, ids and arguments of a call for several sessions.
struct Machine::Batch {
  std::vector<SessionPtr> sessions;
  std::vector<std::vector<int32_t>> ids;
  std::vector<puna_session*> handles;
  std::vector<const int32_t*> lists;
  std::vector<size_t> counts;
  std::string text;
  void add(const SessionPtr& s, std::vector<int32_t> tokens) {
    sessions.push_back(s);
    ids.push_back(std::move(tokens));
    handles.push_back(s->handle);
    counts.push_back(ids.back().size());
  }
  void finish() {
    for (const auto& list : ids) lists.push_back(list.data());
  }
  Refusals refusals(int32_t vocabulary) const {
    Refusals r;
    for (size_t i = 0; i < sessions.size(); ++i) {
      refuse_append(r, *sessions[i], ids[i], sessions[i]->length(), vocabulary);
      const bool alike = sessions[i]->exact == sessions[0]->exact && sessions[i]->adapter == sessions[0]->adapter;
      r.when(!alike || std::find(sessions.begin(), sessions.begin() + std::ptrdiff_t(i), sessions[i]) !=
                           sessions.begin() + std::ptrdiff_t(i),
             PUNA_INVALID_ARGUMENT);
    }
    return r;
  }
  bool pending() const {
    return std::any_of(sessions.begin(), sessions.end(), [](const SessionPtr& s) { return s->pending; });
  }
};

Machine::Batch Machine::batch(const Op& op) const {
  Batch b;
  for (size_t i = 0; i < 2 + op.n[4] % 2; ++i)
    if (const SessionPtr s = pick(op, i)) {
      b.add(s, tokens(op.n[i] / 4));
      b.text += words(i ? ", " : "", name(s), " ", text(b.ids.back()));
    }
  b.finish();
  return b;
}

void Machine::append_batch(const Op& op) {
  Batch b = batch(op);
  if (b.sessions.empty()) return;
  const Refusals refusals = b.refusals(subject_.vocabulary());
  Armed armed = arm(op, b.sessions[op.n[3] % b.sessions.size()], words("append_batch(", b.text, ")"), b.sessions);
  const puna_status got =
      puna_session_append_batch(b.handles.data(), b.lists.data(), b.counts.data(), b.handles.size());
  armed.over();
  if (without_memory(got, refusals, armed, b.sessions)) return;
  const bool cancelled = armed.cancelled || b.pending();
  require_status(armed.call, got, refusals, cancelled);
  if (!refusals.none()) return armed.require_same();
  for (size_t i = 0; i < b.sessions.size(); ++i) {
    b.sessions[i]->pending = false;
    if (!cancelled) b.sessions[i]->commit(with(b.sessions[i]->held, b.ids[i]));
  }
  if (cancelled) armed.require_same();
}

void Machine::begin(const Op& op) {
  const SessionPtr s = pick(op);
  if (!s) return;
  const std::vector<int32_t> ids = tokens(op.n[1]);
  Refusals refusals;
  refuse_append(refusals, *s, ids, s->length(), subject_.vocabulary());
  script.push_back(words("begin(", name(s), ", ", text(ids), ")"));
  require_status(script.back(), puna_session_begin(s->handle, ids.data(), ids.size(), nullptr), refusals);
  if (!refusals.none()) return;
  s->append = std::make_shared<AppendRules>();
  s->append->after.emplace_back(s.get(), with(s->held, ids));
}

void Machine::begin_batch(const Op& op) {
  Batch b = batch(op);
  if (b.sessions.empty()) return;
  const Refusals refusals = b.refusals(subject_.vocabulary());
  script.push_back(words("begin_batch(", b.text, ")"));
  require_status(script.back(),
                 puna_session_begin_batch(b.handles.data(), b.lists.data(), b.counts.data(), b.handles.size()),
                 refusals);
  if (!refusals.none()) return;
  const auto append = std::make_shared<AppendRules>();
  for (size_t i = 0; i < b.sessions.size(); ++i) {
    append->after.emplace_back(b.sessions[i].get(), with(b.sessions[i]->held, b.ids[i]));
    b.sessions[i]->append = append;
  }
}

void Machine::session_step(const Op& op) {
  const SessionPtr s = pick(op);
  if (!s) return;
  const uint64_t budget = op.n[1] % 3 != 0;
  Refusals refusals;
  refusals.when(!s->append || s->append->owner, PUNA_WRONG_STATE);
  bool pending = s->pending;
  if (s->append)
    for (const auto& [session, after] : s->append->after) pending = pending || session->pending;
  std::vector<SessionPtr> all{s};
  for (const SessionPtr& other : sessions_)
    if (s->append && other && other != s && other->append == s->append) all.push_back(other);
  Armed armed = arm(op, s, words("step(", name(s), ", ", budget, ")"), all);
  int32_t finished = -7;
  const puna_status got = puna_session_step(s->handle, budget, &finished);
  armed.over();
  if (without_memory(got, refusals, armed, all))
    return require(finished == -7, armed.call + ": it failed, and *finished was written to");
  const bool cancelled = armed.cancelled || pending;
  require_status(armed.call, got, refusals, cancelled);
  if (!refusals.none() || cancelled) {
    require(finished == -7, armed.call + ": it failed, and *finished was written to");
    if (refusals.none()) s->drop();
    return;
  }
  require(finished == 1 || (finished == 0 && budget != 0), armed.call + words(": *finished is ", finished));
  if (finished) s->finish();
}

void Machine::cancel(const Op& op) {
  const SessionPtr s = pick(op);
  if (!s) return;
  const bool clear = op.n[1] % 3 == 0;
  script.push_back(words(clear ? "clear_cancel(" : "cancel(", name(s), ")"));
  require_status(script.back(), clear ? puna_session_clear_cancel(s->handle) : puna_session_cancel(s->handle), {});
  s->pending = !clear;
}

void Machine::truncate(const Op& op) {
  const SessionPtr s = pick(op);
  if (!s) return;
  const int64_t length = op.n[1] % 4 == 0   ? s->length()
                         : op.n[1] % 4 == 1 ? 0
                                            : int64_t(op.n[2] % uint64_t(s->length() + 3)) - 1;
  Refusals refusals;
  refusals.when(length < 0 || length > s->length(), PUNA_INVALID_ARGUMENT);
  script.push_back(words("truncate(", name(s), ", ", length, ")"));
  require_status(script.back(), puna_session_truncate(s->handle, length), refusals);
  if (!refusals.none()) return;
  s->drop();
  s->pending = false;
  if (length == s->length()) return;
  s->cut(length);
}

void Machine::fork(const Op& op) {
  const SessionPtr s = pick(op);
  SessionPtr* const to = free_slot();
  if (!s || !to) return;
  Refusals refusals;
  refusals.when(s->busy(), PUNA_WRONG_STATE);
  puna_session* copy = nullptr;
  const std::string call = words("fork(", name(s), ")");
  script.push_back(call);
  require_status(call, puna_session_fork(s->handle, &copy), refusals);
  require((copy != nullptr) == refusals.none(), call + ": a handle and a status that do not go together");
  if (!copy) return;
  *to = std::make_shared<SessionRules>();
  (*to)->handle = copy;
  (*to)->held = s->held;
  (*to)->has_logits = s->has_logits;
  (*to)->uncomputed = s->uncomputed;
  (*to)->exact = s->exact;
  (*to)->adapter = s->adapter;
  (*to)->max_positions = s->max_positions;
  script.back() = name(*to) + " = " + call;
}

void Machine::snapshot(const Op& op) {
  const SessionPtr s = pick(op);
  if (!s) return;
  Refusals refusals;
  refusals.when(s->busy(), PUNA_WRONG_STATE);
  refusals.when(s->adapter, PUNA_UNSUPPORTED);
  const size_t k = op.n[1] % snapshots_.size();
  script.push_back(words("n", k, " = snapshot(", name(s), ")"));
  size_t size = 0, again = 0;
  const puna_status asked = puna_session_snapshot(s->handle, nullptr, 0, &size);
  require_status(script.back() + ", the size", asked, refusals);
  std::string bytes(refusals.none() ? size : 1 << 16, '\0');
  const puna_status got = puna_session_snapshot(s->handle, bytes.data(), bytes.size(), &again);
  require(got == asked,
          script.back() + ": the size was " + puna_status_name(asked) + ", the snapshot is " + puna_status_name(got));
  if (!refusals.none()) return;
  require(again == size, script.back() + ": another size than asked for");
  snapshots_[k].reset(
      new Snapshot{std::move(bytes), s->held, s->has_logits, s->uncomputed, s->exact, s->max_positions});
}

void Machine::restore(const Op& op) {
  const size_t k = op.n[1] % snapshots_.size();
  SessionPtr* const to = free_slot();
  if (!snapshots_[k] || !to) return;
  const Snapshot& n = *snapshots_[k];
  puna_session* made = nullptr;
  script.push_back(words("restore(n", k, ")"));
  require_status(script.back(), puna_session_restore(subject_.model, n.bytes.data(), n.bytes.size(), &made), {});
  *to = std::make_shared<SessionRules>();
  (*to)->handle = made;
  (*to)->held = n.held;
  (*to)->has_logits = n.has_logits;
  (*to)->uncomputed = n.uncomputed;
  (*to)->exact = n.exact;
  (*to)->max_positions = n.max_positions;
  script.back() = name(*to) + " = " + script.back();
}

void Machine::use_adapter(const Op& op) {
  const SessionPtr s = pick(op);
  if (!s || !subject_.adapter) return;
  const bool on = op.n[1] % 2;
  Refusals refusals;
  refusals.when(s->busy() || s->length() != 0, PUNA_WRONG_STATE);
  script.push_back(words("use_adapter(", name(s), ", ", on ? "adapter" : "NULL", ")"));
  require_status(script.back(), puna_session_use_adapter(s->handle, on ? subject_.adapter : nullptr), refusals);
  if (!refusals.none()) return;
  s->changes += s->adapter != on;
  s->adapter = on;
}

void Machine::append_images(const Op& op) {
  const SessionPtr s = pick(op);
  if (!s) return;
  const History p = prompt(op.n[1], true);
  Refusals refusals;
  refuse_append(refusals, *s, p.ids, s->length(), subject_.vocabulary());
  History after = s->held;
  after.add(p);
  const std::vector<const puna_image*> images = subject_.images_of(p);
  Armed armed = arm(op, s, words("append_images(", name(s), ", ", text(p.ids), ")"));
  const puna_append_options options = with_images(images);
  appended(puna_session_append(s->handle, p.ids.data(), p.ids.size(), &options, nullptr), s, refusals, armed, after);
}

void Machine::begin_images(const Op& op) {
  const SessionPtr s = pick(op);
  if (!s) return;
  const History p = prompt(op.n[1], true);
  Refusals refusals;
  refuse_append(refusals, *s, p.ids, s->length(), subject_.vocabulary());
  const std::vector<const puna_image*> images = subject_.images_of(p);
  script.push_back(words("begin_images(", name(s), ", ", text(p.ids), ")"));
  const puna_append_options options = with_images(images);
  require_status(script.back(), puna_session_begin(s->handle, p.ids.data(), p.ids.size(), &options), refusals);
  if (!refusals.none()) return;
  History after = s->held;
  after.add(p);
  s->append = std::make_shared<AppendRules>();
  s->append->after.emplace_back(s.get(), after);
}

// The whole conversation again: what is held up to somewhere outside of images, and something new.
void Machine::append_shared(const Op& op) {
  const SessionPtr s = pick(op);
  if (!s) return;
  History whole = s->held.first(int64_t(op.n[2] % uint64_t(s->length() + 1)));
  // No places of images, nor a <|patch|> that was drawn by chance: it would ask for an image that is not there.
  if (std::find(whole.ids.begin(), whole.ids.end(), subject_.patch) != whole.ids.end()) whole = {};
  whole.add(prompt(op.n[1], op.n[3] % 2));
  Refusals refusals;
  refuse_append(refusals, *s, whole.ids, 0, subject_.vocabulary());
  const std::vector<const puna_image*> images = subject_.images_of(whole);
  const int64_t kept = std::min(whole.shared(s->held), whole.size() - 1);
  Armed armed = arm(op, s, words("append_shared(", name(s), ", ", text(whole.ids), ")"));
  puna_append_options options = with_images(images);
  options.keep_shared = 1;
  auto result = sized<puna_append_result>();
  result.kept = result.appended = -7;
  const puna_status got = puna_session_append(s->handle, whole.ids.data(), whole.ids.size(), &options, &result);
  const bool taken = appended(got, s, refusals, armed, whole);
  require(result.kept == (taken ? kept : -7) && result.appended == (taken ? whole.size() - kept : -7),
          armed.call + words(": it kept ", result.kept, " and appended ", result.appended));
}

}  // namespace puna::test::states
