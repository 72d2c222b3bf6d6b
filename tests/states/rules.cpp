#include "states/rules.h"

#include <algorithm>

namespace puna::test::states {

void require(bool holds, const std::string& what) {
  if (!holds) throw Difference(what);
}

void History::add(int32_t id, int32_t row) {
  ids.push_back(id);
  rows.push_back(row);
}

void History::add(const History& more) {
  ids.insert(ids.end(), more.ids.begin(), more.ids.end());
  rows.insert(rows.end(), more.rows.begin(), more.rows.end());
}

History History::slice(int64_t begin, int64_t end) const {
  return {{ids.begin() + begin, ids.begin() + end}, {rows.begin() + begin, rows.begin() + end}};
}

int64_t History::shared(const History& other) const {
  int64_t n = 0;
  while (n < std::min(size(), other.size()) && ids[size_t(n)] == other.ids[size_t(n)] &&
         rows[size_t(n)] == other.rows[size_t(n)])
    ++n;
  return n;
}

void SessionRules::commit(History after) {
  held = std::move(after);
  has_logits = true;
  uncomputed = false;
  ++changes;
}

void SessionRules::cut(int64_t length) {
  const bool only_uncomputed = uncomputed && length + 1 == this->length();
  held = held.first(length);
  has_logits = has_logits && only_uncomputed;
  uncomputed = false;
  ++changes;
}

void SessionRules::finish() {
  const std::shared_ptr<AppendRules> done = append;
  for (auto& [session, after] : done->after) {
    session->append.reset();
    session->commit(std::move(after));
  }
}

void SessionRules::drop() {
  if (!append) return;
  const std::shared_ptr<AppendRules> dropped = append;
  for (auto& [session, after] : dropped->after) {
    session->append.reset();
    session->pending = false;
  }
}

void GenerationRules::claim() {
  changes = session->changes;
  session->generation = this;
}

GenerationRules::~GenerationRules() {
  if (owns_append()) session->drop();
  if (session->generation == this) session->generation = nullptr;
}

// The first keep_prefix stay, and of the rest the newest half of what fits.
History GenerationRules::after_append() {
  History all;
  if (!whole) all = session->held;
  all.add(next);
  to_be_dropped = 0;
  if (overflows() && drops_oldest) {
    const int64_t tail = (session->max_positions - keep_prefix) / 2;
    to_be_dropped = all.size() - keep_prefix - tail;
    History kept = all.first(keep_prefix);
    kept.add(all.slice(keep_prefix + to_be_dropped, all.size()));
    all = std::move(kept);
  }
  rest = all.size() - std::min(all.shared(session->held), all.size() - 1);
  return all;
}

void GenerationRules::appended() {
  changes = session->changes;
  dropped += to_be_dropped;
  if (drawn.empty()) prompt_tokens = next.size();
  if (whole && drawn.empty()) prompt_tokens = rest;
  next = {};
  whole = false;
}

void GenerationRules::cut(const History& after) {
  changes = session->changes;
  next = after.slice(session->length(), after.size());
  dropped += to_be_dropped;
  to_be_dropped = 0;
  whole = false;
}

int64_t GenerationRules::tokens_left() const {
  int64_t left = drops_oldest ? INT64_MAX / 2 : session->max_positions - session->length();
  if (max_tokens > 0) left = std::min(left, max_tokens - int64_t(drawn.size()) - 1);
  return left;
}

void GenerationRules::take(int32_t token) {
  drawn.push_back(token);
  next = {};
  const bool stop = std::find(stop_tokens.begin(), stop_tokens.end(), token) != stop_tokens.end() ||
                    std::find(own_stops.begin(), own_stops.end(), token) != own_stops.end();
  if (choice) choice->take(token);
  const bool whole = choice && choice->ended();
  const bool last = max_tokens > 0 && int64_t(drawn.size()) >= max_tokens,
             full = !drops_oldest && session->length() == session->max_positions;
  ended = stop || whole || last || full;
  reason = stop ? PUNA_STOP_TOKEN : whole ? PUNA_STOP_GRAMMAR : last ? PUNA_STOP_MAX_TOKENS : PUNA_STOP_CONTEXT_FULL;
  if (session->length() < session->max_positions) {
    session->held.add(token);
    session->uncomputed = true;
    changes = ++session->changes;
  } else {
    next.add(token);
  }
  if (ended && session->generation == this) session->generation = nullptr;
}

void require_status(const std::string& call, puna_status got, const Refusals& refusals, bool cancelled) {
  const auto name = [](puna_status s) { return std::string(puna_status_name(s)); };
  const std::string said = got == PUNA_OK ? "" : std::string(" (") + puna_last_error() + ")";
  if (refusals.none())
    return require(got == (cancelled ? PUNA_CANCELLED : PUNA_OK),
                   call + ": " + name(got) + said + ", the rules say " + name(cancelled ? PUNA_CANCELLED : PUNA_OK));
  std::string wanted;
  for (const puna_status s : refusals.any) wanted += " " + name(s);
  require(std::find(refusals.any.begin(), refusals.any.end(), got) != refusals.any.end(),
          call + ": " + name(got) + said + ", the rules say" + wanted);
  require(*puna_last_error() != '\0', call + ": refused without a sentence");
}

void refuse_append(Refusals& refusals, const SessionRules& session, const std::vector<int32_t>& tokens, int64_t kept,
                   int32_t vocabulary) {
  refusals.when(session.busy(), PUNA_WRONG_STATE);
  const bool outside =
      std::any_of(tokens.begin(), tokens.end(), [&](int32_t id) { return id < 0 || id >= vocabulary; });
  const bool completes = session.uncomputed && kept == session.length();
  refusals.when((tokens.empty() && !completes) || outside, PUNA_INVALID_ARGUMENT);
  refusals.when(kept + int64_t(tokens.size()) > session.max_positions, PUNA_CONTEXT_FULL);
}

}  // namespace puna::test::states
