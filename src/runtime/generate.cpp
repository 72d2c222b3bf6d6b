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

// Adds the time it has lived.
class Stopwatch {
 public:
  explicit Stopwatch(double& seconds) : seconds_(seconds), start_(Clock::now()) {}
  ~Stopwatch() { seconds_ += std::chrono::duration<double>(Clock::now() - start_).count(); }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  double& seconds_;
  Clock::time_point start_;
};

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

void check(const GenerateOptions& options, const Session& session) {
  PUNA_REQUIRE(options.max_tokens >= 0, "max_tokens is %lld, expected 0 or more", static_cast<long long>(options.max_tokens));
  PUNA_REQUIRE(options.log_probabilities >= 0, "log_probabilities is %d, expected 0 or more", options.log_probabilities);
  const bool drops = options.context_policy == ContextPolicy::drop_oldest;
  PUNA_REQUIRE(drops || options.context_policy == ContextPolicy::error, "context_policy is %d, expected 0 or 1", int(options.context_policy));
  PUNA_REQUIRE(options.keep_prefix >= 0 && (!drops || options.keep_prefix <= session.max_positions() - 2),
               "keep_prefix is %lld, expected at least 0 and at most %lld, two positions less than the context",
               static_cast<long long>(options.keep_prefix), static_cast<long long>(session.max_positions() - 2));
}

}  // namespace

struct Generation::Impl {
  Session& session;
  const GenerateOptions options;
  Sampler sampler;
  AnswerText text;
  std::vector<int32_t> stop_tokens;
  Prompt next;  // to be appended before the next draw: the prompt, then the token drawn last
  int64_t dropped = 0;
  bool ended = false;
  GenerateResult result;
  GeneratedToken token;
  std::string token_text;
  std::vector<TokenProbability> probabilities;

  Impl(Session& s, Prompt prompt, GenerateOptions o)
      : session(s), options(std::move(o)), sampler(options.sampler), text(s.model().tokenizer(), options.keep_special, options.stop_strings),
        stop_tokens(options.stop_tokens), next(std::move(prompt)) {
    check(options, session);
    const Tokenizer* tokenizer = session.model().tokenizer();
    if (tokenizer && !options.ignore_eos) {
      const std::vector<int32_t>& own = tokenizer->specials().stop;
      stop_tokens.insert(stop_tokens.end(), own.begin(), own.end());
    }
    result.prompt_tokens = int64_t(next.tokens.size());
  }

  // False: paused.
  bool append_next(FunctionRef<bool()> pause) {
    if (!session.under_way()) {
      const bool full = session.length() + int64_t(next.tokens.size()) > session.max_positions();
      if (full && options.context_policy == ContextPolicy::drop_oldest) drop_oldest();
      session.begin(next);
    }
    if (!session.step(pause)) return false;
    next = {};
    return true;
  }

  // Keeps the prefix and the newest half of what fits after it, of the session's tokens and the next ones together.
  void drop_oldest() {
    Prompt all = slice(session.held(), 0, session.length());
    all.append(next.view());
    const int64_t prefix = options.keep_prefix, tail = (session.max_positions() - prefix) / 2, size = int64_t(all.tokens.size());
    const int64_t drop = size - prefix - tail;
    Prompt kept = slice(all.view(), 0, prefix);
    kept.append(slice(all.view(), prefix + drop, size).view());
    const int64_t length = int64_t(kept.tokens.size()), same = std::min(shared_prefix(kept.view(), session.held()), length - 1);
    session.truncate(same);
    next = slice(kept.view(), same, length);
    dropped += drop;
  }

  void draw() {
    const std::span<const float> logits = session.logits();
    const int32_t id = sampler.sample(logits, session.tokens(), uint64_t(session.length() + dropped), options.processor).token;
    probabilities.clear();
    if (options.log_probabilities > 0) probabilities = most_likely(logits, id, size_t(options.log_probabilities));
    result.tokens.push_back(id);
    next = {{id}, {}};
    token_text = text.push(id);
    ended = ends(id, result.reason);
    if (ended) token_text += text.finish();
    result.text += token_text;
    token = {id, token_text, probabilities};
  }

  bool ends(int32_t id, StopReason& reason) const {
    const bool stop_token = std::find(stop_tokens.begin(), stop_tokens.end(), id) != stop_tokens.end();
    const bool last = options.max_tokens > 0 && int64_t(result.tokens.size()) >= options.max_tokens;
    const bool full = options.context_policy == ContextPolicy::error && session.length() == session.max_positions();
    reason = text.stopped() ? StopReason::stop_string
             : stop_token   ? StopReason::stop_token
             : last         ? StopReason::max_tokens
                            : StopReason::context_full;
    return text.stopped() || stop_token || last || full;
  }
};

Generation::Generation(Session& session, std::span<const int32_t> prompt, GenerateOptions options)
    : Generation(session, Prompt{{prompt.begin(), prompt.end()}, {}}, std::move(options)) {}
Generation::Generation(Session& session, Prompt prompt, GenerateOptions options)
    : impl_(std::make_unique<Impl>(session, std::move(prompt), std::move(options))) {}

Generation::~Generation() = default;

Generation::Event Generation::step(FunctionRef<bool()> pause) {
  const FpEnv fp_env;
  Impl& g = *impl_;
  if (g.ended) {
    g.session.clear_cancel();  // one that came too late for this answer is not meant for the next
    return Event::ended;
  }
  if (!g.next.tokens.empty()) {
    const Stopwatch time(g.result.tokens.empty() ? g.result.prompt_seconds : g.result.generate_seconds);
    if (!g.append_next(pause)) return Event::paused;
  }
  const Stopwatch time(g.result.generate_seconds);
  g.draw();
  return Event::token;
}

const GeneratedToken& Generation::token() const noexcept { return impl_->token; }
const GenerateResult& Generation::result() const noexcept { return impl_->result; }

void Generation::stop(StopReason reason) {
  if (impl_->ended) return;
  impl_->ended = true;
  impl_->result.reason = reason;
  impl_->result.text += impl_->text.finish();
}

GenerateResult generate(Session& session, std::span<const int32_t> prompt, const GenerateOptions& options, OnToken on_token) {
  return generate_with_images(session, Prompt{{prompt.begin(), prompt.end()}, {}}, options, on_token);
}

GenerateResult generate_with_images(Session& session, Prompt prompt, const GenerateOptions& options, OnToken on_token) {
  const FpEnv fp_env;
  const struct Forget {  // a cancel() that came too late for this call is not meant for the next
    Session& session;
    ~Forget() { session.clear_cancel(); }
  } forget{session};
  Generation generation(session, std::move(prompt), options);
  while (generation.step({}) != Generation::Event::ended)
    if (on_token && !on_token(generation.token())) generation.stop(StopReason::callback);
  return generation.result();
}

}  // namespace puna
