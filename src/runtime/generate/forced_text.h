// forced_text.h -- drafts of what a grammar leaves no choice about: the names of an object's keys, a closing quote. The
// text is certain; how the model cuts it into tokens is not, so it is a draft like any other.
#pragma once
#include "puna/grammar/matcher.h"
#include "runtime/generate/draft_length.h"
#include "runtime/generate/draft_source.h"

namespace puna {

class ForcedText final : public DraftSource {
 public:
  // `matcher` stands behind the last token drawn whenever a draft is asked for.
  ForcedText(Matcher& matcher, const Tokenizer& tokenizer) : matcher_(matcher), tokenizer_(tokenizer) {}
  bool propose(const DraftRequest& request, Draft& draft, FunctionRef<bool()> pause) override;
  void learn(int64_t drafted, int64_t accepted) noexcept override { length_.learn(drafted, accepted); }
  void forget() noexcept override {}

 private:
  Matcher& matcher_;
  const Tokenizer& tokenizer_;
  DraftLength length_{0.9, 0};
};

}  // namespace puna
