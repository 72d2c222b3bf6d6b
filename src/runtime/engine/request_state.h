// request_state.h -- a request as both sides see it: the host's threads, which submit, read and cancel; and the
// stepping thread, which computes. Everything that both touch is behind `mutex` or atomic; the rest is the stepping
// thread's.
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "puna/runtime/engine.h"
#include "runtime/engine/prefix_cache.h"
#include "runtime/engine/prompt_scores.h"

namespace puna {

using EngineClock = std::chrono::steady_clock;

// Wakes the stepping thread: something was submitted, cancelled or read. Lives as long as any request.
struct EngineSignal {
  std::mutex mutex;
  std::condition_variable changed;
  uint64_t count = 0;                  // of changes
  std::atomic<bool> attention{false};  // a cancel: the pass under way is interrupted for it
  void notify() noexcept {
    {
      const std::lock_guard lock(mutex);
      ++count;
    }
    changed.notify_all();
  }
};

// One of a request's answers while it is computed.
struct RunningAnswer {
  std::unique_ptr<Session> session, draft;
  std::unique_ptr<Generation> generation;
  int32_t index = 0;
  bool drawn = false;  // its last token is not reported yet
  bool ready = false;  // the logits of the next draw are there
  bool ended = false;
  int64_t kept_pages = 0;  // positions that the prefix cache has seen
  double sum_log_probability = 0;
  std::exception_ptr error;
};

// An answer that beam search has found.
struct Hypothesis {
  GenerateResult result;
  double sum = 0, score = 0;  // of log-probabilities; with the length's penalty
};

class RequestState {
 public:
  RequestState(EngineRequestOptions o, std::shared_ptr<EngineSignal> s)
      : options(std::move(o)), signal(std::move(s)), key(options.prompt), root{options.adapters, options.salt} {}

  EngineRequestOptions options;
  const std::shared_ptr<EngineSignal> signal;
  const PrefixKey key;
  const PrefixRoot root;
  const EngineClock::time_point submitted = EngineClock::now();
  EngineClock::time_point deadline = EngineClock::time_point::max();

  std::atomic<bool> cancelled{false};

  // ---- host and engine, behind the mutex ----
  mutable std::mutex mutex;
  std::condition_variable arrived;
  std::deque<EngineEvent> events;
  // The last event needs no memory when it comes.
  bool ended = false, end_read = false;
  EngineOutcome outcome = EngineOutcome::finished;
  Status status = Status::ok;
  char message[Error::kCapacity] = {};
  EngineRequestInfo info;
  std::vector<EngineAnswer> results;
  bool prompt_read = false;  // what was asked of the prompt is there, and nothing writes it any more
  // The callback of the last event has returned: ended() for all. What it uses may be gone once a host has seen that.
  bool told = false;
  std::thread::id telling;
  bool seen_ended() const noexcept { return ended && (told || telling == std::this_thread::get_id()); }
  std::atomic<bool> full{false};  // events wait to be read: no further tokens until then

  // ---- the stepping thread's ----
  uint64_t number = 0;  // order of arrival
  std::vector<RunningAnswer> answers;
  std::vector<EngineAnswer> gathered;
  std::vector<Hypothesis> hypotheses;  // the best so far, best first; at most `beams`
  bool reading = false;                // its prompt
  bool paused = false;                 // for memory: holds no pages
  uint64_t reserved = 0;               // bytes of pages that its prompt will still take
  int64_t prompt_done = 0;
  std::weak_ptr<RequestState> leader;  // reads the same prefix now
  int64_t leader_shares = 0;
  bool over = false;
  std::optional<PromptScores> scores;  // with the next one, see prompt_read
  std::vector<float> embedding;
  bool needs_whole_prompt() const noexcept { return scores || !embedding.empty(); }

  int32_t width() const noexcept {  // answers that are computed
    return std::max({options.n, options.best_of, options.beams});
  }
  double seconds() const noexcept { return std::chrono::duration<double>(EngineClock::now() - submitted).count(); }
};
using RequestStatePtr = std::shared_ptr<RequestState>;

}  // namespace puna
