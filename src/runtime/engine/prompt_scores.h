// prompt_scores.h -- log-probabilities of a prompt's own tokens, by the model itself. A pass gives the logits behind
// each position as it computes them, in any order and from any thread; nothing of them is kept but what is asked for.
// The bits are those of score().
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "runtime/generate/score_softmax.h"

namespace puna {

class PromptScores {
 public:
  // `each`: how many a token: its own, then the most likely others.
  PromptScores(std::span<const int32_t> tokens, size_t each)
      : tokens_(tokens), each_(each), all_((tokens.size() - 1) * each) {}

  // The logits behind a position say how likely the next token was; behind the last one nothing is known.
  void take(int64_t position, std::span<const float> logits) noexcept {
    const size_t next = size_t(position) + 1;
    if (next < tokens_.size()) most_likely(logits, tokens_[next], std::span(all_).subspan((next - 1) * each_, each_));
  }
  // Of the token at this position, 1 or more.
  std::span<const TokenProbability> of(int64_t position) const noexcept {
    return std::span(all_).subspan(size_t(position - 1) * each_, each_);
  }
  // The position whose logits were no numbers, or -1.
  int64_t not_finite() const noexcept {
    for (size_t i = 0; i < all_.size(); i += each_)
      if (std::isnan(all_[i].log_probability)) return int64_t(i / each_);
    return -1;
  }

 private:
  std::span<const int32_t> tokens_;
  size_t each_;
  std::vector<TokenProbability> all_;
};

}  // namespace puna
