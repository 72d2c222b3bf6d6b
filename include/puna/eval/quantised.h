// quantised.h -- what a quantisation loses: the table of llama.cpp's llama-perplexity --kl-divergence, from both models
// in one pass. No file of logits, and sums in double over the whole vocabulary.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "puna/runtime/session.h"

namespace puna::eval {

struct Measured {
  double value = 0, error = 0;  // error: one standard error, positions as if they were independent
};

// Of one number a position: quantiles between the two nearest.
struct Spread {
  static constexpr double kShares[] = {0, .001, .01, .05, .1, .5, .9, .95, .99, .999, 1};
  double at[std::size(kShares)] = {};
};

struct QuantisationLoss {
  int64_t positions = 0, chunks = 0;
  Measured base_perplexity, perplexity;   // of the base, of the quantised
  double correlation = 0;                 // of their log-probabilities of the text
  Measured log_ratio, ratio, difference;  // of the perplexities: quantised to base
  Measured divergence;                    // KL(base || quantised), nats a position
  Spread divergences;
  Measured probability_change, root_mean_square;  // P_quantised(token) - P_base(token)
  Spread probability_changes;
  Measured same_top;                     // share of positions where both find the same token likeliest
  double base_seconds = 0, seconds = 0;  // of the forward passes of each
  int64_t tokens = 0;                    // that each computed
};

// Chunks of n_ctx tokens, the first of each replaced by the token that texts begin with, where there is one; positions
// n_ctx / 2 to n_ctx - 2 count. Error{invalid_argument} when the vocabularies differ or the text fills no chunk.
QuantisationLoss compare_quantised(const ModelPtr& base, const ModelPtr& quantised, std::span<const int32_t> tokens,
                                   int64_t n_ctx, FunctionRef<bool(int64_t done, int64_t total)> progress = {});

std::string text_of(const QuantisationLoss& loss);
std::string json_of(const QuantisationLoss& loss);

}  // namespace puna::eval
