// speculation.h -- a generation's drafts, from the first guess to what became of them.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "puna/grammar/matcher.h"
#include "puna/runtime/generate.h"
#include "runtime/generate/draft_length.h"
#include "runtime/generate/draft_source.h"

namespace puna {

// Error{invalid_argument} that names the option of drafts which is out of range.
void require_usable_drafts(const GenerateOptions& options, const Session& session);

class Speculation {
 public:
  // `matcher`: of the answer's grammar, NULL = none; it lives as long.
  Speculation(const GenerateOptions& options, const Session& session, Matcher* matcher);

  // Asks the sources in order for a draft(), until one has something. False: paused.
  bool propose(const DraftRequest& request, FunctionRef<bool()> pause);
  std::span<const int32_t> draft() const noexcept { return draft_.tokens; }  // empty = none
  void computed() noexcept;                                                  // a pass, with the draft or without
  void accepted() noexcept;        // the draft's next token: it has its logits
  void settle() noexcept;          // the draft is over: what was not accepted is rejected
  void forget_history() noexcept;  // it changed at its beginning
  void forget_draft() noexcept;    // which is not computed
  bool give_up() noexcept;         // no further drafts; false: there were none anyway
  int64_t accepted_tokens() const noexcept { return accepted_; }
  int64_t rejected_tokens() const noexcept { return rejected_; }

 private:
  size_t allowed(std::span<const int32_t> tokens);

  Matcher* matcher_;  // NULL = no grammar
  std::vector<std::unique_ptr<DraftSource>> sources_;
  size_t asked_ = 0;               // of the sources: the one that paused
  DraftSource* source_ = nullptr;  // of the draft
  Draft draft_;
  bool computed_ = false;
  int64_t taken_ = 0;  // of the draft
  int64_t accepted_ = 0, rejected_ = 0;
  DraftBudget budget_;
};

}  // namespace puna
