// sampler.h -- from logits to a token: the filters of Hugging Face transformers and the penalties of the OpenAI API,
// in transformers' order. All arithmetic and the generator are our own: the same seed draws the same tokens everywhere.
#pragma once
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "puna/base/function_ref.h"
#include "puna/base/philox.h"
#include "puna/grammar/token_mask.h"

namespace puna {

// Zero (or the neutral value given) switches a filter off. Order: logit bias, repetition, presence/frequency,
// no-repeat n-gram, custom processor, temperature, top-k, top-p, min-p, typical, epsilon, eta.
struct SamplerOptions {
  float temperature = 0;         // 0 = greedy: the largest logit after the penalties, lowest id on a tie
  int32_t top_k = 0;             // keeps every logit >= the k-th largest
  float top_p = 1;               // (0, 1]
  float min_p = 0;               // [0, 1): keep p >= min_p * max p
  float typical_p = 1;           // (0, 1]: locally typical sampling, arXiv:2202.00666
  float epsilon = 0;             // [0, 1): keep p >= epsilon                     arXiv:2210.15191
  float eta = 0;                 // [0, 1): entropy-dependent cut-off             arXiv:2210.15191
  float repetition_penalty = 1;  // > 0: seen logits are divided (if positive) or multiplied   arXiv:1909.05858
  float presence_penalty = 0;    // subtracted once from every seen token
  float frequency_penalty = 0;   // subtracted once an occurrence
  int32_t penalty_window = 0;    // last tokens that count as seen by the three penalties; 0 = all
  int32_t no_repeat_ngram = 0;   // no n-gram of this size twice in the whole history
  uint64_t seed = 0;
  std::vector<std::pair<int32_t, float>> logit_bias;  // (token, added value); -infinity forbids
};

struct TokenProbability {
  int32_t token;
  float log_probability;
};

// Immutable and thread-safe. Logits must be numbers or -infinity: NaN or +infinity is Error{bad_file} when the model
// made it, {invalid_argument} when a penalty or the processor did. When every token is forbidden:
// Error{invalid_argument}.
class Sampler {
 public:
  // Error{invalid_argument} naming the option that is out of range.
  explicit Sampler(const SamplerOptions& options);

  // May edit logits [vocab] in place after the penalties, before temperature.
  using Processor = FunctionRef<void(std::span<float> logits, std::span<const int32_t> history)>;

  // Applies every filter: out[i] = log-probability of token i, -infinity when it was removed. `history` = prompt +
  // generated. `out` may be `logits`. Greedy: 0 for the chosen token. What is not `allowed` is left out as by sample().
  void distribution(std::span<const float> logits, std::span<const int32_t> history, std::span<float> out,
                    Processor custom = {}, const TokenMask& allowed = TokenMask::everything()) const;
  // Scores after the penalties only (before temperature); banned tokens are -infinity.
  void penalise(std::span<float> logits, std::span<const int32_t> history) const;
  // Draws one token of that distribution, what is not `allowed` left out behind `custom`, by inverting its cumulative
  // sum in order of ids with 53 bits of (seed, draw_index). It depends on (options, draw_index, logits, history) alone.
  TokenProbability sample(std::span<const float> logits, std::span<const int32_t> history, uint64_t draw_index,
                          Processor custom = {}, const TokenMask& allowed = TokenMask::everything()) const;
  const SamplerOptions& options() const noexcept { return options_; }

 private:
  SamplerOptions options_;
};

}  // namespace puna
