// engine_backend.cpp -- a Backend on the library's engine, with a thread of its own.
#include <algorithm>

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
    WorkInfo w{i.prompt_tokens, i.cached_tokens, i.generated_tokens, 0, 0};
    if (request_->ended())
      for (const EngineAnswer& a : request_->answers()) {
        w.accepted_drafts += a.result.accepted_drafts;
        w.rejected_drafts += a.result.rejected_drafts;
      }
    return w;
  }
  std::span<const TokenProbability> prompt_probabilities(int64_t position) const override {
    return request_->prompt_probabilities(position);
  }
  std::span<const float> embedding() const override { return request_->embedding(); }

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

// Holds back the events of best_of answers until all have ended, and then tells those of the best.
class Ranking {
 public:
  Ranking(int answers, int best, bool probabilities, std::function<bool(const Event&)> on_event)
      : heard_(size_t(answers)), best_(best), probabilities_(probabilities), on_event_(std::move(on_event)) {}

  bool hear(Event e) {
    if (e.kind != Event::Kind::ended) {
      Heard& h = heard_[size_t(e.answer)];
      if (e.kind == Event::Kind::token) {
        h.sum += double(e.probabilities[0].log_probability);
        ++h.tokens;
        if (!probabilities_) e.probabilities.clear();
      }
      h.events.push_back(std::move(e));
      return true;
    }
    if (e.status == Status::ok) {
      std::stable_sort(heard_.begin(), heard_.end(),
                       [](const Heard& a, const Heard& b) { return a.mean() > b.mean(); });
      for (int i = 0; i < best_; ++i)
        for (Event& one : heard_[size_t(i)].events) {
          one.answer = i;
          if (!on_event_(one)) break;
        }
    }
    return on_event_(e);
  }

 private:
  struct Heard {
    std::vector<Event> events;
    double sum = 0;
    int tokens = 0;
    double mean() const { return tokens > 0 ? sum / tokens : 0; }
  };
  std::vector<Heard> heard_;
  const int best_;
  const bool probabilities_;
  const std::function<bool(const Event&)> on_event_;
};

class EngineBackend final : public Backend {
 public:
  EngineBackend(const ModelPtr& model, const BackendOptions& o)
      : engine_(std::make_unique<Engine>(model, options_of(o))), draft_tokens_(o.draft ? o.draft_tokens : 0) {
    engine_->start();
  }
  void close() override { engine_.reset(); }

  std::shared_ptr<Running> submit(Work work) override {
    EngineRequestOptions o;
    o.prompt = std::move(work.prompt);
    o.generate = std::move(work.generate);
    if (work.adapter) o.adapters.push_back({work.adapter, 1});
    o.draft_tokens = draft_tokens_;
    o.key = work.key;
    o.n = work.n;
    o.prompt_log_probabilities = work.prompt_probabilities;
    o.embed = o.normalise = work.embed;
    o.pooling = work.pooling;
    o.prompt_only = work.prompt_only;
    o.cache = work.prompt_probabilities == 0 && !work.embed;  // texts that nobody goes on with
    std::function<bool(const Event&)> hear = std::move(work.on_event);
    if (work.best_of > work.n) {
      const bool asked = o.generate.log_probabilities > 0;
      if (!asked) o.generate.log_probabilities = 1;
      o.n = work.best_of;
      const auto ranking = std::make_shared<Ranking>(work.best_of, work.n, asked, std::move(hear));
      hear = [ranking](const Event& e) { return ranking->hear(e); };
    }
    // An event that there is no memory for ends the request, even where it is the last but one: nothing is left out.
    o.on_event = [hear = std::move(hear), lost = false](const EngineEvent& e) mutable {
      try {
        if (!lost) return hear(event_of(e));
      } catch (const std::bad_alloc&) {
        lost = true;
      }
      if (e.kind != EngineEventKind::ended) return false;
      Event last;
      last.kind = Event::Kind::ended;
      last.status = Status::out_of_memory;
      return hear(last);
    };
    try {
      return std::make_shared<EngineRunning>(engine_->submit(std::move(o)));
    } catch (const Error& e) {
      if (e.status() != Status::busy) throw;
      ApiError full(503, e.what(), "", "queue_full");
      full.retry_after = int(engine_->retry_after_us() / 1'000'000) + 1;
      throw full;
    }
  }

  Load load() const override {
    const EngineStats s = engine_->stats();
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
  std::unique_ptr<Engine> engine_;
  const int draft_tokens_;
};

}  // namespace

std::unique_ptr<Backend> new_backend(const ModelPtr& model, const BackendOptions& options) {
  return std::make_unique<EngineBackend>(model, options);
}

}  // namespace puna::serve
