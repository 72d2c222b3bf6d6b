// session.h -- one conversation with a model: its tokens, its KV pages, and the append under way.
// One thread at a time, except cancel(), which any thread may call. A call that fails or is cancelled leaves the session
// as it was before the call.
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
  bool exact = false;            // f32 activations, keys and values against dequantised weights: the oracle
  int64_t max_positions = 0;     // 0 = the model's limit
  int64_t prefill_chunk = 256;   // rows a pass at most; does not change the bits
  AdapterPtr adapter = {};       // made for this model; NULL = the model alone
  DType kv_type = DType::f16;    // or q8_0: half the memory, and a head_dim that is a multiple of 32; exact sessions keep f32
  DType kept() const noexcept { return exact ? DType::f32 : kv_type; }
};

// What a session has computed since it was made: work by the calls that succeeded, wall time by all of them.
struct SessionTimings {
  int64_t prompt_tokens = 0;      // appended several at once
  int64_t decoded_tokens = 0;     // appended one at a time
  double prompt_seconds = 0, decode_seconds = 0;
};

class Session {
 public:
  Session(ModelPtr model, const SessionOptions& options);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const Model& model() const noexcept { return *model_; }
  const ModelPtr& model_ptr() const noexcept { return model_; }
  // Another adapter, or none (NULL), from now on. Error{wrong_state} unless the session is empty: what it holds was computed otherwise.
  void use(AdapterPtr adapter);
  int64_t length() const noexcept;                         // committed positions
  std::span<const int32_t> tokens() const noexcept;        // their ids
  PromptView held() const noexcept;                        // their ids, and which of them images filled
  int64_t max_positions() const noexcept { return options_.max_positions; }
  uint64_t kv_bytes() const noexcept;                      // bytes of KV pages held now

  // Appends tokens (at least one). Afterwards logits() are those that predict the next token.
  // Error{context_full} past max_positions, {invalid_argument} for an id outside the vocabulary, {cancelled}.
  void append(std::span<const int32_t> tokens);
  // As append, and copies the logits of every appended position to out [tokens.size(), vocab].
  void append(std::span<const int32_t> tokens, float* out);
  // As append, and copies the final hidden state (after the last norm) of every appended position to out [tokens.size(), hidden].
  void append_hidden(std::span<const int32_t> tokens, float* out);

  // The same with images. Those that were not encoded yet are encoded first, as part of the call.
  void append(const Prompt& prompt);
  void append(const Prompt& prompt, float* out);

  // The same in pieces: begin() only checks and remembers; step() computes until everything is appended (true) or `pause`, asked
  // between tiles from any thread, says so (false; at least one tile further than before). Until the last step the session is as
  // it was, and whatever would change it is Error{wrong_state}, but for truncate(), which drops the append. A step that throws
  // has dropped it too. The bits are those of an append that was not interrupted.
  void begin(std::span<const int32_t> tokens);
  void begin(const Prompt& prompt);
  bool step(FunctionRef<bool()> pause);
  bool under_way() const noexcept;

  // Logits [vocab] after the last append; Error{wrong_state} when nothing was appended since the start or truncate().
  std::span<const float> logits() const;

  // Rewinds to the first `length` tokens (exact: dropped chunks are prefilled again when needed).
  void truncate(int64_t length);
  // An independent copy that shares KV pages until either writes.
  std::unique_ptr<Session> fork() const;
  const SessionTimings& timings() const noexcept;
  // The ids of a text prompt for this session, by its model's tokenizer; cancel() ends it like an append.
  std::vector<int32_t> encode(std::string_view text, bool parse_special);
  // Any thread: the append under way, or else the next one, ends with Error{cancelled}. clear_cancel() forgets a late one.
  void cancel() noexcept { cancelled_.store(true, std::memory_order_relaxed); }
  void clear_cancel() noexcept { cancelled_.store(false, std::memory_order_relaxed); }

  // One forward over several different sessions of the same model and mode: tokens[i] are appended to sessions[i]. Same bits
  // as alone. If it fails, every session is as it was. cancel() on any of them ends the call.
  static void append_batch(std::span<Session* const> sessions, std::span<const std::span<const int32_t>> tokens);
  static void append_batch(std::span<Session* const> sessions, std::span<const PromptView> prompts);
  // The same in pieces: step() on any of the sessions steps all, and they are finished, cancelled or dropped (also by the end of one of
  // them) together. Until then they are one thread's together.
  static void begin_batch(std::span<Session* const> sessions, std::span<const std::span<const int32_t>> tokens);

 private:
  struct Impl;
  class Append;
  friend class SnapshotAccess;  // runtime/snapshot.cpp
  void require_idle() const;    // no append is under way
  struct AppendRows;
  void append_rows(const PromptView& prompt, const AppendRows& rows);
  void begin_rows(const PromptView& prompt);
  static void require_batch(std::span<Session* const> sessions, size_t prompts);
  void drop_append() noexcept;
  ModelPtr model_;
  SessionOptions options_;
  std::atomic<bool> cancelled_{false};
  std::unique_ptr<Impl> impl_;
};

}  // namespace puna
