// engine.h -- many requests at once on one model: a scheduler over sessions. Each step is one pass over the next rows
// of all running requests: decode rows first, then as many prompt rows as keep the step within its time. Prompts that
// begin alike share the pages of keys and values of what they share. The bits of an answer depend on its request alone,
// never on the others, the clock, the cache or a pause: docs/decisions/69-engine.md says why.
//
// Threads: submit(), every call of an EngineRequest, stats() and stop() may come from any thread at any time. step() is
// one thread's at a time: the host's, or the engine's own after start().
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "puna/base/error.h"
#include "puna/runtime/generate.h"

namespace puna {

struct EngineOptions {
  // Of every request's session. Its adapter is not used (requests bring theirs); prefill_chunk bounds the rows of
  // prompts a pass.
  SessionOptions session;
  ModelPtr draft;             // guesses for requests that ask for it (EngineRequestOptions::draft_tokens); NULL = none
  int32_t max_running = 64;   // answers that are computed at once
  int32_t max_queued = 1024;  // requests that wait; one more is Error{busy}
  // What prompts may add to a pass that also decodes, in parts of the time of that pass without them: 1 = the gap
  // between two tokens doubles while a prompt is read.
  double prompt_share = 1.0;
  // Of pages that no request uses any more; 0 = no prefix is kept, kDefaultCache = a quarter of the context's memory
  // limit, or 1 GB without one.
  uint64_t cache_bytes = kDefaultCache;
  static constexpr uint64_t kDefaultCache = UINT64_MAX;
};

// Of several adapters that hold together, each with its weight: the additions are summed in this order.
struct AdapterShare {
  AdapterPtr adapter;
  float weight = 1;
};

enum class EngineEventKind : int32_t {
  token = 1,         // of one of the answers
  answer_ended = 2,  // its result is there
  ended = 3,         // the last event: every answer has ended, or the request failed
};

// How a request came to its end.
enum class EngineOutcome : int32_t {
  finished = 0,
  cancelled = 1,
  deadline = 2,  // passed before the last token
  failed = 3,    // status and message say why
};

struct EngineEvent {
  EngineEventKind kind = EngineEventKind::token;
  int32_t answer = 0;                               // 0 to n - 1
  int32_t token = -1;                               // kind token
  std::string text;                                 // valid UTF-8 made final by this token
  std::vector<TokenProbability> probabilities;      // chosen first; empty unless asked for
  StopReason reason = StopReason::max_tokens;       // kind answer_ended
  EngineOutcome outcome = EngineOutcome::finished;  // kind ended; with the next two
  Status status = Status::ok;
  std::string message;
};

struct EngineRequestOptions {
  Prompt prompt;  // ids, and the images that fill some of them
  // Not taken: context_policy, keep_shared, processor, draft (see below).
  GenerateOptions generate;
  std::vector<AdapterShare> adapters;
  int32_t draft_tokens = 0;  // most that the engine's draft model guesses at once; 0 = it does not
  int32_t priority = 0;      // higher ones are admitted first, and paused last
  uint64_t deadline_us = 0;  // from submit() on; 0 = none
  std::string key;           // whom the work is for: keys share prompt rows alike, however many requests they have
  std::string salt;          // requests with different salts share no prefixes
  bool cache = true;         // its prefix is looked up and kept
  int32_t n = 1;             // answers; answer i is what the same request with seed + i gives alone
  int32_t best_of = 0;       // > n: so many are computed, and the n with the best mean log-probability are handed out
  // 0 = the answers are drawn. Otherwise beam search: of all that the `beams` best beginnings go on with, the `beams`
  // best are kept, until no beginning can become better than the `beams` best answers; the n best of these are handed
  // out. An answer's score is the sum of its tokens' log-probabilities (by the sampler's penalties, filters and
  // temperature, 0 = 1, and the grammar) divided by its number of tokens to the power of length_penalty. Takes no
  // best_of, drafts, close_answer or log_probabilities. docs/engine.md
  int32_t beams = 0;
  float length_penalty = 0;  // 0 = the sum; 1 = the mean; above, longer answers are favoured
  // Of each token of the prompt but the first: its own log-probability and those of the n - 1 most likely others there,
  // by the model itself; 0 = none. Not of prompts with images. This, and `embed`, needs all of the prompt computed: no
  // cached part of it is taken.
  int32_t prompt_log_probabilities = 0;
  // The final hidden states (after the last norm) of the prompt's tokens, as AppendOptions gives them.
  bool embed = false;
  Pooling pooling = Pooling::mean;
  bool normalise = false;
  bool prompt_only = false;   // the prompt is read and nothing drawn: one answer without tokens (n = 1, no beams)
  int32_t max_events = 1024;  // that wait to be read before the request pauses; with on_event none wait
  // Called by the stepping thread instead of events to pull; may call anything but step(). False cancels the request.
  std::function<bool(const EngineEvent&)> on_event;
};

struct EngineAnswer {
  GenerateResult result;
  // By the model itself; 0 unless log-probabilities were asked for, or best_of. With beams of what was scored.
  double mean_log_probability = 0;
  bool ended = false;
};

// What became of a request so far: times from submit() on.
struct EngineRequestInfo {
  int64_t prompt_tokens = 0, cached_tokens = 0;  // of the prompt; those that were read before by others
  int64_t generated_tokens = 0;
  double queued_seconds = 0, first_token_seconds = 0, total_seconds = 0;
  int32_t pauses = 0;  // for memory
  bool ended = false;
  EngineOutcome outcome = EngineOutcome::finished;  // once it has ended, with the next two
  Status status = Status::ok;
  std::string message;
};

class EngineRequest {
 public:
  ~EngineRequest();  // cancels it, if it has not ended
  // Whatever it is doing, it ends (EngineOutcome::cancelled) before the next tile of work is done. Touches no other.
  void cancel() noexcept;
  // The next event; false: none within timeout_us (0 = do not wait, UINT64_MAX = wait until there is one). After the
  // event `ended` it is always false.
  bool next(EngineEvent& event, uint64_t timeout_us = 0);
  // With on_event: once its last call has returned, so that what it uses may go. info() and answers() know before.
  bool ended() const noexcept;
  EngineRequestInfo info() const;
  std::vector<EngineAnswer> answers() const;  // once it has ended; best_of: the best first
  // Once the prompt was read, which is before the first token's event; Error{wrong_state} until then,
  // {invalid_argument} where they were not asked for. They live as long as this.
  std::span<const TokenProbability> prompt_probabilities(int64_t position) const;  // of its token, 1 or more; own first
  std::span<const float> embedding() const;

 private:
  friend class Engine;
  friend class Scheduler;
  explicit EngineRequest(std::shared_ptr<class RequestState> state) : state_(std::move(state)) {}
  std::shared_ptr<class RequestState> state_;
};
using EngineRequestPtr = std::shared_ptr<EngineRequest>;

struct EngineStats {
  int32_t queued = 0, running = 0, paused = 0, stalled = 0;  // now; stalled: their readers are behind
  uint64_t submitted = 0, finished = 0, cancelled = 0, timed_out = 0, failed = 0, refused = 0;
  uint64_t passes = 0, decode_rows = 0, prompt_rows = 0, generated_tokens = 0, pauses = 0;
  double pass_seconds = 0;
  uint64_t cache_lookups = 0, cache_hits = 0, cache_hit_tokens = 0, cache_evictions = 0;
  uint64_t cache_bytes = 0, cache_nodes = 0;
};

class Engine {
 public:
  Engine(ModelPtr model, const EngineOptions& options);
  ~Engine();  // stops; what has not ended is cancelled
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const ModelPtr& model() const noexcept;
  const EngineOptions& options() const noexcept;

  // Checks everything and queues it. Error{invalid_argument} or {context_full} for what could never run, {busy} when
  // the queue is full: retry_after_us() says when to ask again.
  EngineRequestPtr submit(EngineRequestOptions request);
  uint64_t retry_after_us() const noexcept;

  // 0 = one pass; otherwise passes until the time is over, the last one left where it is then. True: there is more to
  // do now. Error{wrong_state} while another step runs, {out_of_memory} when not even the schedule fits: nothing is
  // lost, the next step goes on.
  bool step(uint64_t budget_us = 0);

  void start();  // a thread of the engine's own steps from now on; it sleeps while there is nothing to do
  void stop();   // it ends after the tile under way; what is unfinished stays

  EngineStats stats() const;
  void clear_cache();  // waits for a step under way

  // Prefixes that were read without adapters, as bytes: for a later engine of the same model and mode. Read back they
  // are untrusted input: Error{bad_file} that names what is wrong, {invalid_argument} when they belong to another model
  // or mode. Between steps.
  std::vector<std::byte> save_cache() const;
  void restore_cache(std::span<const std::byte> from);

 private:
  std::unique_ptr<class Scheduler> scheduler_;
};

}  // namespace puna
