// generate.h -- the loop from a prompt to an answer: sample, stream, stop. Also score() and perplexity().
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "puna/runtime/sampler.h"
#include "puna/runtime/session.h"

namespace puna {

enum class StopReason : int32_t { max_tokens = 0, stop_token = 1, stop_string = 2, context_full = 3, callback = 4 };
enum class ContextPolicy : int32_t {
  error = 0,        // a full context ends the answer with StopReason::context_full; a prompt that does not fit is Error{context_full}
  drop_oldest = 1,  // keep the first `keep_prefix` tokens (the system prompt), drop the oldest of the rest until half is free
};

struct GenerateOptions {
  SamplerOptions sampler;
  int64_t max_tokens = 0;                    // 0 = until something else stops it
  bool ignore_eos = false;                   // do not stop at the model's stop tokens
  std::vector<int32_t> stop_tokens;          // besides the model's own
  std::vector<std::string> stop_strings;     // the answer ends before the first of them; none is ever streamed, not even half
  bool keep_special = false;                 // special tokens appear in the text
  int32_t log_probabilities = 0;             // 0 = none; n = the chosen token's and the n-1 most likely others
  ContextPolicy context_policy = ContextPolicy::error;
  int64_t keep_prefix = 0;
  Sampler::Processor processor;              // borrowed for the call
};

struct GeneratedToken {
  int32_t id;
  std::string_view text;                          // complete UTF-8 made final by this token; may be empty
  std::span<const TokenProbability> probabilities;  // chosen first; empty unless asked for
};

struct GenerateResult {
  std::vector<int32_t> tokens;
  std::string text;
  StopReason reason = StopReason::max_tokens;
  int64_t prompt_tokens = 0;
  double prompt_seconds = 0, generate_seconds = 0;
};

// false = stop (StopReason::callback); the session keeps what was generated.
using OnToken = FunctionRef<bool(const GeneratedToken&)>;

// Appends `prompt` (may be empty when the session already has logits) and generates. The session ends holding the prompt and
// every generated token but the last, whose logits would be computed by the next call.
GenerateResult generate(Session& session, std::span<const int32_t> prompt, const GenerateOptions& options, OnToken on_token = {});

// Negative log-likelihood of tokens[i] given tokens[0..i), i >= 1, appended to an empty session: n-1 values.
std::vector<float> score(Session& session, std::span<const int32_t> tokens);

struct Perplexity { double mean_nll = 0, standard_error = 0, perplexity = 0; int64_t scored_tokens = 0, windows = 0; };
// Disjoint windows of `window` tokens, the first of each not scored, an incomplete last one dropped. progress(done, total) -> go on?
Perplexity perplexity(const ModelPtr& model, const SessionOptions& options, std::span<const int32_t> tokens, int64_t window,
                      FunctionRef<bool(int64_t done, int64_t total)> progress = {});

}  // namespace puna
