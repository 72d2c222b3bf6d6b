// backend.h -- what the server needs of whoever computes answers: many requests at once on one model, events out, a
// cancel that touches nobody else.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "puna/base/error.h"
#include "puna/runtime/generate.h"

namespace puna::serve {

struct Event {
  enum class Kind : uint8_t {
    token,         // of one of the answers
    answer_ended,  // `reason` says why
    ended,         // the last one: every answer has ended, or the request failed
  };
  Kind kind = Kind::token;
  int answer = 0;
  int32_t token = -1;
  std::string text;                             // valid UTF-8 made final by this token
  std::vector<TokenProbability> probabilities;  // chosen first; empty unless asked for
  StopReason reason = StopReason::max_tokens;
  Status status = Status::ok;  // of `ended`, with the message
  std::string message;
};

struct WorkInfo {
  int64_t prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0, accepted_drafts = 0, rejected_drafts = 0;
};

struct Work {
  Prompt prompt;
  GenerateOptions generate;
  AdapterPtr adapter;
  std::string key;  // whom it is for: keys get alike, however many requests they have
  int n = 1;        // answers; answer i is what seed + i gives alone
  int best_of = 0;  // > n: so many are computed, the n with the best mean log-probability are told, at the end
  // Of the prompt itself: each token's log-probability and the most likely others, so many together; its hidden states,
  // pooled; and whether that is all.
  int prompt_probabilities = 0;
  bool embed = false, prompt_only = false;
  Pooling pooling = Pooling::mean;
  // Called by a thread of the backend's; it does not block. False cancels the request.
  std::function<bool(const Event&)> on_event;
};

class Running {
 public:
  virtual ~Running() = default;
  virtual void cancel() noexcept = 0;  // it ends, and its `ended` says Status::cancelled
  virtual WorkInfo info() const = 0;
  // What was asked of the prompt: there with the first event. `position` is 1 or more.
  virtual std::span<const TokenProbability> prompt_probabilities(int64_t position) const = 0;
  virtual std::span<const float> embedding() const = 0;  // of length 1
};

struct Load {
  int running = 0, queued = 0;
  uint64_t cache_bytes = 0, cache_hits = 0, cache_lookups = 0, cache_hit_tokens = 0, cache_evictions = 0, pauses = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;  // what has not ended is cancelled
  // Error{invalid_argument, context_full} for what can never run; ApiError(503) when the queue is full.
  virtual std::shared_ptr<Running> submit(Work work) = 0;
  virtual Load load() const = 0;
  // Ends its threads, and what has not ended as cancelled; nothing is submitted or asked any more. Whoever then drops
  // it last may be a callback of its own.
  virtual void close() = 0;
};

struct BackendOptions {
  SessionOptions session;
  ModelPtr draft;
  int draft_tokens = 0;
  int max_running = 32, max_queued = 256;
};

std::unique_ptr<Backend> new_backend(const ModelPtr& model, const BackendOptions& options);

}  // namespace puna::serve
