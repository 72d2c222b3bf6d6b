// append.cpp -- appending tokens: cut into passes, run each to its end or to a pause, commit; on any failure every
// session is restored.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

#include "base/fp_env.h"
#include "kernels/kernel_table.h"
#include "ops/attention.h"
#include "puna/base/error.h"
#include "runtime/session/session_impl.h"

namespace puna {
namespace {

void to_unit_length(std::span<float> v) {
  double sum = 0;
  for (const float x : v) sum += double(x) * x;
  const double scale = sum > 0 ? 1 / std::sqrt(sum) : 0;
  for (float& x : v) x = float(x * scale);
}

// The first `kept` positions in memory that `added` fits behind, if it doesn't fit behind them where they are. Twice
// what is needed: a conversation that grows by one token at a time is rarely copied.
std::optional<Prompt> with_capacity(const Prompt& held, int64_t kept, const Prompt& added) {
  const size_t tokens = size_t(kept) + added.tokens.size(), patches = held.patches.size() + added.patches.size();
  if (tokens <= held.tokens.capacity() && patches <= held.patches.capacity()) return {};
  Prompt larger;
  larger.tokens.reserve(2 * tokens);
  larger.patches.reserve(2 * patches);
  larger.append(held);
  larger.truncate(kept);
  return larger;
}

}  // namespace

void Session::require_prompt(const PromptView& prompt) const {
  const Model& model = *model_;
  const int64_t vocab = model.config().vocab, size = int64_t(prompt.tokens.size());
  for (int64_t n = 0; n < size; ++n)
    PUNA_REQUIRE(prompt.tokens[size_t(n)] >= 0 && prompt.tokens[size_t(n)] < vocab,
                 "token %jd is %d, expected 0 to %jd", n, prompt.tokens[size_t(n)], vocab - 1);
  int64_t end = 0;
  for (const Patches& p : prompt.patches) {
    PUNA_REQUIRE(p.image != nullptr && &p.image->model() == &model, "an image of the prompt belongs to another model");
    PUNA_REQUIRE(p.position >= end && p.count > 0 && p.count <= size - p.position,
                 "patches at position %jd do not fit the tokens", p.position);
    PUNA_REQUIRE(p.row >= 0 && p.count <= p.image->features() - p.row,
                 "patches at position %jd ask for rows that their image does not have", p.position);
    end = p.position + p.count;
  }
}

void Session::require_capacity(int64_t kept, size_t tokens) const {
  if (kept + int64_t(tokens) > max_positions())
    fail(Status::context_full, "%zu tokens do not fit: the session holds %jd of %jd positions", tokens, kept,
         max_positions());
}

Session::Append::Append(std::span<Session* const> sessions, std::span<const PromptView> prompts,
                        const AppendRequest& request)
    : sessions_(sessions.begin(), sessions.end()), feeds_(sessions.size()), request_(request) {
  const AppendOptions& options = request.options;
  const Context& context = sessions[0]->model().context();
  const LlamaConfig& config = sessions[0]->model().config();
  context.require_same_process();
  for (size_t i = 0; i < sessions.size(); ++i) {
    const Session& s = *sessions[i];
    s.require_idle();
    s.require_prompt(prompts[i]);
    const int64_t kept = options.kept < 0 ? s.length() : options.kept;
    const bool pending = s.pending() && kept == s.length();
    PUNA_REQUIRE(!prompts[i].tokens.empty() || pending, "no tokens to append");
    PUNA_REQUIRE(kept <= s.length(), "%jd positions are to be kept, the session holds %jd", kept, s.length());
    s.require_capacity(kept, prompts[i].tokens.size());
    Feed& feed = feeds_[i];
    feed.added.append(prompts[i]);
    feed.first_new = kept;
    if (!request.ahead) feed.larger = with_capacity(s.impl_->held, kept, feed.added);
    feed.fresh = request.ahead ? 1 : int64_t(prompts[i].tokens.size()) + pending;
    feed.done = s.impl_->complete;
    for (const Patches& p : prompts[i].patches)
      if (!p.image->encoded()) encodings_.emplace_back(p.image);
  }
  const size_t rows = size_t(feeds_[0].size() - feeds_[0].first_new), vocab = size_t(config.vocab),
               hidden = size_t(config.hidden);
  if (request.ahead) {
    rows_.swap(sessions[0]->impl_->ahead_rows);
    if (const size_t bytes = rows * vocab * sizeof(float); rows_.size() < bytes) {
      rows_ = Buffer();
      rows_ = context.allocate(bytes, "logits of drafted tokens");
    }
  }
  if (!options.logits.empty()) {
    PUNA_REQUIRE(options.logits.size() / vocab >= rows, "there is room for %zu logits, %zu x %zu are needed",
                 options.logits.size(), rows, vocab);
    if (!request.in_place && rows > 1)  // the last one's are the session's own
      rows_ = context.allocate((rows - 1) * vocab * sizeof(float), "logits of every token");
  }
  if (!options.embeddings.empty()) {
    const size_t vectors = options.pooling == Pooling::none ? rows : 1;
    PUNA_REQUIRE(rows > 0, "no tokens to embed");
    PUNA_REQUIRE(options.embeddings.size() / hidden >= vectors,
                 "there is room for %zu floats of embeddings, %zu x %zu are needed", options.embeddings.size(), vectors,
                 hidden);
    hidden_ = context.allocate(rows * hidden * sizeof(float), "hidden states");
    if (options.pooling == Pooling::mean) sums_.resize(hidden);
  }
}

float* Session::Append::logits_row(int64_t row) noexcept {
  float* const all = rows_.size() != 0 ? reinterpret_cast<float*>(rows_.data()) : request_.options.logits.data();
  return all + row * sessions_[0]->model().config().vocab;
}

float* Session::Append::target(size_t session, int64_t position) noexcept {
  const Feed& f = feeds_[session];
  const int64_t row = position - f.first_new;
  const bool last = position + 1 == (request_.ahead ? f.first_new : f.size());
  if (last) return reinterpret_cast<float*>(sessions_[session]->impl_->next_logits.data());
  return row >= 0 && (request_.ahead || !request_.options.logits.empty()) ? logits_row(row) : nullptr;
}

float* Session::Append::hidden_row(int64_t position) noexcept {
  const int64_t row = position - feeds_[0].first_new;  // below 0: it was held before
  if (!wants_hidden() || row < 0) return nullptr;
  return reinterpret_cast<float*>(hidden_.data()) + row * sessions_[0]->model().config().hidden;
}

int32_t Session::Append::Feed::token(const Prompt& held, int64_t position) const noexcept {
  return position < first_new ? held.tokens[size_t(position)] : added.tokens[size_t(position - first_new)];
}

const float* Session::Append::Feed::embedding(const Prompt& held, int64_t position, int64_t hidden) noexcept {
  const bool is_held = position < first_new;
  const std::vector<Patches>& runs = is_held ? held.patches : added.patches;
  size_t& run = is_held ? held_run : added_run;
  const int64_t at = is_held ? position : position - first_new;
  while (run < runs.size() && runs[run].position + runs[run].count <= at) ++run;
  if (run == runs.size() || runs[run].position > at) return nullptr;
  return runs[run].image->encoded() + (runs[run].row + at - runs[run].position) * hidden;
}

bool Session::Append::encode_images(FunctionRef<bool()> stop) {
  for (; !encodings_.empty(); encodings_.pop_back())
    if (!encodings_.back().run(stop)) return false;
  return true;
}

void Session::Append::open() {
  if (begun_) return;
  for (size_t i = 0; i < sessions_.size(); ++i) {
    Impl& impl = *sessions_[i]->impl_;
    Feed& f = feeds_[i];
    impl.forget_ahead();
    const bool turns = !impl.kv.fits(f.size());  // LongRoPE: to the other frequencies, for all positions
    if (f.first_new == int64_t(impl.held.tokens.size()) && !turns) continue;
    f.before = impl.kv;
    f.done = f.pass = impl.kv.rewind(turns ? 0 : std::min(f.first_new, impl.complete));
    impl.kv.set_length(f.size());
  }
  begun_ = true;
}

void Session::Append::take(size_t i, int64_t most, int32_t sequence, Batch& batch, std::vector<float*>& targets) {
  const int64_t hidden = sessions_[0]->model().config().hidden;
  Feed& f = feeds_[i];
  const int64_t end = std::min(f.done + most, f.size());
  f.pass = f.done;
  const Prompt& held = sessions_[i]->impl_->held;
  for (int64_t p = f.done; p < end; ++p) {
    float* const to = target(i, p);
    if (to || (request_.every_row && p >= f.first_new)) {
      batch.wanted.push_back(int64_t(batch.rows.size()));
      targets.push_back(to);
    }
    batch.rows.push_back({sequence, p, f.token(held, p), f.embedding(held, p, hidden)});
  }
  f.done = end;
}

void Session::Append::prepare() {
  for (size_t i = 0; i < sessions_.size(); ++i)
    if (feeds_[i].pass < feeds_[i].done) sessions_[i]->impl_->kv.prepare(feeds_[i].pass, feeds_[i].done);
}

void Session::Append::put_back() noexcept {
  for (Feed& f : feeds_) {
    f.done = f.pass;
    f.held_run = f.added_run = 0;
  }
}

bool Session::Append::begin_pass() {
  batch_ = {};
  targets_.clear();
  for (Session* s : sessions_) batch_.sequences.push_back(&s->impl_->kv);
  for (size_t i = 0; i < sessions_.size(); ++i)
    take(i, sessions_[0]->options_.prefill_chunk - int64_t(batch_.rows.size()), int32_t(i), batch_, targets_);
  if (batch_.rows.empty()) return false;
  try {
    take_memory();
  } catch (const Error& e) {
    if (e.status() != Status::out_of_memory || !drop_undo_state()) throw;
    take_memory();
  }
  cursor_ = {};
  in_pass_ = true;
  return true;
}

void Session::Append::take_memory() {
  prepare();
  Impl& first = *sessions_[0]->impl_;
  const PassShape now = shape();
  if (std::find(first.planned.begin(), first.planned.end(), now) != first.planned.end()) return;
  Arena measure;
  Cursor nowhere;
  forward(measure, nowhere, {});
  if (first.scratch.size() < measure.peak()) {
    first.planned.clear();
    first.scratch = Buffer();  // the old block first: the two need not be held at once
    first.scratch = sessions_[0]->model().context().allocate(measure.peak(), "scratch of a pass");
  }
  if (first.planned.size() == first.planned.capacity()) first.planned.clear();
  first.planned.push_back(now);
}

PassShape Session::Append::shape() const noexcept {
  const LlamaConfig& config = sessions_[0]->model().config();
  int64_t dropping = 0;  // a layer that does not see everything, if there is one: all such are of one kind
  while (dropping < config.layers && !config.chunked(dropping) && !config.sliding(dropping)) ++dropping;
  const int64_t page = config.page_size();
  PassShape s{.rows = int64_t(batch_.rows.size()), .wanted = int64_t(batch_.wanted.size()), .hidden = wants_hidden()};
  for (const BatchRow& row : batch_.rows) {
    const int64_t end = row.position + 1;
    s.spans = std::max(s.spans, attend_spans(0, end));
    if (dropping == config.layers) continue;
    const int64_t first = config.first_seen(dropping, row.position) / page * page;
    s.chunk_spans = std::max(s.chunk_spans, attend_spans(first, end));
  }
  return s;
}

bool Session::Append::drop_undo_state() noexcept {
  bool any = false;
  for (size_t i = 0; i < sessions_.size(); ++i) {
    any = sessions_[i]->impl_->kv.settle() || feeds_[i].before || any;
    feeds_[i].before.reset();
  }
  undo_dropped_ = undo_dropped_ || any;
  return any;
}

bool Session::Append::forward(Arena& arena, Cursor& cursor, FunctionRef<bool()> stop) {
  const Model& model = sessions_[0]->model();
  const LlamaConfig& config = model.config();
  const KernelTable& kernels = model.context().kernels();
  const int64_t W = int64_t(batch_.wanted.size()), R = int64_t(batch_.rows.size());
  Inference rec(kernels, model.context().executor(), arena, cursor, sessions_[0]->options_.exact, stop);
  if (!sessions_[0]->options_.exact) rec.allow(model.context().permission());
  if (const AdapterPtr& adapter = sessions_[0]->options_.adapter) rec.use(&adapter->loras());
  const View logits = rec.make(W, config.vocab);
  const View hidden = wants_hidden() ? rec.make(R, config.hidden) : View();
  ForwardTaps taps;
  taps.last_hidden = hidden.f32();
  puna::forward(rec, model.llama(), batch_, logits, wants_hidden() ? &taps : nullptr);
  rec.stage(W, [&](int64_t i) { memcpy(targets_[size_t(i)], logits.row(i), size_t(config.vocab) * 4); });
  if (wants_hidden())
    rec.stage(R, [&](int64_t i) {
      if (float* const to = hidden_row(batch_.rows[size_t(i)].position))
        kernels.rms_norm(to, hidden.row(i), model.llama().weights.final_norm, config.hidden, config.norm_eps);
    });
  return rec.finished();
}

bool Session::Append::compute(FunctionRef<bool()> stop) {
  Buffer& scratch = sessions_[0]->impl_->scratch;
  Arena arena(scratch.data(), scratch.size());
  return forward(arena, cursor_, stop);
}

void Session::Append::end_pass() {
  for (size_t i = 0; i < sessions_.size(); ++i) {
    Impl& impl = *sessions_[i]->impl_;
    // What the append replaces is set aside already, and after a failure all of it returns.
    const bool replaces = feeds_[i].first_new < int64_t(impl.held.tokens.size());
    const int64_t final = request_.ahead ? feeds_[i].first_new : feeds_[i].done;
    const int64_t ahead = request_.ahead ? 0 : feeds_[i].size() - final;
    impl.kv.commit(final, undo_dropped_ || replaces ? 0 : impl.complete, ahead);
  }
  in_pass_ = false;
}

bool Session::Append::run(FunctionRef<bool()> pause) {
  const FpEnv fp;
  const struct AllRunning {
    std::span<Session* const> sessions;
    explicit AllRunning(std::span<Session* const> all) noexcept : sessions(all) { set(true); }
    ~AllRunning() { set(false); }
    void set(bool on) const noexcept {
      for (Session* s : sessions) s->impl_->running = on;
    }
  } running{sessions_};
  struct Stopwatch {
    double& seconds;
    std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
    ~Stopwatch() { seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); }
  };
  const auto stop = [&] { return cancelled() || (pause && pause()); };
  try {
    const Stopwatch time{seconds_};
    if (!encode_images(stop)) {
      if (cancelled()) fail(Status::cancelled, "cancelled while an image was encoded");
      return false;
    }
    const auto require_wanted = [&] {
      if (cancelled()) fail(Status::cancelled, "cancelled: none of the tokens was appended");
    };
    open();
    while (in_pass_ || begin_pass()) {
      if (!compute(stop)) {
        require_wanted();
        return false;
      }
      end_pass();
    }
    require_wanted();  // the last tile's cancel is this call's, not the next one's
  } catch (...) {
    roll_back();
    throw;
  }
  commit();
  return true;
}

void Session::Append::roll_back() noexcept {
  for (size_t i = 0; i < sessions_.size(); ++i) {
    Impl& impl = *sessions_[i]->impl_;
    Feed& f = feeds_[i];
    const int64_t held = int64_t(impl.held.tokens.size());
    if (f.before) {
      impl.kv = std::move(*f.before);
      f.before.reset();
    } else if (begun_) {
      // Pages that were only prepared when what was replaced had to go hold nothing.
      const int64_t there = f.first_new < held ? f.pass : impl.complete;
      impl.complete = impl.kv.rewind(std::min(there, f.first_new));
    }
    if (undo_dropped_ && f.first_new < held) {  // the replaced tokens are gone
      impl.held.truncate(f.first_new);
      impl.has_logits = impl.pending = false;
      ++impl.changes;
    }
    (f.fresh > 1 ? impl.timings.prompt_seconds : impl.timings.decode_seconds) += seconds_;
    sessions_[i]->cancelled_.store(false, std::memory_order_relaxed);
  }
}

void Session::Append::detach() noexcept {
  for (Session* s : sessions_) s->impl_->append.reset();
}

void Session::Append::commit() {
  const size_t vocab = size_t(sessions_[0]->model().config().vocab);
  for (size_t i = 0; i < sessions_.size(); ++i) {
    Impl& impl = *sessions_[i]->impl_;
    const int64_t added = feeds_[i].size() - feeds_[i].first_new, fresh = feeds_[i].fresh;
    float* const logits = request_.options.logits.data();
    if (logits && rows_.size() != 0) memcpy(logits, rows_.data(), rows_.size());
    if (logits && added > 0)
      memcpy(logits + size_t(added - 1) * vocab, impl.next_logits.data(), impl.next_logits.size());
    if (wants_hidden()) pool();
    if (request_.ahead) {
      impl.ahead = Ahead{std::move(feeds_[i].added.tokens), std::move(rows_)};
    } else {
      if (feeds_[i].larger)
        std::swap(impl.held, *feeds_[i].larger);
      else
        impl.held.truncate(feeds_[i].first_new);
      impl.held.append(feeds_[i].added);  // the capacity is reserved
    }
    impl.complete = int64_t(impl.held.tokens.size());
    impl.kv.settle();
    feeds_[i].before.reset();
    ++impl.changes;
    impl.logits.swap(impl.next_logits);
    impl.has_logits = true;
    impl.pending = false;
    (fresh > 1 ? impl.timings.prompt_tokens : impl.timings.decoded_tokens) += fresh;
    (fresh > 1 ? impl.timings.prompt_seconds : impl.timings.decode_seconds) += seconds_;
  }
}

void Session::Append::pool() noexcept {
  const AppendOptions& options = request_.options;
  const float* const hidden = reinterpret_cast<const float*>(hidden_.data());
  const size_t D = size_t(sessions_[0]->model().config().hidden), T = size_t(feeds_[0].size() - feeds_[0].first_new);
  const size_t vectors = options.pooling == Pooling::none ? T : 1;
  float* const out = options.embeddings.data();
  if (options.pooling == Pooling::mean) {
    for (size_t t = 0; t < T; ++t)
      for (size_t d = 0; d < D; ++d) sums_[d] += double(hidden[t * D + d]);
    for (size_t d = 0; d < D; ++d) out[d] = float(sums_[d] / double(T));
  } else {
    memcpy(out, hidden + (T - vectors) * D, vectors * D * sizeof(float));
  }
  for (size_t v = 0; options.normalise && v < vectors; ++v) to_unit_length({out + v * D, D});
}

bool Session::Append::cancelled() const noexcept {
  return std::any_of(sessions_.begin(), sessions_.end(),
                     [](const Session* s) { return s->cancelled_.load(std::memory_order_relaxed); });
}

}  // namespace puna
