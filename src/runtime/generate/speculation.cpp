// speculation.cpp -- which source drafts, what that costs, and how it learns.
#include "runtime/generate/speculation.h"

#include "puna/base/error.h"
#include "runtime/generate/draft_model.h"
#include "runtime/generate/forced_text.h"
#include "runtime/generate/prompt_lookup.h"

namespace puna {

constexpr int32_t kMostDraftTokens = 64, kOwnDraftTokens = 8;

void require_usable_drafts(const GenerateOptions& o, const Session& session) {
  PUNA_REQUIRE(o.lookup_tokens >= 0 && o.lookup_tokens <= kMostDraftTokens, "lookup_tokens is %d, expected 0 to %d",
               o.lookup_tokens, kMostDraftTokens);
  PUNA_REQUIRE(o.draft_tokens >= 0 && o.draft_tokens <= kMostDraftTokens, "draft_tokens is %d, expected 0 to %d",
               o.draft_tokens, kMostDraftTokens);
  PUNA_REQUIRE(o.draft || o.draft_tokens == 0, "draft_tokens is %d, but there is no draft", o.draft_tokens);
  if (o.draft) require_draft(*o.draft, session);
}

Speculation::Speculation(const GenerateOptions& o, const Session& session, Matcher* matcher) : matcher_(matcher) {
  if (matcher) sources_.push_back(std::make_unique<ForcedText>(*matcher, session.model().require_tokenizer()));
  if (o.lookup_tokens > 0) sources_.push_back(std::make_unique<PromptLookup>(o.lookup_tokens));
  if (!o.draft) return;
  const int32_t most = o.draft_tokens > 0 ? o.draft_tokens : kOwnDraftTokens;
  sources_.push_back(std::make_unique<DraftModel>(*o.draft, session, o.sampler, most));
}

bool Speculation::propose(const DraftRequest& request, FunctionRef<bool()> pause) {
  DraftRequest within = request;
  within.credit = budget_.credit();
  if (within.most <= 0) return true;
  for (; asked_ < sources_.size() && draft_.tokens.empty(); ++asked_) {
    source_ = sources_[asked_].get();
    if (!source_->propose(within, draft_, pause)) return false;
    if (matcher_) draft_.tokens.resize(allowed(draft_.tokens));
  }
  asked_ = 0;
  return true;
}

// What the grammar forbids would be computed in vain. A limit that a guess runs into is no error of the answer.
size_t Speculation::allowed(std::span<const int32_t> tokens) {
  try {
    return matcher_->accepted_prefix(tokens);
  } catch (const Error&) {
    return 0;
  }
}

void Speculation::computed() noexcept {
  if (sources_.empty()) return;
  computed_ = true;
  budget_.add_pass(draft_.cost + double(draft_.tokens.size()) * kDraftRowCost);
}

void Speculation::accepted() noexcept {
  ++taken_;
  ++accepted_;
  budget_.add_saved_pass();
}

void Speculation::settle() noexcept {
  const int64_t drafted = int64_t(draft_.tokens.size());
  if (computed_ && drafted > 0) {
    rejected_ += drafted - taken_;
    source_->learn(drafted, taken_);
  }
  forget_draft();
}

void Speculation::forget_draft() noexcept {
  draft_.tokens.clear();
  draft_.cost = 0;
  taken_ = 0;
  computed_ = false;
}

void Speculation::forget_history() noexcept {
  for (const auto& source : sources_) source->forget();
}

bool Speculation::give_up() noexcept {
  const bool any = !sources_.empty();
  forget_draft();
  asked_ = 0;
  sources_.clear();
  return any;
}

}  // namespace puna
