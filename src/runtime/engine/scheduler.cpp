// scheduler.cpp -- the step, who may take it, and the engine's own thread.
#include "runtime/engine/scheduler.h"

#include <algorithm>

#include "base/fp_env.h"
#include "puna/base/error.h"
#include "runtime/generate/draft_model.h"

namespace puna {
namespace {

constexpr uint64_t kOwnCache = uint64_t(1) << 30;

uint64_t cache_bytes(const EngineOptions& o, const Model& model) {
  if (o.cache_bytes != EngineOptions::kDefaultCache) return o.cache_bytes;
  const uint64_t limit = model.context().allocator()->limit();
  return limit != 0 ? limit / 4 : kOwnCache;
}

}  // namespace

// Whoever steps, or looks at the cache, has the turn.
class Scheduler::Turn {
 public:
  Turn(Scheduler& s, bool wait) : s_(s) {
    std::unique_lock lock(s.turn_mutex_);
    if (s.turn_taken_ && (!wait || s.turn_owner_ == std::this_thread::get_id()))
      puna::fail(Status::wrong_state,
                 "a step of this engine is running: its callbacks, and other threads, may submit, "
                 "read and cancel meanwhile, and nothing else");
    ++s.turn_waiters_;
    s.turn_over_.wait(lock, [&] { return !s.turn_taken_; });
    --s.turn_waiters_;
    s.turn_taken_ = true;
    s.turn_owner_ = std::this_thread::get_id();
  }
  ~Turn() {
    {
      const std::lock_guard lock(s_.turn_mutex_);
      s_.turn_taken_ = false;
      s_.turn_owner_ = {};
    }
    s_.turn_over_.notify_all();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Scheduler& s_;
};

Scheduler::Scheduler(ModelPtr model, const EngineOptions& options)
    : model_(std::move(model)),
      options_(options),
      probe_(std::make_unique<Session>(model_, options.session)),
      signal_(std::make_shared<EngineSignal>()),
      cache_(model_, options.session.kept(), puna::cache_bytes(options, *model_)),
      pass_(model_, options.session),
      row_work_(model_->config()) {
  PUNA_REQUIRE(options.max_running >= 1 && options.max_running <= 4096, "max_running is %d, expected 1 to 4096",
               options.max_running);
  PUNA_REQUIRE(options.max_queued >= 1 && options.max_queued <= 1'000'000, "max_queued is %d, expected 1 to 1000000",
               options.max_queued);
  PUNA_REQUIRE(options.prompt_share >= 0.01 && options.prompt_share <= 1000,
               "prompt_share is %g, expected 0.01 to 1000", options.prompt_share);
  PUNA_REQUIRE(!options.session.adapter, "adapters belong to requests, not to the engine's session options");
  if (options.draft) {
    const Session draft(options.draft, {});
    require_draft(draft, *probe_);
  }
  options_.session.max_positions = probe_->max_positions();
}

Scheduler::~Scheduler() {
  stop();
  abandon_pass();
  take_inbox();
  for (auto* list : {&queue_, &running_})
    for (const RequestStatePtr& r : *list)
      if (!r->over) end(*r, EngineOutcome::cancelled, Status::cancelled, "the engine was closed");
}

RequestStatePtr Scheduler::submit(EngineRequestOptions request) {
  model_->context().require_same_process();
  require_usable(request);
  if (request.generate.grammar) (void)model_->grammar_vocabulary();  // made here, not between others' tokens
  auto state = std::make_shared<RequestState>(std::move(request), signal_);
  if (state->options.deadline_us > 0) {
    constexpr uint64_t kLongest = uint64_t(1) << 50;
    state->deadline = state->submitted + std::chrono::microseconds(std::min(state->options.deadline_us, kLongest));
  }
  const EngineRequestOptions& o = state->options;
  const size_t tokens = o.prompt.tokens.size();
  if (o.prompt_log_probabilities > 0) state->scores.emplace(o.prompt.tokens, size_t(o.prompt_log_probabilities));
  if (o.embed) state->embedding.resize(size_t(model_->config().hidden) * (o.pooling == Pooling::none ? tokens : 1));
  state->info.prompt_tokens = int64_t(state->options.prompt.tokens.size());
  {
    const std::lock_guard lock(inbox_mutex_);
    if (waiting_.load(std::memory_order_relaxed) >= options_.max_queued) {
      refused_.fetch_add(1, std::memory_order_relaxed);
      puna::fail(Status::busy, "%d requests wait already, as many as max_queued says: try again in %ju ms",
                 options_.max_queued, retry_after_us() / 1000 + 1);
    }
    inbox_.push_back(state);
    state->number = ++numbers_;
    waiting_.fetch_add(1, std::memory_order_relaxed);
  }
  signal_->notify();
  return state;
}

uint64_t Scheduler::retry_after_us() const noexcept {
  const double seconds = seconds_a_request_.load(std::memory_order_relaxed);
  return uint64_t(std::clamp(seconds, 0.001, 60.0) * 1e6);
}

void Scheduler::take_inbox() {
  const std::lock_guard lock(inbox_mutex_);
  queue_.reserve(queue_.size() + inbox_.size());
  for (RequestStatePtr& r : inbox_) queue_.push_back(std::move(r));
  inbox_.clear();
}

bool Scheduler::step(uint64_t budget_us) {
  if (started_.load()) puna::fail(Status::wrong_state, "the engine's own thread steps it: stop that first");
  return step_now(budget_us);
}

bool Scheduler::step_now(uint64_t budget_us) {
  model_->context().require_same_process();
  const FpEnv fp_env;
  const Turn turn(*this, false);
  constexpr uint64_t kLongest = uint64_t(1) << 50;
  const Time end =
      budget_us == 0 ? Time::max() : EngineClock::now() + std::chrono::microseconds(std::min(budget_us, kLongest));
  bool more = true;
  do {
    try {
      more = cycle(end);
    } catch (const std::bad_alloc&) {
      puna::fail(Status::out_of_memory, "no memory for the schedule of this step: the next one goes on");
    }
  } while (more && budget_us != 0 && EngineClock::now() < end);
  publish_stats();
  return more;
}

bool Scheduler::cycle(Time end) {
  signal_->attention.store(false);  // before the requests are asked: a cancel after that sets it again
  take_inbox();
  end_cancelled();
  if (!in_pass_) {
    admit();
    draw_ready();
    const bool images = !encode_images(end);
    if (!build_pass()) return images && EngineClock::now() < end ? true : has_work();
    in_pass_ = true;
    pass_seconds_ = 0;
  }
  if (!run_pass(end)) return true;
  if (in_pass_) finish_pass();
  draw_ready();
  return has_work();
}

bool Scheduler::run_pass(Time end) {
  std::atomic<bool> asked{false};
  const auto stop = [&] {
    if (!asked.load(std::memory_order_relaxed) && !asked.exchange(true, std::memory_order_relaxed)) return false;
    if (signal_->attention.load(std::memory_order_relaxed)) return true;
    if (end == Time::max() && next_deadline_ == Time::max()) return false;
    const Time now = EngineClock::now();
    return now >= end || now >= next_deadline_;
  };
  while (true) {
    const Time start = EngineClock::now();
    const bool done = pass_.run(stop);
    pass_seconds_ += std::chrono::duration<double>(EngineClock::now() - start).count();
    if (done) return true;
    if (signal_->attention.exchange(false) || EngineClock::now() >= next_deadline_) {
      end_cancelled();
      if (std::all_of(entries_.begin(), entries_.end(), [](const Entry& e) { return e.request->over; })) {
        abandon_pass();
        return true;
      }
    }
    if (EngineClock::now() >= end || stopping_.load()) return false;
  }
}

// Whether a step now would do anything: a request whose reader is behind waits for that alone.
bool Scheduler::has_work() const noexcept {
  if (in_pass_) return true;
  const auto can_go_on = [](const RequestStatePtr& r) { return !r->full.load(std::memory_order_acquire); };
  return std::any_of(running_.begin(), running_.end(), can_go_on) || !queue_.empty();
}

void Scheduler::publish_stats() {
  stats_.queued = int32_t(queue_.size());
  stats_.running = stats_.paused = stats_.stalled = 0;
  for (const RequestStatePtr& r : running_) {
    (r->paused ? stats_.paused : stats_.running) += 1;
    stats_.stalled += r->full.load(std::memory_order_relaxed);
  }
  stats_.cache_lookups = cache_.lookups;
  stats_.cache_hits = cache_.hits;
  stats_.cache_hit_tokens = cache_.hit_tokens;
  stats_.cache_evictions = cache_.evictions;
  stats_.cache_bytes = cache_.bytes();
  stats_.cache_nodes = cache_.nodes();
  const std::lock_guard lock(stats_mutex_);
  published_ = stats_;
}

EngineStats Scheduler::stats() const {
  EngineStats s;
  {
    const std::lock_guard lock(stats_mutex_);
    s = published_;
  }
  const std::lock_guard lock(inbox_mutex_);
  s.submitted = numbers_;
  s.queued += int32_t(inbox_.size());
  s.refused = refused_.load(std::memory_order_relaxed);
  return s;
}

void Scheduler::between_steps(FunctionRef<void(PrefixCache&)> work) {
  model_->context().require_same_process();
  {
    const Turn turn(*this, true);
    work(cache_);
    publish_stats();
  }
}

uint64_t Scheduler::mode() const noexcept { return uint64_t(options_.session.kept()); }

void Scheduler::start() {
  model_->context().require_same_process();
  const std::lock_guard lock(thread_mutex_);
  if (thread_.joinable()) puna::fail(Status::wrong_state, "the engine's thread is running already");
  stopping_.store(false);
  try {
    started_.store(true);
    thread_ = std::thread([this] { loop(); });
  } catch (const std::system_error&) {
    started_.store(false);
    puna::fail(Status::out_of_memory, "the system has no thread for the engine");
  }
}

void Scheduler::stop() {
  const std::lock_guard lock(thread_mutex_);
  if (!thread_.joinable()) return;
  stopping_.store(true);
  signal_->attention.store(true);
  signal_->notify();
  thread_.join();
  thread_ = {};
  stopping_.store(false);
  started_.store(false);
}

void Scheduler::loop() {
  uint64_t seen = 0;
  while (!stopping_.load()) {
    {
      const std::lock_guard lock(signal_->mutex);
      seen = signal_->count;
    }
    bool more = false;
    try {
      {
        std::unique_lock lock(turn_mutex_);  // others who wait for the turn come first
        turn_over_.wait_for(lock, std::chrono::milliseconds(10), [&] { return turn_waiters_ == 0; });
      }
      // Slices of time, so that stop() need not wait for a long pass.
      more = step_now(20'000);
    } catch (const Error&) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));  // no memory, or someone else steps: again
      more = true;
    }
    if (more) continue;
    std::unique_lock lock(signal_->mutex);
    const auto changed = [&] { return signal_->count != seen || stopping_.load(); };
    if (next_deadline_ == Time::max())
      signal_->changed.wait(lock, changed);
    else
      signal_->changed.wait_until(lock, next_deadline_, changed);
  }
}

}  // namespace puna
