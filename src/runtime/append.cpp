// append.cpp -- appending tokens: cut into passes, run each to its end or to a pause, commit; on any failure every session is put back.
#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/fp_env.h"
#include "kernels/kernel_table.h"
#include "puna/base/error.h"
#include "runtime/session_impl.h"

namespace puna {
namespace {

void require_prompt(const Model& model, const PromptView& prompt) {
  const int64_t vocab = model.config().vocab, size = int64_t(prompt.tokens.size());
  PUNA_REQUIRE(size > 0, "no tokens to append");
  for (int64_t n = 0; n < size; ++n)
    PUNA_REQUIRE(prompt.tokens[size_t(n)] >= 0 && prompt.tokens[size_t(n)] < vocab, "token %lld is %d, expected 0 to %lld", static_cast<long long>(n),
                 prompt.tokens[size_t(n)], static_cast<long long>(vocab - 1));
  int64_t end = 0;
  for (const Patches& p : prompt.patches) {
    PUNA_REQUIRE(p.image != nullptr && &p.image->model() == &model, "an image of the prompt belongs to another model");
    PUNA_REQUIRE(p.position >= end && p.count > 0 && p.count <= size - p.position, "patches at position %lld do not fit the tokens",
                 static_cast<long long>(p.position));
    PUNA_REQUIRE(p.row >= 0 && p.count <= p.image->features() - p.row, "patches at position %lld ask for rows that their image does not have",
                 static_cast<long long>(p.position));
    end = p.position + p.count;
  }
}

}  // namespace

Session::Append::Append(std::span<Session* const> sessions, std::span<const PromptView> prompts, const Rows& rows)
    : sessions_(sessions.begin(), sessions.end()), feeds_(sessions.size()), rows_(rows) {
  sessions[0]->model().context().require_same_process();
  for (size_t i = 0; i < sessions.size(); ++i) {
    const Session& s = *sessions[i];
    s.require_idle();
    const std::span<const int32_t> tokens = prompts[i].tokens;
    require_prompt(s.model(), prompts[i]);
    const int64_t total = s.length() + int64_t(tokens.size());
    if (total > s.max_positions())
      fail(Status::context_full, "%zu tokens do not fit: the session holds %lld of %lld positions", tokens.size(),
           static_cast<long long>(s.length()), static_cast<long long>(s.max_positions()));
    Feed& feed = feeds_[i];
    feed.all = s.impl_->held;
    feed.all.append(prompts[i]);
    feed.first_new = s.length();
    feed.done = s.impl_->complete;
    for (const Patches& p : prompts[i].patches)
      if (!p.image->encoded()) encodings_.emplace_back(p.image);
  }
}

const float* Session::Append::Feed::embedding(int64_t position, int64_t hidden) noexcept {
  const std::vector<Patches>& runs = all.patches;
  while (run < runs.size() && runs[run].position + runs[run].count <= position) ++run;
  if (run == runs.size() || runs[run].position > position) return nullptr;
  return runs[run].image->encoded() + (runs[run].row + position - runs[run].position) * hidden;
}

bool Session::Append::encode_images(FunctionRef<bool()> stop) {
  for (; !encodings_.empty(); encodings_.pop_back())
    if (!encodings_.back().run(stop)) return false;
  return true;
}

bool Session::Append::begin_pass() {
  const int64_t vocab = sessions_[0]->model().config().vocab, hidden = sessions_[0]->model().config().hidden;
  batch_ = {};
  targets_.clear();
  for (Session* s : sessions_) batch_.sequences.push_back(&s->impl_->kv);
  for (size_t i = 0; i < sessions_.size(); ++i) {
    Feed& f = feeds_[i];
    const int64_t room = sessions_[0]->options_.prefill_chunk - int64_t(batch_.rows.size());
    const int64_t end = std::min(f.done + room, f.size());
    if (end == f.done) continue;
    sessions_[i]->impl_->kv.prepare(f.done, end);
    for (int64_t p = f.done; p < end; ++p) {
      const bool last = p + 1 == f.size();
      if (last || (rows_.logits && p >= f.first_new)) {
        batch_.wanted.push_back(int64_t(batch_.rows.size()));
        auto* final_logits = reinterpret_cast<float*>(sessions_[i]->impl_->next_logits.data());
        targets_.push_back(last ? final_logits : rows_.logits + (p - f.first_new) * vocab);
      }
      batch_.rows.push_back({int32_t(i), p, f.all.tokens[size_t(p)], f.embedding(p, hidden)});
    }
    f.done = end;
  }
  if (batch_.rows.empty()) return false;

  Arena measure;
  Cursor nowhere;
  forward(measure, nowhere, {});
  Buffer& scratch = sessions_[0]->impl_->scratch;
  if (scratch.size() < measure.peak()) {
    scratch = Buffer();  // the old block first: the two need not be held at once
    scratch = sessions_[0]->model().context().allocate(measure.peak(), "scratch of a pass");
  }
  cursor_ = {};
  in_pass_ = true;
  return true;
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
  const View hidden = rows_.hidden ? rec.make(R, config.hidden) : View();
  ForwardTaps taps;
  taps.last_hidden = hidden.f32();
  model.llama().forward(rec, batch_, logits, rows_.hidden ? &taps : nullptr);
  rec.stage(W, [&](int64_t i) { memcpy(targets_[size_t(i)], logits.row(i), size_t(config.vocab) * 4); });
  if (rows_.hidden) {
    rec.stage(R, [&](int64_t i) {
      const int64_t row = batch_.rows[size_t(i)].position - feeds_[0].first_new;  // below 0: a dropped chunk computed again
      if (row >= 0) kernels.rms_norm(rows_.hidden + row * config.hidden, hidden.row(i), model.llama().weights.final_norm, config.hidden, config.norm_eps);
    });
  }
  return rec.finished();
}

bool Session::Append::compute(FunctionRef<bool()> stop) {
  const Buffer& scratch = sessions_[0]->impl_->scratch;
  Arena arena(scratch.data(), scratch.size());
  return forward(arena, cursor_, stop);
}

void Session::Append::end_pass() {
  for (size_t i = 0; i < sessions_.size(); ++i) sessions_[i]->impl_->kv.commit(feeds_[i].done);
  in_pass_ = false;
}

bool Session::Append::run(FunctionRef<bool()> pause) {
  const FpEnv fp;
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
    while (in_pass_ || begin_pass()) {
      if (!compute(stop)) {
        if (cancelled())
          fail(Status::cancelled, "cancelled after %lld of %zu tokens", static_cast<long long>(feeds_[0].done), size_t(feeds_[0].size()));
        return false;
      }
      end_pass();
    }
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
    impl.complete = impl.kv.rewind(std::min(impl.complete, feeds_[i].first_new));
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
    const int64_t added = feeds_[i].size() - feeds_[i].first_new;
    if (rows_.logits) memcpy(rows_.logits + size_t(added - 1) * vocab, impl.next_logits.data(), impl.next_logits.size());
    std::swap(impl.held, feeds_[i].all);
    impl.complete = int64_t(impl.held.tokens.size());
    impl.logits.swap(impl.next_logits);
    impl.has_logits = true;
    (added > 1 ? impl.timings.prompt_tokens : impl.timings.decoded_tokens) += added;
    (added > 1 ? impl.timings.prompt_seconds : impl.timings.decode_seconds) += seconds_;
  }
}

bool Session::Append::cancelled() const noexcept {
  return std::any_of(sessions_.begin(), sessions_.end(), [](const Session* s) { return s->cancelled_.load(std::memory_order_relaxed); });
}

}  // namespace puna
