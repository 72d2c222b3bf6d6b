// continuations.h -- how likely many continuations are, each given what stands before it: what evaluations ask for. All
// requests together are a tree of tokens: a beginning that several share is computed once, and pieces of many requests
// fill each pass. The bits are those of score() of each request alone, whatever is shared or packed together.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "puna/runtime/session.h"

namespace puna {

struct Continuation {
  std::vector<int32_t> tokens;  // what stands before, at least one, then the continuation
  int64_t scored = 0;           // how many of the last are the continuation; at least one
};

struct ContinuationScore {
  double log_likelihood = 0;  // sum of the continuation's log-probabilities
  bool greedy = false;        // each of its tokens is the likeliest (the lowest id of several)
};

struct ContinuationOptions {
  // prefill_chunk is the rows of a pass; max_positions what the longest request may have.
  SessionOptions session{.prefill_chunk = 128};
  bool share = true;                       // false: every request is computed whole, to see what sharing saves
  uint64_t kv_bytes = uint64_t(64) << 20;  // of keys and values held at once, but for what one request needs
};

struct ContinuationWork {
  int64_t tokens = 0;  // of all requests
  int64_t rows = 0;    // that were computed
  int64_t passes = 0;
};

// on_score(index, score) is called on this thread as scores come, about in the order of the requests, once each.
// Error{cancelled} when it says false, or `stop`, which any thread may be asked between tiles, says true: what was told
// before holds. {invalid_argument} for a request without context or continuation or with an id outside the vocabulary,
// {context_full} for one that is too long, {bad_file} where the model's logits are no numbers; each names the request.
ContinuationWork score_continuations(const ModelPtr& model, std::span<const Continuation> requests,
                                     const ContinuationOptions& options,
                                     FunctionRef<bool(size_t index, const ContinuationScore& score)> on_score,
                                     FunctionRef<bool()> stop = {});

}  // namespace puna
