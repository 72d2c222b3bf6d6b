// passes.cpp -- what a pass is made of: the rows of all that decode, then prompt rows, shared by deficit round robin
// (Shreedhar and Varghese 1995) over the requests' keys. And what becomes of it: pages for the prefix cache, tokens.
#include <algorithm>

#include "base/fp_env.h"
#include "puna/base/error.h"
#include "runtime/engine/scheduler.h"
#include "runtime/generate/sampler_select.h"

namespace puna {
namespace {

constexpr int64_t kQuantum = 16;                   // rows that a key's deficit grows by a round
constexpr int64_t kMostLogits = int64_t(8) << 20;  // of scored rows a pass, in floats

}  // namespace

// Its append is begun: true. False: its logits are there already, or guessing was not finished.
bool Scheduler::prepare(RunningAnswer& a) {
  if (EngineAccess::append(*a.session)) return true;
  const auto stop = [&] { return signal_->attention.load(std::memory_order_relaxed); };
  switch (EngineAccess::impl(*a.generation).prepare(stop)) {
    case EngineAccess::Next::append: return true;
    case EngineAccess::Next::draw: a.ready = true; return false;
    case EngineAccess::Next::paused: break;
  }
  return false;
}

// `visit` the answers of a request that have rows to compute.
void Scheduler::for_each_append(RequestState& r, FunctionRef<void(RunningAnswer&, const EngineAccess::Append&)> visit) {
  if (r.full.load(std::memory_order_acquire)) return;
  for (size_t i = 0; i < r.answers.size() && !r.over && !r.paused; ++i) {
    RunningAnswer& a = r.answers[i];
    if (a.ended || a.ready) continue;
    try {
      if (!prepare(a)) continue;
    } catch (...) {
      fail(r, std::current_exception());
      break;
    }
    visit(a, *EngineAccess::append(*a.session));
  }
}

bool Scheduler::build_pass() {
  abandon_pass();                                         // that was left half built, for lack of memory
  const std::vector<RequestStatePtr> running = running_;  // a pause changes the list
  for (const RequestStatePtr& r : running) {
    if (r->reading) continue;
    for_each_append(*r, [&](RunningAnswer& a, const EngineAccess::Append& append) {
      // A paused one that has come back reads its tokens again: that is prompt work.
      if (append.drafts() || append.rows_left() <= 1) add_rows(r, a, append.rows_left(), true);
    });
  }
  add_prompts(pass_.rows());
  while (!pass_.empty()) {
    try {
      pass_.begin();
      return true;
    } catch (...) {
      const Entry last = entries_.back();
      if (is_out_of_memory(std::current_exception()) && relieve(uint64_t(1) << 20, last.request.get())) continue;
      EngineAccess::append(*last.answer->session)->put_back();
      pass_.drop_last();
      entries_.pop_back();
      if (entries_.empty()) fail(*last.request, std::current_exception());
    }
  }
  return false;
}

// False: they are not in the pass.
bool Scheduler::add_rows(const RequestStatePtr& request, RunningAnswer& a, int64_t most, bool decode) {
  RequestState& r = *request;
  while (true) {
    try {
      entries_.reserve(entries_.size() + 1);
      pass_.add(*a.session, r.options.adapters, r.scores && r.reading ? &*r.scores : nullptr, most);
      Work work;
      for (const BatchRow& row : pass_.last_rows()) {
        ++work.rows;
        work.units += row_work_.at(row.position);
      }
      entries_.push_back({request, &a, decode, work});
      return true;
    } catch (...) {
      const std::exception_ptr error = std::current_exception();
      if (!is_out_of_memory(error)) {
        fail(r, error);
        return false;
      }
      if (relieve(uint64_t(1) << 16, &r)) {
        if (r.over || r.paused) return false;
        continue;
      }
      // Nothing else can go. Its own rows in this pass, or others whose memory comes free, are no failure.
      if (in_pass(r)) return false;
      if (others_run(r))
        pause(r);
      else
        fail(r, error);
      return false;
    }
  }
}

void Scheduler::add_prompts(int64_t decode_rows) {
  struct Want {
    RequestStatePtr request;
    RunningAnswer* answer;
    int64_t left, next, given;  // rows; next: the position of the first that is not given
  };
  std::map<std::string, std::vector<Want>> wants;
  Work first;  // rows of all
  for (const RequestStatePtr& r : running_)
    for_each_append(*r, [&](RunningAnswer& a, const EngineAccess::Append& append) {
      const bool prompt = r->reading || (!append.drafts() && append.rows_left() > 1);
      if (!prompt || append.rows_left() == 0) return;
      wants[r->options.key].push_back({r, &a, append.rows_left(), append.next(), 0});
      ++first.rows;
      first.units += row_work_.at(append.next());
    });
  std::erase_if(deficits_, [&](const auto& key) { return !wants.count(key.first); });
  if (wants.empty()) return;
  const int64_t room = std::max<int64_t>(options_.session.prefill_chunk - decode_rows, 1);
  const double share = options_.prompt_share * (encoding_ ? 0.5 : 1.0);  // images have the other half
  const auto [most, units] = costs_.prompt_work(decode_rows, room, first.units / double(first.rows), share);
  int64_t rows = 0;
  double work = 0;
  const auto fits = [&](const Want& w) {  // its next row; the first one always
    return rows < most && (rows == 0 || work + row_work_.at(w.next) <= units);
  };
  auto turn = wants.upper_bound(served_last_);
  bool full = false;
  size_t idle = 0;  // keys in a row with nothing left to give
  while (!full && idle < wants.size()) {
    if (turn == wants.end()) turn = wants.begin();
    int64_t& deficit = deficits_[turn->first];
    deficit += kQuantum;
    const int64_t before = rows;
    for (Want& w : turn->second)
      while (w.left > 0 && deficit > 0 && !full) {
        full = !fits(w);
        if (full) break;
        work += row_work_.at(w.next++);
        ++w.given;
        --w.left;
        --deficit;
        ++rows;
      }
    const bool any = rows > before;
    if (full && !any) {  // the turn is still its own
      deficit -= kQuantum;
      break;
    }
    idle = any ? 0 : idle + 1;
    if (!any) deficit = 0;
    served_last_ = turn->first;
    ++turn;
  }
  int64_t scored = std::max<int64_t>(kMostLogits / model_->config().vocab, 1);
  for (auto& [key, list] : wants)
    for (Want& w : list) {
      if (w.request->scores && w.request->reading) {
        w.given = std::min(w.given, scored);
        scored -= w.given;
      }
      if (w.given > 0 && !w.request->over && !w.request->paused && !w.request->answers.empty() && !w.answer->ended)
        add_rows(w.request, *w.answer, w.given, false);
    }
}

void Scheduler::abandon_pass() noexcept {
  for (const Entry& e : entries_)
    if (!e.request->over) EngineAccess::append(*e.answer->session)->put_back();
  drop_entries();
}

// Sessions of requests that ended meanwhile were kept for the pass.
void Scheduler::drop_entries() noexcept {
  for (const Entry& e : entries_)
    if (e.request->over) e.request->answers.clear();
  entries_.clear();
  pass_.clear();
  in_pass_ = false;
}

void Scheduler::finish_pass() {
  Work decode, prompt;
  for (const Entry& e : entries_) {
    Work& work = e.decode ? decode : prompt;
    work.rows += e.work.rows;
    work.units += e.work.units;
  }
  costs_.learn(decode.rows, prompt, pass_seconds_);
  if (decode.rows > 0) decode_rows_ = decode.rows;
  ++stats_.passes;
  stats_.decode_rows += uint64_t(decode.rows);
  stats_.prompt_rows += uint64_t(prompt.rows);
  stats_.pass_seconds += pass_seconds_;
  std::vector<Entry> done;
  done.swap(entries_);
  drop_entries();
  for (Entry& e : done) {
    if (e.request->over) {
      e.request->answers.clear();
      continue;
    }
    try {
      finish_entry(e);
    } catch (...) {
      fail(*e.request, std::current_exception());
    }
  }
}

void Scheduler::finish_entry(Entry& e) {
  RequestState& r = *e.request;
  RunningAnswer& a = *e.answer;
  EngineAccess::Append& append = *EngineAccess::append(*a.session);
  keep_pages(r, a, append.final(), false);  // before the chunked layers drop theirs
  append.keep_no_undo();
  append.end_pass();
  if (r.reading) r.prompt_done = append.final();
  if (append.rows_left() > 0) return;
  EngineAccess::commit(*a.session);
  EngineAccess::impl(*a.generation).appended();
  a.ready = true;
  if (!std::exchange(r.reading, false)) return;
  if (r.needs_whole_prompt()) end_reading(r);
  if (r.options.prompt_only) end_answer(r, a);
}

// What was asked of the prompt itself is there.
void Scheduler::end_reading(RequestState& r) {
  const int64_t bad = r.scores ? r.scores->not_finite() : -1;
  if (bad >= 0) puna::fail(Status::bad_file, "logits are not finite after token %jd; %s", bad, kModelIsToBlame);
  const std::lock_guard lock(r.mutex);
  r.prompt_read = true;
}

// Gives the pages that have become full to the prefix cache. A cache that has no memory for it is no error.
void Scheduler::keep_pages(RequestState& r, RunningAnswer& a, int64_t length, bool with_tail) {
  if (!r.options.cache || options_.cache_bytes == 0) return;
  if (r.options.beams > 0 && !r.reading) return;  // most of what beams read is dropped a moment later
  const auto& impl = EngineAccess::impl(*a.session);
  const int64_t page = model_->config().page_size();
  if (length / page <= a.kept_pages && !with_tail) return;
  try {
    if (r.reading || a.generation->result().tokens.empty())
      cache_.keep(r.root, r.key, length, impl.kv, with_tail);
    else
      cache_.keep(r.root, PrefixKey(impl.held), length, impl.kv, with_tail);
    a.kept_pages = length / page;
  } catch (const std::bad_alloc&) {}
}

void Scheduler::keep_all(RequestState& r, RunningAnswer& a) {
  const EngineAccess::Append* const append = EngineAccess::append(*a.session);
  const bool part_read = append && !append->drafts();
  keep_pages(r, a, part_read ? append->final() : EngineAccess::impl(*a.session).complete, true);
}

bool Scheduler::make_room_to_fork(RequestState& r) {
  if (!is_out_of_memory(std::current_exception())) throw;
  if (relieve(uint64_t(model_->config().vocab) * 8, &r)) return true;
  if (!others_run(r)) throw;
  pause(r);
  return false;
}

// The prompt is read: the other answers go on from the same pages. False: paused, for memory.
bool Scheduler::fork_answers(RequestState& r) {
  while (int32_t(r.answers.size()) < r.width()) {
    RunningAnswer a;
    a.index = int32_t(r.answers.size());
    try {
      a.session = r.answers[0].session->fork();
      begin_generation(r, a, PromptView());
    } catch (...) {
      if (!make_room_to_fork(r)) return false;
      continue;
    }
    a.kept_pages = r.answers[0].kept_pages;
    a.ready = true;
    r.answers.push_back(std::move(a));  // the capacity is reserved: entries of a pass point to answers
  }
  return true;
}

// Draws, masks and guesses of all answers whose logits are there, side by side; then their events, one after the other.
void Scheduler::draw_ready() {
  struct Draw {
    RequestStatePtr request;
    RunningAnswer* answer;
  };
  while (true) {
    std::vector<Draw> draws;
    const std::vector<RequestStatePtr> running = running_;  // a pause changes the list
    for (const RequestStatePtr& r : running) {
      if (r->over || r->paused || r->reading || r->full.load(std::memory_order_acquire)) continue;
      try {
        if (r->options.beams > 0) {
          expand_beams(*r);
          continue;
        }
        if (!fork_answers(*r)) continue;
      } catch (...) {
        fail(*r, std::current_exception());
        continue;
      }
      for (RunningAnswer& a : r->answers)
        if (a.ready && !a.ended) draws.push_back({r, &a});
    }
    std::erase_if(draws, [](const Draw& d) { return d.request->paused || d.request->over; });
    if (draws.empty()) {
      sweep_running();
      break;
    }
    model_->context().executor().run(int64_t(draws.size()), [&](int64_t i) {
      const FpEnv fp_env;
      RunningAnswer& a = *draws[size_t(i)].answer;
      try {
        EngineAccess::GenerationImpl& g = EngineAccess::impl(*a.generation);
        g.draw();
        a.drawn = true;
        a.ready = false;
        if (!g.ended) prepare(a);
      } catch (...) {
        a.error = std::current_exception();
      }
    });
    for (const Draw& d : draws) {
      RequestState& r = *d.request;
      RunningAnswer& a = *d.answer;
      if (r.over) continue;
      try {
        if (a.drawn) report(r, a);
        if (a.error && !r.over) fail(r, a.error);
      } catch (...) {
        fail(r, std::current_exception());
      }
    }
    sweep_running();
    if (signal_->attention.load(std::memory_order_relaxed)) end_cancelled();
  }
}

}  // namespace puna
