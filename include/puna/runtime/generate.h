// generate.h -- the loop from a prompt to an answer: sample, stream, stop. Also score() and perplexity().
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "puna/runtime/sampler.h"
#include "puna/runtime/session.h"

namespace puna {

enum class StopReason : int32_t {
  max_tokens = 0,
  stop_token = 1,
  stop_string = 2,
  context_full = 3,
  callback = 4,
  interrupted = 5,  // by an error or a cancel
  grammar = 6,      // the answer is whole, and nothing may follow
};

enum class ContextPolicy : int32_t {
  // A full context ends the answer with StopReason::context_full; a prompt that does not fit is Error{context_full}.
  error = 0,
  // Of the positions after the first `keep_prefix` tokens (the system prompt), the newest half stays and the older half
  // goes. What stays is computed again at its new positions: exactly as if the conversation had been that from the
  // start.
  drop_oldest = 1,
};

struct GenerateOptions {
  SamplerOptions sampler;
  int64_t max_tokens = 0;            // 0 = until something else stops it
  bool ignore_eos = false;           // do not stop at the model's stop tokens
  std::vector<int32_t> stop_tokens;  // besides the model's own; the token that stops is the last of the answer
  // The answer ends before the first to be complete; no part of it is streamed.
  std::vector<std::string> stop_strings;
  bool keep_special = false;  // special tokens appear in the text
  // 0 = none; n = the chosen token's and the n-1 most likely others, by the model itself: before penalties, temperature
  // and filters.
  int32_t log_probabilities = 0;
  ContextPolicy context_policy = ContextPolicy::error;
  int64_t keep_prefix = 0;
  // The prompt replaces the session's tokens. Their common prefix stays and is not computed again.
  bool keep_shared = false;
  Sampler::Processor processor;  // borrowed until the answer has ended
  // What the answer may be: only tokens that keep it possible are drawn, after the processor. Where it may end, stop
  // tokens may be drawn; where it must, it ends. What it leaves no choice about is drafted (see below).
  GrammarPtr grammar;
  // Where max_tokens, or the context, would cut an answer in the middle of what the grammar asks for, the last tokens
  // write the shortest end that it has. What cannot be ended from the start, or whose end is not found within the
  // limits of the grammar, stays incomplete. The answer may end earlier
  // than it would have: nothing is drawn behind which the end does not fit.
  bool close_answer = false;
  // Speculation: next tokens are guessed and computed together with the last one drawn, in one pass. The answer is the
  // same, token for token, whatever is guessed; what does not pay is left off. docs/decisions/65-speculation.md
  int32_t lookup_tokens = 0;  // most that are guessed at once from what stood in prompt and answer before; 0 = off
  Session* draft = nullptr;   // of a smaller model with the same vocabulary, which guesses; borrowed, and the
                              // generation's alone, until the answer has ended. It ends holding about the same tokens
  int32_t draft_tokens = 0;   // most that it guesses at once; 0 = ours
};

// Error{invalid_argument} that names the option which is out of range, before anything is done with the others.
void require_usable(const GenerateOptions& options, const Session& session);

struct GeneratedToken {
  int32_t id = -1;
  std::string_view text;                            // valid UTF-8 made final by this token; may be empty
  std::span<const TokenProbability> probabilities;  // chosen first, then descending; empty unless asked for
};

struct GenerateResult {
  std::vector<int32_t> tokens;  // every token drawn, the one that stopped the answer included
  std::string text;             // empty when the model ships no tokenizer
  StopReason reason = StopReason::max_tokens;
  int64_t prompt_tokens = 0;  // once they are appended
  double prompt_seconds = 0, generate_seconds = 0;
  int64_t accepted_drafts = 0;  // tokens of the answer that were guessed right and needed no pass of their own
  bool whole = true;            // what the grammar asks for is there; false: more would have had to follow
  int64_t rejected_drafts = 0;  // guesses that were computed in vain
};

// An answer on its way, token by token or in slices of time. The session must live as long; it has one generation at a
// time, until that has ended or is destroyed (which drops its append), otherwise Error{wrong_state}. A session that
// others changed in between makes step() Error{wrong_state} from then on, instead of an answer that follows from
// nothing. When the prompt fails, the session is as before. Session::cancel() or an exception of the processor makes
// step() throw; the session then holds what was generated so far, and step() may be called again. Every token that was
// handed out is held by the session; the last one is computed when something follows (Session::pending()).
class Generation {
 public:
  Generation(Session& session, const PromptView& prompt, GenerateOptions options);
  ~Generation();
  Generation(const Generation&) = delete;
  Generation& operator=(const Generation&) = delete;

  enum class Event { paused, token, ended };
  // Computes until a token is drawn or `pause` says so (see Session::step); `ended` once the last token was handed out.
  Event step(FunctionRef<bool()> pause);
  Session& session() const noexcept;
  const GeneratedToken& token() const noexcept;   // after Event::token, until the next step
  const GenerateResult& result() const noexcept;  // so far; reason means something once ended
  // No further tokens: what is held back of the text goes to result().text.
  void stop(StopReason reason);

 private:
  friend class EngineAccess;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// false = stop (StopReason::callback); the session keeps what was generated.
using OnToken = FunctionRef<bool(const GeneratedToken&)>;

// Steps to the end. When that throws the generation has ended as well (StopReason::interrupted), and its result says
// what there was.
void finish(Generation& generation, OnToken on_token = {});

// Appends `prompt` (may be empty when the session has logits, or a token that is not computed yet) and generates. The
// session ends holding the prompt and every generated token, but for one that found it full. A draw's index is the
// position its token takes (tokens dropped by this call counted), so a resumed or forked session repeats its draws.
// Failures: see Generation.
GenerateResult generate(Session& session, const PromptView& prompt, const GenerateOptions& options,
                        OnToken on_token = {});

// Negative log-likelihood of tokens[i] given tokens[0..i), i >= 1: n-1 values. The session must be empty and ends
// holding the tokens, or is empty again when the call fails.
std::vector<float> score(Session& session, std::span<const int32_t> tokens);

struct Perplexity {
  double mean_nll = 0;
  double standard_error = 0;  // of mean_nll
  double perplexity = 0;
  int64_t scored_tokens = 0;
  int64_t windows = 0;
};
// Disjoint windows of `window` tokens, the first of each not scored, an incomplete last one dropped. The standard error
// is that of mean_nll. progress(tokens scored, in total) is called at least every 256 tokens; false is
// Error{cancelled}.
Perplexity perplexity(const ModelPtr& model, const SessionOptions& options, std::span<const int32_t> tokens,
                      int64_t window, FunctionRef<bool(int64_t done, int64_t total)> progress = {});

}  // namespace puna
