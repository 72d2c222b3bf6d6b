// session.cpp -- a conversation's state: appending to it whole or in steps, rewinding, forking. append.cpp does the work.
#include <algorithm>
#include <cstring>

#include "base/fp_env.h"
#include "puna/base/error.h"
#include "runtime/session_impl.h"

namespace puna {

void require_prefill_chunk(int64_t rows) {
  constexpr int64_t kMost = 1 << 16;
  PUNA_REQUIRE(rows >= 1 && rows <= kMost, "prefill_chunk is %lld, expected 1 to %lld", static_cast<long long>(rows), static_cast<long long>(kMost));
}

Session::Session(ModelPtr model, const SessionOptions& options) : model_(std::move(model)), options_(options) {
  PUNA_REQUIRE(model_ != nullptr, "model is NULL");
  const int64_t limit = model_->config().max_positions;
  PUNA_REQUIRE(options_.max_positions >= 0 && options_.max_positions <= limit, "max_positions is %lld, expected 0 to the model's %lld",
               static_cast<long long>(options_.max_positions), static_cast<long long>(limit));
  require_prefill_chunk(options_.prefill_chunk);
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
const SessionTimings& Session::timings() const noexcept { return impl_->timings; }
bool Session::under_way() const noexcept { return impl_->append != nullptr; }

std::span<const float> Session::logits() const {
  if (!impl_->has_logits) fail(Status::wrong_state, "there are no logits: append tokens first");
  return {reinterpret_cast<const float*>(impl_->logits.data()), size_t(model_->config().vocab)};
}

void Session::require_idle() const {
  if (impl_->append) fail(Status::wrong_state, "an append is under way: step it to its end, or drop it with truncate or cancel");
}

void Session::append(std::span<const int32_t> tokens) {
  Session* self = this;
  Append({&self, 1}, {&tokens, 1}, {}).run({});
}

void Session::append(std::span<const int32_t> tokens, float* out) {
  PUNA_REQUIRE(out != nullptr, "out is NULL");
  Session* self = this;
  Append({&self, 1}, {&tokens, 1}, {.logits = out}).run({});
}

void Session::append_hidden(std::span<const int32_t> tokens, float* out) {
  PUNA_REQUIRE(out != nullptr, "out is NULL");
  Session* self = this;
  Append({&self, 1}, {&tokens, 1}, {.hidden = out}).run({});
}

void Session::append_batch(std::span<Session* const> sessions, std::span<const std::span<const int32_t>> tokens) {
  PUNA_REQUIRE(sessions.size() == tokens.size(), "%zu sessions, but %zu token lists", sessions.size(), tokens.size());
  for (size_t i = 0; i < sessions.size(); ++i) {
    PUNA_REQUIRE(sessions[i] != nullptr, "session %zu is NULL", i);
    PUNA_REQUIRE(sessions[i]->model_ == sessions[0]->model_, "session %zu belongs to another model than session 0", i);
    PUNA_REQUIRE(sessions[i]->options_.exact == sessions[0]->options_.exact, "session %zu has another mode than session 0", i);
    PUNA_REQUIRE(sessions[i]->options_.adapter == sessions[0]->options_.adapter, "session %zu has another adapter than session 0", i);
    PUNA_REQUIRE(std::find(sessions.begin(), sessions.begin() + std::ptrdiff_t(i), sessions[i]) == sessions.begin() + std::ptrdiff_t(i),
                 "session %zu is in the batch twice", i);
  }
  if (!sessions.empty()) Append(sessions, tokens, {}).run({});
}

void Session::begin(std::span<const int32_t> tokens) {
  Session* self = this;
  impl_->append = std::make_unique<Append>(std::span<Session* const>{&self, 1}, std::span<const std::span<const int32_t>>{&tokens, 1}, Append::Rows());
}

bool Session::step(FunctionRef<bool()> pause) {
  if (!impl_->append) fail(Status::wrong_state, "there is nothing to step: begin an append first");
  model_->context().require_same_process();
  try {
    if (!impl_->append->run(pause)) return false;
  } catch (...) {
    impl_->append.reset();
    throw;
  }
  impl_->append.reset();
  return true;
}

void Session::use(AdapterPtr adapter) {
  require_idle();
  if (length() != 0) fail(Status::wrong_state, "the session holds %lld tokens; an adapter is changed while it is empty", static_cast<long long>(length()));
  options_.adapter = std::move(adapter);
}

void Session::truncate(int64_t length) {
  PUNA_REQUIRE(length >= 0 && length <= this->length(), "length is %lld, expected 0 to %lld", static_cast<long long>(length),
               static_cast<long long>(this->length()));
  if (impl_->append) {
    impl_->append->roll_back();
    impl_->append.reset();
  }
  if (length == this->length()) return;
  impl_->tokens.resize(size_t(length));
  impl_->complete = impl_->kv.rewind(std::min(length, impl_->complete));
  impl_->has_logits = false;
}

std::unique_ptr<Session> Session::fork() const {
  require_idle();
  auto copy = std::make_unique<Session>(model_, options_);
  copy->impl_->kv = impl_->kv;
  copy->impl_->tokens = impl_->tokens;
  copy->impl_->complete = impl_->complete;
  copy->impl_->has_logits = impl_->has_logits;
  memcpy(copy->impl_->logits.data(), impl_->logits.data(), impl_->logits.size());
  return copy;
}

}  // namespace puna
