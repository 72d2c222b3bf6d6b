// engine_backend.cpp -- a Backend on the library's engine, with a thread of its own.
#include "api_error.h"
#include "backend.h"
#include "puna/runtime/engine.h"

namespace puna::serve {
namespace {

class EngineRunning final : public Running {
 public:
  explicit EngineRunning(EngineRequestPtr request) : request_(std::move(request)) {}
  void cancel() noexcept override { request_->cancel(); }
  WorkInfo info() const override {
    const EngineRequestInfo i = request_->info();
    WorkInfo w{i.prompt_tokens, i.cached_tokens, 0, 0};
    if (request_->ended())
      for (const EngineAnswer& a : request_->answers()) {
        w.accepted_drafts += a.result.accepted_drafts;
        w.rejected_drafts += a.result.rejected_drafts;
      }
    return w;
  }

 private:
  const EngineRequestPtr request_;
};

Event event_of(const EngineEvent& from) {
  Event e;
  switch (from.kind) {
    case EngineEventKind::token: e.kind = Event::Kind::token; break;
    case EngineEventKind::answer_ended: e.kind = Event::Kind::answer_ended; break;
    case EngineEventKind::ended: e.kind = Event::Kind::ended; break;
  }
  e.answer = from.answer;
  e.token = from.token;
  e.text = from.text;
  e.probabilities = from.probabilities;
  e.reason = from.reason;
  if (from.kind != EngineEventKind::ended) return e;
  e.status = from.outcome == EngineOutcome::finished ? Status::ok
             : from.outcome == EngineOutcome::failed ? from.status
                                                     : Status::cancelled;
  e.message = from.message;
  if (e.message.empty() && e.status == Status::cancelled) e.message = "cancelled";
  return e;
}

class EngineBackend final : public Backend {
 public:
  EngineBackend(const ModelPtr& model, const BackendOptions& o)
      : engine_(model, options_of(o)), draft_tokens_(o.draft ? o.draft_tokens : 0) {
    engine_.start();
  }

  std::shared_ptr<Running> submit(Work work) override {
    EngineRequestOptions o;
    o.prompt = std::move(work.prompt);
    o.generate = std::move(work.generate);
    if (work.adapter) o.adapters.push_back({work.adapter, 1});
    o.draft_tokens = draft_tokens_;
    o.key = work.key;
    o.n = work.n;
    o.best_of = work.best_of > work.n ? work.best_of : 0;
    o.on_event = [hear = std::move(work.on_event)](const EngineEvent& e) { return hear(event_of(e)); };
    try {
      return std::make_shared<EngineRunning>(engine_.submit(std::move(o)));
    } catch (const Error& e) {
      if (e.status() != Status::busy) throw;
      ApiError full(503, e.what(), "", "queue_full");
      full.retry_after = int(engine_.retry_after_us() / 1'000'000) + 1;
      throw full;
    }
  }

  Load load() const override {
    const EngineStats s = engine_.stats();
    Load l;
    l.running = s.running;
    l.queued = s.queued;
    l.cache_bytes = s.cache_bytes;
    l.cache_hits = s.cache_hits;
    l.cache_lookups = s.cache_lookups;
    l.cache_hit_tokens = s.cache_hit_tokens;
    l.cache_evictions = s.cache_evictions;
    l.pauses = s.pauses;
    return l;
  }

 private:
  static EngineOptions options_of(const BackendOptions& o) {
    EngineOptions e;
    e.session = o.session;
    e.draft = o.draft;
    e.max_running = o.max_running;
    e.max_queued = o.max_queued;
    return e;
  }
  Engine engine_;
  const int draft_tokens_;
};

}  // namespace

std::unique_ptr<Backend> new_backend(const ModelPtr& model, const BackendOptions& options) {
  return std::make_unique<EngineBackend>(model, options);
}

}  // namespace puna::serve
