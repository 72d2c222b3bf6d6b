// admission.cpp -- who may run: slots, memory, and prefixes that others are reading now. When memory is out: pages that
// nobody uses go first, then the youngest request pauses, then the one that needs the memory fails.
#include <algorithm>
#include <new>

#include "puna/base/error.h"
#include "runtime/engine/scheduler.h"

namespace puna {
namespace {

constexpr int64_t kAnswerPart = 64;  // positions of the answer that admission counts on
constexpr int32_t kMostAnswers = 256;

}  // namespace

bool is_out_of_memory(const std::exception_ptr& error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    return e.status() == Status::out_of_memory;
  } catch (const std::bad_alloc&) {
    return true;
  } catch (...) {
    return false;
  }
}

void Scheduler::require_usable(EngineRequestOptions& r) const {
  const int64_t size = int64_t(r.prompt.tokens.size());
  PUNA_REQUIRE(size > 0, "the prompt is empty");
  GenerateOptions& g = r.generate;
  PUNA_REQUIRE(!g.processor && !g.draft && !g.keep_shared && g.context_policy == ContextPolicy::error,
               "a request of an engine takes no processor, draft session, keep_shared or context_policy");
  if (size > options_.session.max_positions)
    puna::fail(Status::context_full, "the prompt has %jd tokens, the context holds %jd", size,
               options_.session.max_positions);
  EngineAccess::require_prompt(*probe_, r.prompt);
  PUNA_REQUIRE(r.n >= 1 && r.n <= kMostAnswers, "n is %d, expected 1 to %d", r.n, kMostAnswers);
  PUNA_REQUIRE(r.best_of == 0 || (r.best_of >= r.n && r.best_of <= kMostAnswers),
               "best_of is %d, expected 0, or n (%d) to %d", r.best_of, r.n, kMostAnswers);
  PUNA_REQUIRE(r.beams >= 0 && r.beams <= kMostAnswers, "beams is %d, expected 0 to %d", r.beams, kMostAnswers);
  PUNA_REQUIRE(r.length_penalty >= -100 && r.length_penalty <= 100, "length_penalty is %g, expected -100 to 100",
               double(r.length_penalty));
  PUNA_REQUIRE(r.beams > 0 || r.length_penalty == 0, "length_penalty without beams, expected 0");
  PUNA_REQUIRE(r.beams == 0 || r.n <= r.beams, "n is %d, expected 1 to the %d beams", r.n, r.beams);
  PUNA_REQUIRE(r.beams == 0 || (r.best_of == 0 && r.draft_tokens == 0 && g.lookup_tokens == 0 && !g.close_answer &&
                                g.log_probabilities == 0),
               "a request with beams takes no best_of, draft_tokens, lookup_tokens, close_answer or log_probabilities");
  if (r.beams > 0 && g.sampler.temperature == 0) g.sampler.temperature = 1;
  const int32_t width = std::max({r.n, r.best_of, r.beams});
  PUNA_REQUIRE(width <= options_.max_running, "%d answers, but max_running is %d", width, options_.max_running);
  PUNA_REQUIRE(r.draft_tokens >= 0 && (r.draft_tokens == 0 || options_.draft),
               "draft_tokens is %d, but the engine has no draft model", r.draft_tokens);
  PUNA_REQUIRE(r.prompt_log_probabilities >= 0 && r.prompt_log_probabilities <= model_->config().vocab,
               "prompt_log_probabilities is %d, expected 0 to the vocabulary's %jd", r.prompt_log_probabilities,
               model_->config().vocab);
  PUNA_REQUIRE(r.prompt_log_probabilities == 0 || (size >= 2 && r.prompt.patches.empty()),
               "prompt_log_probabilities of a prompt with %s: there is nothing to give them of",
               size < 2 ? "one token" : "images");
  PUNA_REQUIRE(!r.prompt_only || (r.n == 1 && r.best_of == 0 && r.beams == 0 && r.draft_tokens == 0),
               "prompt_only with n, best_of, beams or draft_tokens: nothing is generated");
  PUNA_REQUIRE(r.max_events >= 1, "max_events is %d, expected 1 or more", r.max_events);
  for (const AdapterShare& a : r.adapters) {
    PUNA_REQUIRE(a.adapter != nullptr, "an adapter is NULL");
    PUNA_REQUIRE(a.weight == a.weight && a.weight > -1e6f && a.weight < 1e6f, "an adapter's weight is %g",
                 double(a.weight));
  }
  if (r.best_of > r.n) g.log_probabilities = std::max(g.log_probabilities, 1);
  puna::require_usable(g, *probe_);
  const uint64_t limit = model_->context().allocator()->limit();
  const uint64_t bytes =
      KvCache::bytes_for(model_->config(), options_.session.kept(), size, options_.session.prefill_chunk);
  if (limit != 0 && bytes > limit)
    puna::fail(Status::out_of_memory,
               "the keys and values of the prompt's %jd tokens take %ju bytes, the context's limit is %ju", size, bytes,
               limit);
}

bool Scheduler::has_precedence(const RequestState& a, const RequestState& b) const noexcept {
  return a.options.priority != b.options.priority ? a.options.priority > b.options.priority : a.number < b.number;
}

// One that is over may be among them: its pages are the pass' until that ends.
bool Scheduler::others_run(const RequestState& r) const noexcept {
  return std::any_of(running_.begin(), running_.end(), [&](const RequestStatePtr& other) {
    return other.get() != &r && !other->paused && !other->answers.empty();
  });
}

bool Scheduler::any_reads() const noexcept {
  return std::any_of(running_.begin(), running_.end(), [](const RequestStatePtr& r) { return r->reading && !r->over; });
}

int32_t Scheduler::slots_used() const noexcept {
  int32_t used = 0;
  for (const RequestStatePtr& r : running_)
    if (!r->paused) used += r->width();
  return used;
}

uint64_t Scheduler::needed(const RequestState& r) const {
  const LlamaConfig& c = model_->config();
  const SessionOptions& s = options_.session;
  const auto bytes = [&](int64_t positions) {
    return KvCache::bytes_for(c, s.kept(), std::min(positions, s.max_positions), s.prefill_chunk);
  };
  const int64_t prompt = int64_t(r.options.prompt.tokens.size());
  const int64_t most = r.options.generate.max_tokens, part = most > 0 ? std::min(most, kAnswerPart) : kAnswerPart;
  const uint64_t hidden = r.options.embed ? uint64_t(prompt * c.hidden) * sizeof(float) : 0;
  if (r.answers.empty() || r.reading) return bytes(prompt + part) + uint64_t(r.width() - 1) * bytes(part) + hidden;
  uint64_t total = 0;
  for (const RunningAnswer& a : r.answers)
    if (!a.ended) total += bytes(a.session->length() + part);
  return total;
}

uint64_t Scheduler::promised() const {
  uint64_t total = 0;
  for (const RequestStatePtr& r : running_) {
    if (r->paused) continue;
    uint64_t held = 0;
    for (const RunningAnswer& a : r->answers)
      if (a.session) held += a.session->kv_bytes();
    const uint64_t need = needed(*r);
    total += need > held ? need - held : 0;
  }
  return total;
}

// Whether so many bytes are free besides what the running requests were promised; evicts what is in the way.
bool Scheduler::make_room(uint64_t bytes) {
  const Allocator& memory = *model_->context().allocator();
  if (memory.limit() == 0) return true;
  const uint64_t want = bytes + promised();
  while (memory.limit() - std::min(memory.used(), memory.limit()) < want) {
    const uint64_t lacking = want - (memory.limit() - std::min(memory.used(), memory.limit()));
    if (!cache_.evict(lacking)) return false;
  }
  return true;
}

bool Scheduler::in_pass(const RequestState& r) const noexcept {
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.request.get() == &r; });
}

bool Scheduler::relieve(uint64_t bytes, const RequestState* self) {
  if (cache_.evict(bytes)) return true;
  RequestState* victim = nullptr;
  for (const RequestStatePtr& r : running_) {
    if (r->paused || r->over || in_pass(*r)) continue;
    const bool behind = r->full.load(std::memory_order_relaxed);
    if (!victim) {
      victim = r.get();
      continue;
    }
    const bool other_behind = victim->full.load(std::memory_order_relaxed);
    if (behind != other_behind ? behind : has_precedence(*victim, *r)) victim = r.get();
  }
  if (!victim || victim == self) return false;
  pause(*victim);
  return true;
}

// Its tokens stay, its pages go. What has not drawn a token yet begins anew.
void Scheduler::pause(RequestState& r) {
  ++stats_.pauses;
  {
    const std::lock_guard lock(r.mutex);
    ++r.info.pauses;
  }
  if (r.reading) {
    const auto at =
        std::find_if(running_.begin(), running_.end(), [&](const auto& other) { return other.get() == &r; });
    queue_.push_back(*at);
    r.answers.clear();
    r.reading = false;
    running_.erase(at);
    waiting_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  for (RunningAnswer& a : r.answers) {
    if (a.ended) continue;
    EngineAccess::release_pages(*a.session);
    if (a.draft) EngineAccess::release_pages(*a.draft);
    a.kept_pages = 0;
  }
  r.paused = true;
}

// Another one is reading what this one would read as well: its pages will be there.
bool Scheduler::waits_for_leader(RequestState& r) {
  if (!r.options.cache || options_.cache_bytes == 0 || r.needs_whole_prompt()) return false;
  const auto ahead = [&](const RequestState& leader, int64_t shared) {
    return !leader.over && leader.reading && leader.prompt_done < shared;
  };
  if (const RequestStatePtr leader = r.leader.lock()) {
    if (ahead(*leader, r.leader_shares)) return true;
    r.leader.reset();
  }
  const int64_t page = model_->config().page_size(), most = int64_t(r.options.prompt.tokens.size()) - 1;
  int64_t cached = -1;
  for (const RequestStatePtr& other : running_) {
    if (!other->reading || other->paused || !other->options.cache || other->root < r.root || r.root < other->root)
      continue;
    int64_t shared = std::min(shared_prefix(other->options.prompt, r.options.prompt), most) / page * page;
    if (!ahead(*other, shared)) continue;
    if (cached < 0) cached = cache_.peek(r.root, r.key, most);
    if (shared < cached + page) continue;
    r.leader = other;
    r.leader_shares = shared;
    return true;
  }
  return false;
}

// One whose reader is behind makes way for others.
bool Scheduler::pause_stalled() {
  const auto behind = std::find_if(running_.rbegin(), running_.rend(), [](const RequestStatePtr& other) {
    return !other->paused && !other->reading && !other->over && other->full.load(std::memory_order_relaxed);
  });
  if (behind == running_.rend()) return false;
  pause(**behind);
  return true;
}

void Scheduler::admit() {
  cache_.drop_unused_adapters();
  const auto first = [&](const RequestStatePtr& a, const RequestStatePtr& b) { return has_precedence(*a, *b); };
  std::stable_sort(queue_.begin(), queue_.end(), first);
  std::stable_sort(running_.begin(), running_.end(), first);
  bool waiting = false;
  for (const RequestStatePtr& r : running_)
    if (r->paused && !r->full.load(std::memory_order_relaxed)) {
      while (!try_resume(*r) && pause_stalled()) {}
      waiting = waiting || r->paused;
    }
  if (waiting) return;
  for (size_t i = 0; i < queue_.size();) {
    const RequestStatePtr r = queue_[i];
    const auto missing = [](const Patches& p) { return !p.image->encoded(); };
    const auto& patches = r->options.prompt.patches;
    if (std::any_of(patches.begin(), patches.end(), missing) || waits_for_leader(*r)) {
      ++i;
      continue;
    }
    while (slots_used() + r->width() > options_.max_running)
      if (!pause_stalled()) return;
    while (!try_admit(r))
      if (!pause_stalled()) return;
    queue_.erase(std::find(queue_.begin(), queue_.end(), r));
  }
}

bool Scheduler::try_admit(const RequestStatePtr& request) {
  RequestState& r = *request;
  KvCache pages(model_->config(), model_->context().allocator(), options_.session.kept());
  int64_t cached = 0;
  const int64_t size = int64_t(r.options.prompt.tokens.size());
  if (r.options.cache && !r.needs_whole_prompt()) cached = cache_.find(r.root, r.key, size - 1, pages);
  const uint64_t need = needed(r), there = pages.bytes();
  const uint64_t logits = uint64_t(r.width()) * uint64_t(model_->config().vocab) * 8;
  const bool alone = !others_run(r);
  if (!make_room((need > there ? need - there : 0) + logits) && !alone) return false;
  running_.reserve(running_.size() + 1);
  while (true) {
    try {
      begin_answers(r, pages, cached);
      break;
    } catch (...) {
      r.answers.clear();
      if (is_out_of_memory(std::current_exception())) {
        if (!alone) return false;
        if (cache_.evict(logits)) continue;
      }
      fail(r, std::current_exception());
      break;
    }
  }
  waiting_.fetch_sub(1, std::memory_order_relaxed);
  if (!r.over) running_.push_back(request);
  return true;
}

// Answer i is what the same request with seed + i gives alone.
void Scheduler::begin_generation(const RequestState& r, RunningAnswer& a, const PromptView& prompt) {
  GenerateOptions g = r.options.generate;
  g.sampler.seed += uint64_t(a.index);
  if (r.options.draft_tokens > 0) {
    a.draft = std::make_unique<Session>(options_.draft, SessionOptions{});
    g.draft = a.draft.get();
    g.draft_tokens = r.options.draft_tokens;
  }
  a.generation = std::make_unique<Generation>(*a.session, prompt, std::move(g));
}

void Scheduler::begin_answers(RequestState& r, const KvCache& pages, int64_t cached) {
  const PromptView prompt = r.options.prompt;
  const int64_t size = int64_t(prompt.tokens.size());
  r.answers.clear();
  r.answers.reserve(size_t(r.width()));
  r.gathered.clear();
  r.gathered.resize(size_t(r.width()));
  r.hypotheses.clear();
  RunningAnswer& a = r.answers.emplace_back();
  a.session = std::make_unique<Session>(model_, options_.session);
  if (cached > 0) {
    EngineAccess::impl(*a.session).kv = pages;
    EngineAccess::adopt(*a.session, slice(prompt, 0, cached));
  }
  begin_generation(r, a, slice(prompt, cached, size));
  EngineAccess::impl(*a.generation).reading = {
      .options = {.embeddings = r.embedding, .pooling = r.options.pooling, .normalise = r.options.normalise},
      .every_row = r.scores.has_value()};
  a.kept_pages = cached / model_->config().page_size();
  r.reading = true;
  r.prompt_done = cached;
  const std::lock_guard lock(r.mutex);
  r.info.cached_tokens = cached;
  r.info.queued_seconds = r.seconds();
}

bool Scheduler::try_resume(RequestState& r) {
  const bool alone = !others_run(r);
  if (slots_used() + r.width() > options_.max_running) return false;
  if (!make_room(needed(r)) && !alone) return false;
  for (RunningAnswer& a : r.answers) {
    if (a.ended || !r.options.cache) continue;
    auto& impl = EngineAccess::impl(*a.session);
    const int64_t most = int64_t(impl.held.tokens.size()) - (impl.pending ? 1 : 0);
    KvCache pages(model_->config(), model_->context().allocator(), options_.session.kept());
    const int64_t found = cache_.find(r.root, PrefixKey(impl.held), most, pages);
    if (found == 0) continue;
    impl.kv = std::move(pages);
    impl.complete = found;
    a.kept_pages = found / model_->config().page_size();
  }
  r.paused = false;
  return true;
}

// The first image that a waiting request needs, for as long as a pass would take.
bool Scheduler::encode_images(Time end) {
  while (true) {
    RequestStatePtr owner = encoding_for_.lock();
    if (!encoding_ || !owner || owner->over) {
      encoding_.reset();
      for (const RequestStatePtr& r : queue_)
        for (const Patches& p : r->options.prompt.patches)
          if (!encoding_ && !p.image->encoded()) {
            encoding_ = std::make_unique<ImageEncoding>(p.image);
            encoding_for_ = owner = r;
          }
      if (!encoding_) return true;
    }
    const bool others = others_run(*owner);
    // Prompts and images share what may be added to the time between two tokens.
    const double share = options_.prompt_share * (any_reads() ? 0.5 : 1.0);
    const double slice = std::max(costs_.decode_seconds(decode_rows_) * share, 0.001);
    const Time until =
        others ? std::min(end, EngineClock::now() + std::chrono::microseconds(int64_t(slice * 1e6))) : end;
    std::atomic<bool> asked{false};
    const auto stop = [&] {
      if (!asked.exchange(true, std::memory_order_relaxed)) return false;
      return signal_->attention.load(std::memory_order_relaxed) || EngineClock::now() >= until;
    };
    try {
      if (!encoding_->run(stop)) return false;
    } catch (const Error& e) {
      if (e.status() == Status::out_of_memory && relieve(uint64_t(1) << 20, nullptr)) return false;
      fail(*owner, std::current_exception());
    } catch (...) {
      fail(*owner, std::current_exception());
    }
    encoding_.reset();
    sweep_queue();
    if (others) return false;
  }
}

}  // namespace puna
