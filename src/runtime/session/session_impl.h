// session_impl.h -- what a session holds, and an append under way: tokens cut into passes, each computed as far as it
// may go.
#pragma once
#include <optional>
#include <vector>

#include "model/forward.h"
#include "ops/inference.h"
#include "puna/runtime/image.h"
#include "puna/runtime/session.h"
#include "runtime/images/image_encoding.h"

namespace puna {

inline constexpr int64_t kMostPrefillChunk = 1 << 16;
// Error{invalid_argument} for a prefill_chunk or a kv_type that no session has
void require_usable(const SessionOptions& o);

// All that the scratch of a pass follows from, within one session: passes of the same shape need the same.
struct PassShape {
  int64_t rows = 0;
  int64_t wanted = 0;
  int64_t spans = 0;        // of attention that sees everything
  int64_t chunk_spans = 0;  // of attention that sees its chunk or window
  bool hidden = false;
  bool operator==(const PassShape&) const = default;
};

// Tokens computed behind the last one held that nobody has drawn yet: a generation's drafts. Their keys and values lie
// behind the session's `complete`; row i of the logits [tokens, vocab] is behind tokens[i].
struct Ahead {
  std::vector<int32_t> tokens;
  Buffer logits;
  size_t passed = 0;  // of the tokens: drawn and computed since
  bool holds(int32_t next) const noexcept { return passed < tokens.size() && tokens[passed] == next; }
};

struct Session::Impl {
  KvCache kv;
  Prompt held;  // token ids, and the images that fill some of their positions
  // Positions whose keys and values are all there: fewer than tokens after a rewind into a dropped chunk, or while one
  // is pending.
  int64_t complete = 0;
  Buffer logits, next_logits;  // of the last token that is not pending; swapped when an append succeeds
  bool has_logits = false;
  bool pending = false;  // the last token was drawn and is not computed yet
  std::optional<Ahead> ahead;
  Buffer ahead_rows;  // of logits of earlier drafts, for the next, while a generation lives
  Buffer scratch;
  std::vector<PassShape> planned;  // passes that fit into the scratch; room for some is reserved
  SessionTimings timings;
  std::shared_ptr<Append> append;  // begun and not finished; of a batch, the same for all its sessions
  bool running = false;            // a call computes now: its callbacks may not come back in
  uint64_t changes = 0;            // of tokens or adapter: how a generation notices those that are not its own
  const Claim* generation = nullptr;

  explicit Impl(KvCache cache) : kv(std::move(cache)) { planned.reserve(16); }
  void end_ahead() noexcept;     // all of them were taken
  void forget_ahead() noexcept;  // those that were not taken, too, and the pages that only they have
};

// A call computes, or asks its host: what the host's callback wants of the session now is refused.
class Session::Running {
 public:
  explicit Running(Session& session) noexcept : on_(session.impl_->running) { on_ = true; }
  ~Running() { on_ = false; }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  bool& on_;
};

struct Session::AppendRequest {  // its options are for one session only
  AppendOptions options = {};
  bool in_place = false;         // options.logits are written as they come, before it is known that the append succeeds
  const Claim* owner = nullptr;  // the generation whose append this is
  // The tokens are drafts: computed with the pending one in one pass, and not held (Ahead). At most most_ahead().
  bool ahead = false;
  // The head is computed behind every new token, for an engine's pass to read (PromptScores): there is no target.
  bool every_row = false;
};

// Several sessions' new tokens on their way through forward. A pass is up to prefill_chunk rows, taken from the
// sessions in order.
class Session::Append {
 public:
  // Checks everything and changes nothing.
  Append(std::span<Session* const> sessions, std::span<const PromptView> prompts, const AppendRequest& request);
  // Goes on to the end (true: committed) or until `pause` says so (false). On an Error every session is as before the
  // append.
  bool run(FunctionRef<bool()> pause);
  void roll_back() noexcept;
  void detach() noexcept;  // from its sessions: it ends with them
  const Claim* owner() const noexcept { return request_.owner; }

  // An engine runs the appends of many sessions, one session each, in passes of its own (runtime/engine/shared_pass.h):
  // encode_images(), open(), then take(), prepare() and end_pass() until rows_left() is 0, then commit().
  bool encode_images(FunctionRef<bool()> stop);  // false: stopped
  void open();                                   // what the append replaces is set aside, once
  int64_t rows_left() const noexcept { return feeds_[0].size() - feeds_[0].done; }
  int64_t next() const noexcept { return feeds_[0].done; }  // the position of the next row
  // Positions that are final when the rows taken have been computed: drafts are not.
  int64_t final() const noexcept { return request_.ahead ? feeds_[0].first_new : feeds_[0].done; }
  bool drafts() const noexcept { return request_.ahead; }
  bool wants_hidden() const noexcept { return hidden_.size() != 0; }
  float* hidden_row(int64_t position) noexcept;  // where its final hidden state goes; NULL = not wanted
  // Adds up to `most` of session i's next rows to a batch, in which it is `sequence`, and where their logits go.
  void take(size_t i, int64_t most, int32_t sequence, Batch& batch, std::vector<float*>& targets);
  void prepare();            // memory of the rows taken
  void put_back() noexcept;  // the rows taken last are not computed
  void keep_no_undo() noexcept { undo_dropped_ = true; }
  void end_pass();
  void commit();

 private:
  struct Feed {                    // what one session has to do: feed positions [done, size())
    Prompt added;                  // what is new: its first token is at position first_new
    std::optional<Prompt> larger;  // what is kept, with room for the new, where the session's own memory has none
    int64_t first_new = 0;
    int64_t fresh = 0;                   // tokens that nobody has computed before
    int64_t done = 0;                    // fed so far
    int64_t pass = 0;                    // where the pass began: keys and values of the positions before it are there
    size_t held_run = 0, added_run = 0;  // of the patches, that the next position has not passed
    std::optional<KvCache> before;       // the session's, when some of what it holds is replaced
    int64_t size() const noexcept { return first_new + int64_t(added.tokens.size()); }
    int32_t token(const Prompt& held, int64_t position) const noexcept;
    // what fills it, or NULL; positions ascend
    const float* embedding(const Prompt& held, int64_t position, int64_t hidden) noexcept;
  };
  bool begin_pass();  // false when nothing is left to feed
  void take_memory();
  PassShape shape() const noexcept;
  bool drop_undo_state() noexcept;  // frees what is kept to undo the append; false: there is nothing
  bool compute(FunctionRef<bool()> stop);
  float* logits_row(int64_t row) noexcept;
  float* target(size_t session, int64_t position) noexcept;  // of the logits behind it; NULL = not wanted
  bool forward(Arena& arena, Cursor& cursor, FunctionRef<bool()> stop);
  void pool() noexcept;  // hidden states to the caller's embeddings
  bool cancelled() const noexcept;

  std::vector<Session*> sessions_;
  std::vector<Feed> feeds_;
  std::vector<ImageEncoding> encodings_;  // of images that have to be encoded first
  AppendRequest request_;
  Buffer rows_;               // of logits, until nothing can fail any more
  Buffer hidden_;             // final hidden states of the new positions
  std::vector<double> sums_;  // of a mean over them
  Batch batch_;
  std::vector<float*> targets_;  // where each wanted row's logits go
  Cursor cursor_;
  bool begun_ = false, in_pass_ = false;
  bool undo_dropped_ = false;
  double seconds_ = 0;
};

}  // namespace puna
