// engine.cpp -- the engine and its requests as hosts see them.
#include "puna/runtime/engine.h"

#include <algorithm>

#include "runtime/engine/scheduler.h"

namespace puna {

Engine::Engine(ModelPtr model, const EngineOptions& options) {
  PUNA_REQUIRE(model != nullptr, "model is NULL");
  scheduler_ = std::make_unique<Scheduler>(std::move(model), options);
}
Engine::~Engine() = default;

const ModelPtr& Engine::model() const noexcept { return scheduler_->model(); }
const EngineOptions& Engine::options() const noexcept { return scheduler_->options(); }
EngineRequestPtr Engine::submit(EngineRequestOptions request) {
  return EngineRequestPtr(new EngineRequest(scheduler_->submit(std::move(request))));
}
uint64_t Engine::retry_after_us() const noexcept { return scheduler_->retry_after_us(); }
bool Engine::step(uint64_t budget_us) { return scheduler_->step(budget_us); }
void Engine::start() { scheduler_->start(); }
void Engine::stop() { scheduler_->stop(); }
EngineStats Engine::stats() const { return scheduler_->stats(); }

void Engine::clear_cache() {
  scheduler_->between_steps([](PrefixCache& cache) { cache.clear(); });
}

std::vector<std::byte> Engine::save_cache() const {
  std::vector<std::byte> bytes;
  scheduler_->between_steps([&](PrefixCache& cache) { bytes = cache.save(scheduler_->mode()); });
  return bytes;
}

void Engine::restore_cache(std::span<const std::byte> from) {
  scheduler_->between_steps([&](PrefixCache& cache) { cache.restore(from, scheduler_->mode()); });
}

EngineRequest::~EngineRequest() {
  if (!ended()) cancel();
}

void EngineRequest::cancel() noexcept {
  state_->cancelled.store(true);
  state_->signal->attention.store(true);
  state_->signal->notify();
}

bool EngineRequest::next(EngineEvent& event, uint64_t timeout_us) {
  RequestState& s = *state_;
  bool makes_room = false;
  {
    std::unique_lock lock(s.mutex);
    const auto there = [&] { return !s.events.empty() || s.ended; };
    constexpr uint64_t kLongest = uint64_t(1) << 50;
    if (timeout_us == UINT64_MAX)
      s.arrived.wait(lock, there);
    else if (timeout_us > 0)
      s.arrived.wait_for(lock, std::chrono::microseconds(std::min(timeout_us, kLongest)), there);
    if (s.events.empty()) {
      if (!s.ended || s.end_read || s.options.on_event) return false;
      EngineEvent last;
      last.kind = EngineEventKind::ended;
      last.outcome = s.outcome;
      last.status = s.status;
      last.message = s.message;
      event = std::move(last);
      s.end_read = true;
      return true;
    }
    event = std::move(s.events.front());
    s.events.pop_front();
    // Half of the room again: a reader that is a little behind does not make the engine start and stop.
    if (s.full.load(std::memory_order_relaxed) && s.events.size() <= size_t(s.options.max_events) / 2) {
      s.full.store(false, std::memory_order_release);
      makes_room = true;
    }
  }
  if (makes_room) s.signal->notify();
  return true;
}

bool EngineRequest::ended() const noexcept {
  const std::lock_guard lock(state_->mutex);
  return state_->seen_ended();
}

EngineRequestInfo EngineRequest::info() const {
  const std::lock_guard lock(state_->mutex);
  EngineRequestInfo info = state_->info;
  info.outcome = state_->outcome;
  info.status = state_->status;
  info.message = state_->message;
  return info;
}

static void require_prompt_read(const RequestState& s, bool asked, const char* option) {
  PUNA_REQUIRE(asked, "the request did not ask for it: %s", option);
  const std::lock_guard lock(s.mutex);
  if (!s.prompt_read) fail(Status::wrong_state, "the request's prompt has not been read yet");
}

std::span<const TokenProbability> EngineRequest::prompt_probabilities(int64_t position) const {
  require_prompt_read(*state_, state_->scores.has_value(), "prompt_log_probabilities");
  const int64_t size = int64_t(state_->options.prompt.tokens.size());
  PUNA_REQUIRE(position >= 1 && position < size, "position is %jd, expected 1 to %jd: nothing stands before the first",
               position, size - 1);
  return state_->scores->of(position);
}

std::span<const float> EngineRequest::embedding() const {
  require_prompt_read(*state_, state_->options.embed, "embed");
  return state_->embedding;
}

std::vector<EngineAnswer> EngineRequest::answers() const {
  const std::lock_guard lock(state_->mutex);
  if (!state_->ended) fail(Status::wrong_state, "the request has not ended yet");
  return state_->results;
}

}  // namespace puna
