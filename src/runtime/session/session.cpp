// session.cpp -- a conversation's state: appending to it whole or in steps, rewinding, forking. append.cpp does the
// work.
#include <algorithm>
#include <cstring>

#include "base/fp_env.h"
#include "puna/base/error.h"
#include "runtime/session/session_impl.h"

namespace puna {

void require_usable(const SessionOptions& o) {
  PUNA_REQUIRE(o.prefill_chunk >= 1 && o.prefill_chunk <= kMostPrefillChunk, "prefill_chunk is %jd, expected 1 to %jd",
               o.prefill_chunk, kMostPrefillChunk);
  PUNA_REQUIRE(o.kv_type == DType::f16 || o.kv_type == DType::q8_0, "kv_type is %s, expected f16 or q8_0",
               info(o.kv_type).name);
  PUNA_REQUIRE(!o.exact || o.kv_type == DType::f16, "an exact session keeps f32: it takes no kv_type");
}

Session::Session(ModelPtr model, const SessionOptions& options) : model_(std::move(model)), options_(options) {
  PUNA_REQUIRE(model_ != nullptr, "model is NULL");
  const int64_t limit = model_->config().max_positions;
  PUNA_REQUIRE(options_.max_positions >= 0 && options_.max_positions <= limit,
               "max_positions is %jd, expected 0 to the model's %jd", options_.max_positions, limit);
  require_usable(options_);
  if (options_.max_positions == 0) options_.max_positions = limit;
  const Context& context = model_->context();
  impl_ = std::make_unique<Impl>(KvCache(model_->config(), context.allocator(), options_.kept()));
  impl_->logits = context.allocate(size_t(model_->config().vocab) * 4, "logits");
  impl_->next_logits = context.allocate(size_t(model_->config().vocab) * 4, "logits");
}

Session::~Session() { drop_append(); }

int64_t Session::length() const noexcept { return int64_t(impl_->held.tokens.size()); }
std::span<const int32_t> Session::tokens() const noexcept { return impl_->held.tokens; }
PromptView Session::held() const noexcept { return impl_->held; }
uint64_t Session::kv_bytes() const noexcept { return impl_->kv.bytes(); }
const SessionTimings& Session::timings() const noexcept { return impl_->timings; }
bool Session::pending() const noexcept { return impl_->pending; }
bool Session::under_way() const noexcept { return impl_->append != nullptr; }

std::span<const float> Session::logits() const {
  if (pending())
    fail(Status::wrong_state,
         "the last token, which was generated, is not computed yet: append to it, or none, and there are logits");
  if (!impl_->has_logits) fail(Status::wrong_state, "there are no logits: append tokens first");
  return {reinterpret_cast<const float*>(impl_->logits.data()), size_t(model_->config().vocab)};
}

void Session::require_not_running() const {
  if (impl_->running)
    fail(Status::wrong_state,
         "a call on this session is running: its callbacks may cancel the session, and nothing else");
}

void Session::require_idle() const {
  require_not_running();
  if (!impl_->append) return;
  if (impl_->append->owner())
    fail(Status::wrong_state,
         "a generation's append is under way: step the generation to its next token, or drop the append by freeing it "
         "or with truncate");
  fail(Status::wrong_state, "an append is under way: step it to its end, or drop it with truncate or cancel");
}

void Session::require_empty() const {
  require_idle();
  if (length() != 0) fail(Status::wrong_state, "the session holds %jd tokens, expected an empty one", length());
}

void Session::append_now(const PromptView& prompt, const AppendRequest& request) {
  Session* self = this;
  Append({&self, 1}, {&prompt, 1}, request).run({});
}

void Session::append(const PromptView& prompt, const AppendOptions& options) {
  append_now(prompt, {.options = options});
}

void Session::require_batch(std::span<Session* const> sessions, size_t prompts) {
  PUNA_REQUIRE(sessions.size() == prompts, "%zu sessions, but %zu token lists", sessions.size(), prompts);
  for (size_t i = 0; i < sessions.size(); ++i) {
    PUNA_REQUIRE(sessions[i] != nullptr, "session %zu is NULL", i);
    PUNA_REQUIRE(sessions[i]->model_ == sessions[0]->model_, "session %zu belongs to another model than session 0", i);
    PUNA_REQUIRE(sessions[i]->options_.kept() == sessions[0]->options_.kept(),
                 "session %zu has another mode than session 0", i);
    PUNA_REQUIRE(sessions[i]->options_.adapter == sessions[0]->options_.adapter,
                 "session %zu has another adapter than session 0", i);
    PUNA_REQUIRE(std::find(sessions.begin(), sessions.begin() + std::ptrdiff_t(i), sessions[i]) ==
                     sessions.begin() + std::ptrdiff_t(i),
                 "session %zu is in the batch twice", i);
  }
}

void Session::append_batch(std::span<Session* const> sessions, std::span<const PromptView> prompts) {
  require_batch(sessions, prompts.size());
  if (!sessions.empty()) Append(sessions, prompts, {}).run({});
}

void Session::begin_batch(std::span<Session* const> sessions, std::span<const PromptView> prompts) {
  require_batch(sessions, prompts.size());
  PUNA_REQUIRE(!sessions.empty(), "a batch of no sessions");
  const auto append = std::make_shared<Append>(sessions, prompts, AppendRequest());
  for (Session* s : sessions) s->impl_->append = append;
}

void Session::begin(const PromptView& prompt, const AppendRequest& request) {
  Session* self = this;
  impl_->append =
      std::make_shared<Append>(std::span<Session* const>{&self, 1}, std::span<const PromptView>{&prompt, 1}, request);
}

void Session::begin(const PromptView& prompt, const AppendOptions& options) {
  begin(prompt, AppendRequest{.options = options});
}

void Session::hold(int32_t token) {
  if (impl_->ahead && !impl_->ahead->holds(token)) impl_->forget_ahead();
  impl_->held.tokens.push_back(token);
  impl_->pending = true;
  ++impl_->changes;
}

int64_t Session::most_ahead() const noexcept {
  if (!impl_->pending) return 0;
  const int64_t rows = length() - impl_->complete;  // that any pass has: the pending token, or more after a rewind
  // Not past the length where LongRoPE turns: what is guessed must not change what is known.
  const LlamaConfig& c = model().config();
  const int64_t turn = !c.long_frequency.empty() && length() <= c.long_from ? c.long_from : max_positions();
  return std::max<int64_t>(0, std::min(turn - length(), options_.prefill_chunk - rows));
}

bool Session::take_ahead() noexcept {
  Impl& s = *impl_;
  if (!s.pending || !s.ahead || !s.ahead->holds(s.held.tokens.back())) return false;
  memcpy(s.logits.data(), s.ahead->logits.data() + s.ahead->passed * s.logits.size(), s.logits.size());
  ++s.ahead->passed;
  s.complete = length();
  s.kv.commit(s.complete);
  s.pending = false;
  s.has_logits = true;
  ++s.timings.decoded_tokens;
  ++s.changes;
  if (s.ahead->passed == s.ahead->tokens.size()) s.end_ahead();
  return true;
}

void Session::Impl::end_ahead() noexcept {
  ahead_rows.swap(ahead->logits);
  ahead.reset();
}

void Session::Impl::forget_ahead() noexcept {
  if (!ahead) return;
  end_ahead();
  complete = kv.rewind(complete);
}

bool Session::step(FunctionRef<bool()> pause) {
  require_not_running();
  if (!impl_->append) fail(Status::wrong_state, "there is nothing to step: begin an append first");
  if (impl_->append->owner()) fail(Status::wrong_state, "the append under way is a generation's: step that");
  return step_append(pause);
}

bool Session::step_append(FunctionRef<bool()> pause) {
  model_->context().require_same_process();
  const std::shared_ptr<Append> append = impl_->append;
  try {
    if (!append->run(pause)) return false;
  } catch (...) {
    append->detach();
    throw;
  }
  append->detach();
  return true;
}

void Session::claim(Claim& by) {
  require_idle();
  if (impl_->generation && impl_->generation->changes == impl_->changes)
    fail(Status::wrong_state, "the session has another generation, which has not ended: step it to its end or free it");
  by.changes = impl_->changes;
  impl_->generation = &by;
}

void Session::leave(const Claim& by) noexcept {
  if (works_for(by)) drop_append();
  if (impl_->generation != &by) return;
  impl_->generation = nullptr;
  impl_->forget_ahead();
  impl_->ahead_rows = Buffer();
}

bool Session::works_for(const Claim& by) const noexcept { return impl_->append && impl_->append->owner() == &by; }
uint64_t Session::changes() const noexcept { return impl_->changes; }

void Session::check_cancel() {
  if (cancelled_.exchange(false, std::memory_order_relaxed))
    fail(Status::cancelled, "cancelled before a token was drawn");
}

void Session::require_unchanged(const Claim& by) const {
  if (by.changes != impl_->changes)
    fail(Status::wrong_state,
         "the session was changed since this generation's last step: what it would say next does not follow any more; "
         "free it");
}

std::vector<int32_t> Session::encode(std::string_view text, bool parse_special, bool whole) {
  require_idle();
  const auto go_on = [this] { return !cancelled_.exchange(false, std::memory_order_relaxed); };
  return encode_prompt(model_->require_tokenizer(), text, parse_special, whole || length() == 0, Watch(go_on));
}

void Session::use(AdapterPtr adapter) {
  require_empty();
  if (options_.adapter != adapter) ++impl_->changes;
  options_.adapter = std::move(adapter);
  impl_->planned.clear();
}

void Session::drop_append() noexcept {
  const std::shared_ptr<Append> append = impl_->append;
  if (!append) return;
  append->roll_back();
  append->detach();
}

void Session::truncate(int64_t length) {
  require_not_running();
  PUNA_REQUIRE(length >= 0 && length <= this->length(), "length is %jd, expected 0 to %jd", length, this->length());
  drop_append();
  clear_cancel();
  if (length == this->length()) return;
  const bool only_pending = impl_->pending && length + 1 == this->length();
  impl_->forget_ahead();
  impl_->held.truncate(length);
  impl_->pending = false;
  impl_->complete = impl_->kv.rewind(std::min(length, impl_->complete));
  impl_->has_logits = impl_->has_logits && only_pending;
  ++impl_->changes;
}

std::unique_ptr<Session> Session::fork() const {
  require_idle();
  auto copy = std::make_unique<Session>(model_, options_);
  copy->impl_->kv = impl_->kv;
  if (impl_->ahead) copy->impl_->kv.rewind(impl_->complete);
  copy->impl_->held = impl_->held;
  copy->impl_->complete = impl_->complete;
  copy->impl_->has_logits = impl_->has_logits;
  copy->impl_->pending = impl_->pending;
  memcpy(copy->impl_->logits.data(), impl_->logits.data(), impl_->logits.size());
  return copy;
}

}  // namespace puna
