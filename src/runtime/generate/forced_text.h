// forced_text.h -- drafts of what a grammar leaves no choice about but for white space, which is guessed: the names of
// an object's keys, a closing quote. How the model cuts the text into tokens is not certain either, so it is a draft
// like any other.
#pragma once
#include "puna/grammar/matcher.h"
#include "runtime/generate/draft_length.h"
#include "runtime/generate/draft_source.h"
#include "runtime/generate/space_habit.h"

namespace puna {

class ForcedText final : public DraftSource {
 public:
  // `matcher` stands behind the last token drawn whenever a draft is asked for.
  ForcedText(Matcher& matcher, const Tokenizer& tokenizer) : matcher_(matcher), tokenizer_(tokenizer) {}
  bool propose(const DraftRequest& request, Draft& draft, FunctionRef<bool()> pause) override;
  void learn(int64_t drafted, int64_t accepted) noexcept override;
  void forget() noexcept override {
    habit_.forget();
    read_ = 0;
  }

 private:
  Matcher::LikelyText likely_text();
  void read_answer();

  Matcher& matcher_;
  const Tokenizer& tokenizer_;
  SpaceHabit habit_;
  size_t read_ = 0;  // tokens of the matcher's history that the habit knows
  // A draft's first tokens are forced text, which can only be cut otherwise; those behind follow from a guess.
  DraftLength forced_{0.9, 0}, guessed_{0.8, 0};
  int64_t certain_ = 0;  // tokens of the last draft that are forced text
};

}  // namespace puna
