// rules.h -- what puna.h promises about sessions and generations, as a model: what each holds, what is under way, and
// which status a call must give. It knows tokens and nothing of logits; those are the oracle's.
#pragma once
#include <puna.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "states/choice_rules.h"

namespace puna::test::states {

// Where the library did something else than the rules say.
struct Difference : std::runtime_error {
  using std::runtime_error::runtime_error;
};
void require(bool holds, const std::string& what);

// Tokens; a position that an image fills has its <|patch|> id, and says which row of which image.
struct History {
  std::vector<int32_t> ids;
  std::vector<int32_t> rows;  // -1, or image * 4096 + row
  int64_t size() const { return int64_t(ids.size()); }
  void add(int32_t id, int32_t row = -1);
  void add(const History& more);
  History slice(int64_t begin, int64_t end) const;
  History first(int64_t length) const { return slice(0, length); }
  int64_t shared(const History& other) const;
  bool operator==(const History& other) const { return ids == other.ids && rows == other.rows; }
};

struct GenerationRules;
struct SessionRules;

// An append under way: what each of its sessions will hold.
struct AppendRules {
  std::vector<std::pair<SessionRules*, History>> after;
  GenerationRules* owner = nullptr;
};

struct SessionRules {
  puna_session* handle = nullptr;  // NULL once it is freed; a generation may keep the session
  History held;
  bool has_logits = false, exact = false, adapter = false,
       pending = false;     // pending: a cancel that no call has consumed
  bool uncomputed = false;  // the last token was drawn; the next append computes it
  int64_t max_positions = 0;
  uint64_t changes = 0;
  std::shared_ptr<AppendRules> append;
  int64_t kv_bytes = -1;  // when it was idle last, and had changed so often:
  uint64_t kv_changes = 0;
  GenerationRules* generation = nullptr;  // the one that was made last, until it has ended or is freed

  ~SessionRules() { drop(); }
  bool busy() const { return append != nullptr; }
  int64_t length() const { return held.size(); }
  bool shows_logits() const { return has_logits && !uncomputed; }
  void commit(History after);
  void cut(int64_t length);  // to fewer tokens
  void finish();             // the append under way, of all its sessions
  void drop();               // the same; none of them keeps a cancel
};
using SessionPtr = std::shared_ptr<SessionRules>;

struct GenerationRules {
  puna_generation* handle = nullptr;
  SessionPtr session;
  History next;
  uint64_t changes = 0;
  int64_t max_tokens = 0, keep_prefix = 0, prompt_tokens = 0, dropped = 0, to_be_dropped = 0,
          rest = 0;  // rest: of a whole `next`, what is not shared
  bool drops_oldest = false, whole = false, ended = false,
       end_reported = false;  // whole: `next` is all that the session shall hold
  std::vector<int32_t> stop_tokens, drawn;
  std::vector<int32_t> own_stops;     // the model's, where they end the answer
  std::optional<ChoiceRules> choice;  // of the answer's grammar
  bool closes = false;
  puna_sampler_options sampler{};
  int32_t reason = 0;

  explicit GenerationRules(SessionPtr s) : session(std::move(s)) {}
  ~GenerationRules();
  GenerationRules(const GenerationRules&) = delete;
  GenerationRules& operator=(const GenerationRules&) = delete;
  void claim();  // it was made: the session has it now
  bool owns_append() const { return session->append && session->append->owner == this; }
  bool stale() const { return changes != session->changes; }
  bool active() const { return !ended && !stale(); }
  bool appends() const { return next.size() != 0 || session->uncomputed; }
  bool replaces() const { return drops_oldest || whole; }
  bool overflows() const { return (whole ? 0 : session->length()) + next.size() > session->max_positions; }
  // What the session holds once `next` is appended, shortened or not.
  History after_append();
  void appended();
  // The session had to be cut for this append, which failed: what is left of it comes next.
  void cut(const History& after);
  // The token behind what the session holds; says whether the answer has ended.
  void take(int32_t token);
  int64_t tokens_left() const;  // behind the next one
  uint64_t draw_index() const { return uint64_t(session->length() + dropped); }
};

// The statuses that a call may give; none = it is taken.
struct Refusals {
  std::vector<puna_status> any;
  void when(bool condition, puna_status status) {
    if (condition) any.push_back(status);
  }
  bool none() const { return any.empty(); }
};
// `cancelled`: a call that is taken must report PUNA_CANCELLED.
void require_status(const std::string& call, puna_status got, const Refusals& refusals, bool cancelled = false);

// An append of `after` to each session would be refused.
void refuse_append(Refusals& refusals, const SessionRules& session, const std::vector<int32_t>& tokens, int64_t kept,
                   int32_t vocabulary);

}  // namespace puna::test::states
