// generate.cpp -- the loop: draw, turn into text, report, stop or append.
#include "puna/runtime/generate.h"

#include <algorithm>
#include <chrono>

#include "base/fp_env.h"
#include "puna/base/error.h"
#include "runtime/generate_text.h"
#include "runtime/sampler_select.h"
#include "runtime/score_softmax.h"

namespace puna {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// The chosen token, then the most likely others (lower ids first on ties), `count` in all.
std::vector<TokenProbability> most_likely(std::span<const float> logits, int32_t chosen, size_t count) {
  count = std::min(count, logits.size());
  const double normaliser = log_sum_exp(logits);
  const auto probability = [&](int32_t id) { return TokenProbability{id, float(double(logits[size_t(id)]) - normaliser)}; };
  std::vector<TokenProbability> out{probability(chosen)};
  if (count < 2) return out;
  const float floor = kth_largest(logits, count);
  std::vector<int32_t> ids;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] >= floor && int32_t(i) != chosen) ids.push_back(int32_t(i));
  }
  std::stable_sort(ids.begin(), ids.end(), [&](int32_t a, int32_t b) { return logits[size_t(a)] > logits[size_t(b)]; });
  for (size_t i = 0; i + 1 < count; ++i) out.push_back(probability(ids[i]));
  return out;
}

class Generation {
 public:
  Generation(Session& session, const GenerateOptions& options)
      : session_(session), options_(options), sampler_(options.sampler),
        text_(session.model().tokenizer(), options.keep_special, options.stop_strings), stop_tokens_(options.stop_tokens) {
    PUNA_REQUIRE(options.max_tokens >= 0, "max_tokens is %lld, expected 0 or more", static_cast<long long>(options.max_tokens));
    PUNA_REQUIRE(options.log_probabilities >= 0, "log_probabilities is %d, expected 0 or more", options.log_probabilities);
    const bool drops = options.context_policy == ContextPolicy::drop_oldest;
    PUNA_REQUIRE(drops || options.context_policy == ContextPolicy::error, "context_policy is %d, expected 0 or 1",
                 int(options.context_policy));
    PUNA_REQUIRE(options.keep_prefix >= 0 && (!drops || options.keep_prefix <= session.max_positions() - 2),
                 "keep_prefix is %lld, expected at least 0 and at most %lld, two positions less than the context",
                 static_cast<long long>(options.keep_prefix), static_cast<long long>(session.max_positions() - 2));
    const Tokenizer* tokenizer = session.model().tokenizer();
    if (tokenizer && !options.ignore_eos) {
      const std::vector<int32_t>& own = tokenizer->specials().stop;
      stop_tokens_.insert(stop_tokens_.end(), own.begin(), own.end());
    }
  }

  void append(std::span<const int32_t> tokens) {
    const bool full = session_.length() + int64_t(tokens.size()) > session_.max_positions();
    if (full && options_.context_policy == ContextPolicy::drop_oldest) {
      append_dropping(tokens);
    } else {
      session_.append(tokens);
    }
  }

  // Draws until something ends the answer.
  void run(GenerateResult& result, OnToken on_token) {
    for (;;) {
      const std::span<const float> logits = session_.logits();
      const int32_t id = sampler_.sample(logits, session_.tokens(), uint64_t(session_.length() + dropped_), options_.processor).token;
      result.tokens.push_back(id);
      std::string text = text_.push(id);
      bool ended = ends(id, int64_t(result.tokens.size()), result.reason);
      if (ended) text += text_.finish();
      result.text += text;
      std::vector<TokenProbability> probabilities;
      if (options_.log_probabilities > 0) probabilities = most_likely(logits, id, size_t(options_.log_probabilities));
      if (on_token && !on_token({id, text, probabilities}) && !ended) {
        result.reason = StopReason::callback;
        result.text += text_.finish();
        ended = true;
      }
      if (ended) return;
      append({&id, 1});
    }
  }

 private:
  bool ends(int32_t id, int64_t drawn, StopReason& reason) const {
    const bool stop_token = std::find(stop_tokens_.begin(), stop_tokens_.end(), id) != stop_tokens_.end();
    const bool last = options_.max_tokens > 0 && drawn >= options_.max_tokens;
    const bool full = options_.context_policy == ContextPolicy::error && session_.length() == session_.max_positions();
    reason = text_.stopped() ? StopReason::stop_string
             : stop_token    ? StopReason::stop_token
             : last          ? StopReason::max_tokens
                             : StopReason::context_full;
    return text_.stopped() || stop_token || last || full;
  }

  // Keeps the prefix and the newest half of what fits after it, of the session's tokens and the new ones together.
  void append_dropping(std::span<const int32_t> tokens) {
    std::vector<int32_t> all(session_.tokens().begin(), session_.tokens().end());
    all.insert(all.end(), tokens.begin(), tokens.end());
    const int64_t prefix = options_.keep_prefix, tail = (session_.max_positions() - prefix) / 2;
    const int64_t drop = int64_t(all.size()) - prefix - tail;
    all.erase(all.begin() + prefix, all.begin() + prefix + drop);
    const std::span<const int32_t> held = session_.tokens();
    const auto same = std::mismatch(all.begin(), all.end() - 1, held.begin(), held.end()).first - all.begin();
    session_.truncate(same);
    session_.append(std::span(all).subspan(size_t(same)));
    dropped_ += drop;
  }

  Session& session_;
  const GenerateOptions& options_;
  Sampler sampler_;
  AnswerText text_;
  std::vector<int32_t> stop_tokens_;
  int64_t dropped_ = 0;
};

}  // namespace

GenerateResult generate(Session& session, std::span<const int32_t> prompt, const GenerateOptions& options, OnToken on_token) {
  const FpEnv fp_env;
  const struct Forget {  // a cancel() that came too late for this call is not meant for the next
    Session& session;
    ~Forget() { session.clear_cancel(); }
  } forget{session};
  Generation generation(session, options);
  GenerateResult result;
  result.prompt_tokens = int64_t(prompt.size());
  const auto start = std::chrono::steady_clock::now();
  if (!prompt.empty()) generation.append(prompt);
  result.prompt_seconds = seconds_since(start);
  const auto first = std::chrono::steady_clock::now();
  generation.run(result, on_token);
  result.generate_seconds = seconds_since(first);
  return result;
}

}  // namespace puna
