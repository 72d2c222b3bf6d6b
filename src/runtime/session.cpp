// session.cpp -- appending tokens: cut into passes, run each to its end, commit; on any failure every session is put back.
#include "puna/runtime/session.h"

#include <algorithm>
#include <cstring>

#include "base/fp_env.h"
#include "ops/inference.h"
#include "puna/base/error.h"

namespace puna {

struct Session::Impl {
  KvCache kv;
  std::vector<int32_t> tokens;
  int64_t complete = 0;          // positions whose keys and values are all there; below tokens.size() after a rewind into a dropped chunk
  Buffer logits, next_logits;    // of the last position; swapped when an append succeeds
  bool has_logits = false;
  Buffer scratch;

  explicit Impl(KvCache cache) : kv(std::move(cache)) {}
};

namespace {

constexpr int64_t kMaxPrefillChunk = 1 << 16;

// What one session has to do in an append: feed positions [done, ids.size()).
struct Feed {
  std::vector<int32_t> ids;   // committed tokens and the new ones
  int64_t first_new = 0;
  int64_t done = 0;           // fed so far
};

}  // namespace

Session::Session(ModelPtr model, const SessionOptions& options) : model_(std::move(model)), options_(options) {
  PUNA_REQUIRE(model_ != nullptr, "model is NULL");
  const int64_t limit = model_->config().max_positions;
  PUNA_REQUIRE(options_.max_positions >= 0 && options_.max_positions <= limit, "max_positions is %lld, expected 0 to the model's %lld",
               static_cast<long long>(options_.max_positions), static_cast<long long>(limit));
  PUNA_REQUIRE(options_.prefill_chunk >= 1 && options_.prefill_chunk <= kMaxPrefillChunk, "prefill_chunk is %lld, expected 1 to %lld",
               static_cast<long long>(options_.prefill_chunk), static_cast<long long>(kMaxPrefillChunk));
  if (options_.max_positions == 0) options_.max_positions = limit;
  const Context& context = model_->context();
  impl_ = std::make_unique<Impl>(KvCache(model_->config(), context.allocator(), /*f16=*/!options_.exact));
  impl_->logits = context.allocate(size_t(model_->config().vocab) * 4, "logits");
  impl_->next_logits = context.allocate(size_t(model_->config().vocab) * 4, "logits");
}

Session::~Session() = default;

int64_t Session::length() const noexcept { return int64_t(impl_->tokens.size()); }
std::span<const int32_t> Session::tokens() const noexcept { return impl_->tokens; }
uint64_t Session::kv_bytes() const noexcept { return impl_->kv.bytes(); }

std::span<const float> Session::logits() const {
  if (!impl_->has_logits) fail(Status::wrong_state, "there are no logits: append tokens first");
  return {reinterpret_cast<const float*>(impl_->logits.data()), size_t(model_->config().vocab)};
}

void Session::append(std::span<const int32_t> tokens) {
  Session* self = this;
  append_all({&self, 1}, {&tokens, 1}, nullptr);
}

void Session::append(std::span<const int32_t> tokens, float* out) {
  PUNA_REQUIRE(out != nullptr, "out is NULL");
  Session* self = this;
  append_all({&self, 1}, {&tokens, 1}, out);
}

void Session::append_batch(std::span<Session* const> sessions, std::span<const std::span<const int32_t>> tokens) {
  PUNA_REQUIRE(sessions.size() == tokens.size(), "%zu sessions, but %zu token lists", sessions.size(), tokens.size());
  for (size_t i = 0; i < sessions.size(); ++i) {
    PUNA_REQUIRE(sessions[i] != nullptr, "session %zu is NULL", i);
    PUNA_REQUIRE(sessions[i]->model_ == sessions[0]->model_, "session %zu belongs to another model than session 0", i);
    PUNA_REQUIRE(sessions[i]->options_.exact == sessions[0]->options_.exact, "session %zu has another mode than session 0", i);
    PUNA_REQUIRE(std::find(sessions.begin(), sessions.begin() + std::ptrdiff_t(i), sessions[i]) == sessions.begin() + std::ptrdiff_t(i),
                 "session %zu is in the batch twice", i);
  }
  if (!sessions.empty()) append_all(sessions, tokens, nullptr);
}

// `out` (one session only): logits of every new position.
void Session::append_all(std::span<Session* const> sessions, std::span<const std::span<const int32_t>> tokens, float* out) {
  const FpEnv fp;
  const Model& model = *sessions[0]->model_;
  const Context& context = model.context();
  const LlamaConfig& config = model.config();
  context.require_same_process();

  std::vector<Feed> feeds(sessions.size());
  for (size_t i = 0; i < sessions.size(); ++i) {
    const Session& s = *sessions[i];
    PUNA_REQUIRE(!tokens[i].empty(), "no tokens to append");
    for (size_t n = 0; n < tokens[i].size(); ++n)
      PUNA_REQUIRE(tokens[i][n] >= 0 && tokens[i][n] < config.vocab, "token %zu is %d, expected 0 to %lld", n, tokens[i][n],
                   static_cast<long long>(config.vocab - 1));
    const int64_t total = s.length() + int64_t(tokens[i].size());
    if (total > s.max_positions())
      fail(Status::context_full, "%zu tokens do not fit: the session holds %lld of %lld positions", tokens[i].size(),
           static_cast<long long>(s.length()), static_cast<long long>(s.max_positions()));
    feeds[i].ids = s.impl_->tokens;
    feeds[i].ids.insert(feeds[i].ids.end(), tokens[i].begin(), tokens[i].end());
    feeds[i].first_new = s.length();
    feeds[i].done = s.impl_->complete;
  }

  // One pass: up to prefill_chunk rows, taken from the sessions in order. Returns false when nothing is left to feed.
  const auto run_pass = [&] {
    Batch batch;
    std::vector<float*> targets;  // where each wanted row's logits go
    for (Session* s : sessions) batch.sequences.push_back(&s->impl_->kv);
    for (size_t i = 0; i < sessions.size(); ++i) {
      Feed& f = feeds[i];
      const int64_t room = sessions[0]->options_.prefill_chunk - int64_t(batch.rows.size());
      const int64_t end = std::min(f.done + room, int64_t(f.ids.size()));
      if (end == f.done) continue;
      sessions[i]->impl_->kv.prepare(f.done, end);
      for (int64_t p = f.done; p < end; ++p) {
        const bool last = p + 1 == int64_t(f.ids.size());
        if (last || (out && p >= f.first_new)) {
          batch.wanted.push_back(int64_t(batch.rows.size()));
          targets.push_back(last ? reinterpret_cast<float*>(sessions[i]->impl_->next_logits.data()) : out + (p - f.first_new) * config.vocab);
        }
        batch.rows.push_back({int32_t(i), p, f.ids[size_t(p)], nullptr});
      }
      f.done = end;
    }
    if (batch.rows.empty()) return false;

    const int64_t W = int64_t(batch.wanted.size());
    const auto forward = [&](Arena& arena, Cursor& cursor, FunctionRef<bool()> stop) {
      Inference rec(context.kernels(), context.executor(), arena, cursor, sessions[0]->options_.exact, stop);
      const View logits = rec.make(W, config.vocab);
      model.llama().forward(rec, batch, logits);
      rec.stage(W, [&](int64_t i) { memcpy(targets[size_t(i)], logits.row(i), size_t(config.vocab) * 4); });
      return rec.finished();
    };
    Arena measure;
    Cursor nowhere;
    forward(measure, nowhere, {});
    Buffer& scratch = sessions[0]->impl_->scratch;
    if (scratch.size() < measure.peak()) {
      scratch = Buffer();  // the old block first: the two need not be held at once
      scratch = context.allocate(measure.peak(), "scratch of a pass");
    }
    const auto cancelled = [&] {
      return std::any_of(sessions.begin(), sessions.end(), [](Session* s) { return s->cancelled_.load(std::memory_order_relaxed); });
    };
    Arena arena(scratch.data(), scratch.size());
    Cursor cursor;
    if (!forward(arena, cursor, cancelled)) fail(Status::cancelled, "cancelled after %lld of %zu tokens", static_cast<long long>(feeds[0].done), feeds[0].ids.size());
    for (size_t i = 0; i < sessions.size(); ++i) sessions[i]->impl_->kv.commit(feeds[i].done);
    return true;
  };

  try {
    while (run_pass()) {}
  } catch (...) {
    for (size_t i = 0; i < sessions.size(); ++i) {
      Impl& impl = *sessions[i]->impl_;
      impl.complete = impl.kv.rewind(std::min(impl.complete, feeds[i].first_new));
      sessions[i]->cancelled_.store(false, std::memory_order_relaxed);
    }
    throw;
  }
  for (size_t i = 0; i < sessions.size(); ++i) {
    Impl& impl = *sessions[i]->impl_;
    if (out) memcpy(out + (int64_t(tokens[i].size()) - 1) * config.vocab, impl.next_logits.data(), impl.next_logits.size());
    impl.tokens.swap(feeds[i].ids);
    impl.complete = int64_t(impl.tokens.size());
    impl.logits.swap(impl.next_logits);
    impl.has_logits = true;
  }
}

void Session::truncate(int64_t length) {
  PUNA_REQUIRE(length >= 0 && length <= this->length(), "length is %lld, expected 0 to %lld", static_cast<long long>(length),
               static_cast<long long>(this->length()));
  if (length == this->length()) return;
  impl_->tokens.resize(size_t(length));
  impl_->complete = impl_->kv.rewind(std::min(length, impl_->complete));
  impl_->has_logits = false;
}

std::unique_ptr<Session> Session::fork() const {
  auto copy = std::make_unique<Session>(model_, options_);
  copy->impl_->kv = impl_->kv;
  copy->impl_->tokens = impl_->tokens;
  copy->impl_->complete = impl_->complete;
  copy->impl_->has_logits = impl_->has_logits;
  memcpy(copy->impl_->logits.data(), impl_->logits.data(), impl_->logits.size());
  return copy;
}

}  // namespace puna
