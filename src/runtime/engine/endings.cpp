// endings.cpp -- events, and how requests end: finished, cancelled, too late, failed. However one ends, its last event
// comes and its slot and pages are free.
#include <algorithm>
#include <cstdio>

#include "puna/base/error.h"
#include "runtime/engine/scheduler.h"

namespace puna {

void Scheduler::end_cancelled() {
  next_deadline_ = Time::max();
  const Time now = EngineClock::now();
  for (auto* list : {&queue_, &running_})
    for (const RequestStatePtr& r : *list) {
      if (r->over) continue;
      if (r->cancelled.load()) {
        end(*r, EngineOutcome::cancelled, Status::cancelled, "cancelled");
      } else if (now >= r->deadline) {
        end(*r, EngineOutcome::deadline, Status::cancelled, "its deadline passed before the answer was finished");
      } else {
        next_deadline_ = std::min(next_deadline_, r->deadline);
      }
    }
  sweep_queue();
  sweep_running();
}

void Scheduler::sweep_queue() {
  const size_t over = std::erase_if(queue_, [](const RequestStatePtr& r) { return r->over; });
  waiting_.fetch_sub(int32_t(over), std::memory_order_relaxed);
}

void Scheduler::sweep_running() {
  std::erase_if(running_, [](const RequestStatePtr& r) { return r->over; });
}

void Scheduler::post(RequestState& r, EngineEvent event) {
  if (r.options.on_event) {
    bool go_on = false;
    try {
      go_on = r.options.on_event(event);
    } catch (...) {}
    if (go_on) return;
    r.cancelled.store(true);
    signal_->attention.store(true);
    return;
  }
  {
    const std::lock_guard lock(r.mutex);
    r.events.push_back(std::move(event));
    if (r.events.size() >= size_t(r.options.max_events)) r.full.store(true, std::memory_order_release);
  }
  r.arrived.notify_all();
}

void Scheduler::post_answer_ended(RequestState& r, int32_t index) {
  EngineEvent e;
  e.kind = EngineEventKind::answer_ended;
  e.answer = index;
  e.reason = r.gathered[size_t(index)].result.reason;
  post(r, std::move(e));
}

// The token that the answer has just drawn.
void Scheduler::report(RequestState& r, RunningAnswer& a) {
  a.drawn = false;
  const EngineAccess::GenerationImpl& g = EngineAccess::impl(*a.generation);
  const GeneratedToken& t = a.generation->token();
  if (!t.probabilities.empty()) a.sum_log_probability += double(t.probabilities[0].log_probability);
  ++stats_.generated_tokens;
  const bool ranked = r.options.best_of > r.options.n;
  {
    const std::lock_guard lock(r.mutex);
    if (r.info.generated_tokens++ == 0) r.info.first_token_seconds = r.seconds();
  }
  if (!ranked) {
    EngineEvent e;
    e.answer = a.index;
    e.token = t.id;
    e.text = t.text;
    e.probabilities.assign(t.probabilities.begin(), t.probabilities.end());
    post(r, std::move(e));
  }
  if (g.ended) end_answer(r, a);
}

void Scheduler::end_answer(RequestState& r, RunningAnswer& a) {
  keep_all(r, a);
  EngineAnswer& answer = r.gathered[size_t(a.index)];
  answer.result = a.generation->result();
  answer.result.prompt_tokens = int64_t(r.options.prompt.tokens.size());
  answer.ended = true;
  const size_t tokens = answer.result.tokens.size();
  answer.mean_log_probability = tokens > 0 ? a.sum_log_probability / double(tokens) : 0;
  a.ended = true;
  a.generation.reset();
  a.draft.reset();
  a.session.reset();
  const bool ranked = r.options.best_of > r.options.n;
  if (!ranked) post_answer_ended(r, a.index);
  if (int32_t(r.answers.size()) < r.width() ||
      std::any_of(r.answers.begin(), r.answers.end(), [](const RunningAnswer& other) { return !other.ended; }))
    return;
  if (ranked) {
    std::stable_sort(r.gathered.begin(), r.gathered.end(), [](const EngineAnswer& x, const EngineAnswer& y) {
      return x.mean_log_probability > y.mean_log_probability;
    });
    r.gathered.resize(size_t(r.options.n));
    for (int32_t i = 0; i < r.options.n; ++i) post_answer_ended(r, i);
  }
  end(r, EngineOutcome::finished, Status::ok, "");
}

void Scheduler::fail(RequestState& r, std::exception_ptr error) noexcept {
  if (r.over) return;
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    end(r, EngineOutcome::failed, e.status(), e.what());
  } catch (const std::bad_alloc&) {
    end(r, EngineOutcome::failed, Status::out_of_memory, "no memory for this request");
  } catch (const std::exception& e) {
    end(r, EngineOutcome::failed, Status::internal, e.what());
  } catch (...) {
    end(r, EngineOutcome::failed, Status::internal, "an unknown error");
  }
}

// Memory may be short here as well: then the answers so far are missing, but never the end.
void Scheduler::end(RequestState& r, EngineOutcome outcome, Status status, const char* message) noexcept {
  r.over = true;
  r.reading = false;
  for (RunningAnswer& a : r.answers) {
    if (a.ended) continue;
    try {
      if (!in_pass(r)) keep_all(r, a);
      if (size_t(a.index) < r.gathered.size()) {
        r.gathered[size_t(a.index)].result = a.generation->result();
        r.gathered[size_t(a.index)].result.reason = StopReason::interrupted;
      }
    } catch (...) {}
  }
  if (!in_pass(r)) r.answers.clear();  // otherwise when the pass is over
  switch (outcome) {
    case EngineOutcome::finished: ++stats_.finished; break;
    case EngineOutcome::cancelled: ++stats_.cancelled; break;
    case EngineOutcome::deadline: ++stats_.timed_out; break;
    case EngineOutcome::failed: ++stats_.failed; break;
  }
  const double seconds = r.seconds() - r.info.queued_seconds, known = seconds_a_request_.load();
  if (outcome == EngineOutcome::finished) {
    const double each = seconds / std::max<double>(1, double(running_.size()));
    seconds_a_request_.store(known + (each - known) / 8);
  }
  {
    const std::lock_guard lock(r.mutex);
    r.results = std::move(r.gathered);
    r.info.total_seconds = r.seconds();
    r.info.ended = true;
    r.outcome = outcome;
    r.status = status;
    snprintf(r.message, sizeof r.message, "%s", message);
    r.ended = true;
    r.told = !r.options.on_event;
    r.telling = std::this_thread::get_id();
  }
  r.arrived.notify_all();
  if (!r.options.on_event) return;
  EngineEvent e;
  e.kind = EngineEventKind::ended;
  e.outcome = outcome;
  e.status = status;
  try {
    e.message = message;
  } catch (const std::bad_alloc&) {}  // the status says it
  try {
    r.options.on_event(e);
  } catch (...) {}
  const std::lock_guard lock(r.mutex);
  r.told = true;
}

}  // namespace puna
