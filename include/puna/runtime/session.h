// session.h -- one conversation with a model: its tokens, its KV pages, and the append under way. The last token held
// may still be uncomputed: a generation hands a token out before it is known whether anything follows. The next append
// computes it. One thread at a time, except cancel(), which any thread may call. A call that fails or is cancelled
// leaves the session as it was before the call. Whatever computes, changes or copies the session needs it idle: nothing
// under way, and not from a callback of a call that is running; otherwise it is Error{wrong_state}.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "puna/model/adapter.h"
#include "puna/runtime/model.h"
#include "puna/runtime/prompt.h"

namespace puna {

struct SessionOptions {
  bool exact = false;           // f32 activations, keys and values against dequantised weights: the reference
  int64_t max_positions = 0;    // 0 = the model's limit
  int64_t prefill_chunk = 256;  // rows a pass at most; does not change the bits
  AdapterPtr adapter = {};      // made for this model; NULL = the model alone
  // Or q8_0: half the memory, and head_dim must be a multiple of 32. Exact sessions keep f32.
  DType kv_type = DType::f16;
  DType kept() const noexcept { return exact ? DType::f32 : kv_type; }
};

// What a session has computed since it was made: work by the calls that succeeded, wall time by all of them.
struct SessionTimings {
  int64_t prompt_tokens = 0;   // appended several at once
  int64_t decoded_tokens = 0;  // appended one at a time
  double prompt_seconds = 0, decode_seconds = 0;
};

enum class Pooling : int32_t {
  mean = 0,  // over the new tokens
  last = 1,  // the last token's vector, which has seen all others
  none = 2,  // one vector a new token
};

// Further outputs of an append. They are written when it has succeeded, and not at all otherwise.
struct AppendOptions {
  int64_t kept = -1;             // positions that stay, those behind them are replaced; -1 = all
  std::span<float> logits = {};  // [new positions, vocab]: those behind every new position; empty = not wanted
  // Final hidden states (after the last norm): [hidden], or [new positions, hidden]; empty = not wanted
  std::span<float> embeddings = {};
  Pooling pooling = Pooling::mean;
  bool normalise = false;  // embeddings of length 1
};

class Generation;
struct GeneratedToken;

class Session {
 public:
  Session(ModelPtr model, const SessionOptions& options);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const Model& model() const noexcept { return *model_; }
  const ModelPtr& model_ptr() const noexcept { return model_; }
  // Another adapter, or none (NULL), from now on. Error{wrong_state} unless the session is empty: its keys and values
  // were computed without it.
  void use(AdapterPtr adapter);
  int64_t length() const noexcept;                   // committed positions
  std::span<const int32_t> tokens() const noexcept;  // their ids
  PromptView held() const noexcept;                  // their ids, and which of them images filled
  int64_t max_positions() const noexcept { return options_.max_positions; }
  uint64_t kv_bytes() const noexcept;  // bytes of KV pages held now

  // Appends tokens: at least one, or none when the last one held is not computed yet. Images that were not encoded yet
  // are encoded first, as part of the call. Afterwards logits() are those that predict the next token. With
  // options.kept: until it has succeeded the session, and what it replaces, stay; when memory does not suffice for
  // both, a failure leaves the first `kept` positions. Error{context_full} past max_positions, {invalid_argument} for
  // an id outside the vocabulary, {cancelled}.
  void append(const PromptView& prompt, const AppendOptions& options = {});

  // The same in pieces: begin() only checks and remembers; step() computes until everything is appended (true) or
  // `pause`, asked between tiles from any thread, says so (false; at least one tile further than before). Until the
  // last step the session is as it was; truncate() drops the append, to the session's own length too. A step that
  // throws has dropped it. The bits are those of an append that was not interrupted. A Generation's append is stepped
  // by that alone.
  void begin(const PromptView& prompt, const AppendOptions& options = {});
  bool step(FunctionRef<bool()> pause);
  bool under_way() const noexcept;

  // Logits [vocab] after the last token; Error{wrong_state} when nothing was appended since the start or a truncate()
  // that cut off computed tokens, and while the last token is not computed yet.
  std::span<const float> logits() const;
  // The last token held was drawn and is not computed yet.
  bool pending() const noexcept;

  // Rewinds to the first `length` tokens (exact: dropped chunks are prefilled again when needed), drops an append under
  // way and withdraws a cancel.
  void truncate(int64_t length);
  // An independent copy that shares KV pages until either writes.
  std::unique_ptr<Session> fork() const;
  const SessionTimings& timings() const noexcept;
  // The ids of a text prompt for this session, by its model's tokenizer; cancel() ends it like an append. `whole`: the
  // text is all that the session shall hold.
  std::vector<int32_t> encode(std::string_view text, bool parse_special, bool whole = false);
  // Any thread: the call that computes, or else the next one, ends with Error{cancelled}. One call ends by it;
  // clear_cancel() withdraws it.
  void cancel() noexcept { cancelled_.store(true, std::memory_order_relaxed); }
  void clear_cancel() noexcept { cancelled_.store(false, std::memory_order_relaxed); }

  // One forward over several different sessions of the same model and mode: prompts[i] is appended to sessions[i]. Same
  // bits as alone. If it fails, every session is as it was. cancel() on any of them ends the call.
  static void append_batch(std::span<Session* const> sessions, std::span<const PromptView> prompts);
  // The same in pieces: step() on any of the sessions steps all, and they are finished, cancelled or dropped (also by
  // the end of one of them) together. Until then they are one thread's together.
  static void begin_batch(std::span<Session* const> sessions, std::span<const PromptView> prompts);

 private:
  struct Impl;
  class Append;
  class Running;
  friend class SnapshotAccess;  // runtime/snapshot.cpp
  friend class EngineAccess;    // runtime/engine/engine_access.h
  friend class Generation;
  friend class DraftModel;
  friend void score_rows(Session& session, std::span<const int32_t> tokens, std::span<float> nll,
                         FunctionRef<void(int64_t)> scored);
  friend void finish(Generation& generation, FunctionRef<bool(const GeneratedToken&)> on_token);
  friend std::vector<float> score(Session& session, std::span<const int32_t> tokens);
  void require_idle() const;  // Error{wrong_state} that says what is under way, and how to drop it
  void require_capacity(int64_t kept, size_t tokens) const;
  void require_empty() const;
  void require_not_running() const;
  struct AppendRequest;
  void append_now(const PromptView& prompt, const AppendRequest& request);
  void begin(const PromptView& prompt, const AppendRequest& request);
  void hold(int32_t token);  // a drawn one, to be computed by the next append; the capacity is reserved
  // A generation's drafts: how many tokens may be computed behind the pending one in its pass; and whether the pending
  // one was computed so, which take_ahead() makes as if an append had done it just now.
  int64_t most_ahead() const noexcept;
  bool take_ahead() noexcept;
  bool step_append(FunctionRef<bool()> pause);
  static void require_batch(std::span<Session* const> sessions, size_t prompts);
  void drop_append() noexcept;

  // A generation's place: one at a time, until it has ended or the session was changed by others.
  struct Claim {
    uint64_t changes;  // Session::changes() when the generation last saw the session
  };
  void claim(Claim& by);
  void leave(const Claim& by) noexcept;  // drops its append
  bool works_for(const Claim& by) const noexcept;
  void require_unchanged(const Claim& by) const;
  uint64_t changes() const noexcept;
  void check_cancel();  // Error{cancelled} when cancel() was called
  bool cancelled() const noexcept { return cancelled_.load(std::memory_order_relaxed); }
  void require_prompt(const PromptView& prompt) const;
  ModelPtr model_;
  SessionOptions options_;
  std::atomic<bool> cancelled_{false};
  std::unique_ptr<Impl> impl_;
};

}  // namespace puna
