#include "scores.h"

#include <algorithm>
#include <cmath>

namespace puna::serve {
namespace {

constexpr int64_t kPositions = 64;  // whose logits are held at once

// Logits to log-probabilities: the sum in double, in the order of the ids.
double log_sum(std::span<const float> logits) {
  const double most = double(*std::max_element(logits.begin(), logits.end()));
  double sum = 0;
  for (const float l : logits) sum += std::exp(double(l) - most);
  return most + std::log(sum);
}

TokenLogprob logprob_at(std::span<const float> logits, int32_t id, size_t top, const Tokenizer& tokenizer) {
  const double norm = log_sum(logits);
  TokenLogprob t;
  t.bytes = tokenizer.bytes(id);
  t.logprob = double(logits[size_t(id)]) - norm;
  std::vector<int32_t> best(logits.size());
  for (size_t i = 0; i < best.size(); ++i) best[i] = int32_t(i);
  top = std::min(top, best.size());
  std::partial_sort(best.begin(), best.begin() + ptrdiff_t(top), best.end(), [&](int32_t a, int32_t b) {
    return logits[size_t(a)] != logits[size_t(b)] ? logits[size_t(a)] > logits[size_t(b)] : a < b;
  });
  for (size_t i = 0; i < top; ++i)
    t.top.emplace_back(std::string(tokenizer.bytes(best[i])), double(logits[size_t(best[i])]) - norm);
  return t;
}

}  // namespace

void Cancel::cancel() noexcept {
  requested_.store(true);
  const std::lock_guard<std::mutex> lock(mutex_);
  if (session_) session_->cancel();
}

Cancel::Use::Use(Cancel& cancel, Session& session) : cancel_(cancel) {
  const std::lock_guard<std::mutex> lock(cancel.mutex_);
  cancel.session_ = &session;
  if (cancel.requested()) session.cancel();
}

Cancel::Use::~Use() {
  const std::lock_guard<std::mutex> lock(cancel_.mutex_);
  cancel_.session_ = nullptr;
}

TokenLogprobs score_prompt(Session& session, std::span<const int32_t> ids, size_t top) {
  const Tokenizer& tokenizer = session.model().require_tokenizer();
  const int64_t vocab = session.model().config().vocab, n = int64_t(ids.size());
  TokenLogprobs all;
  all.push_back({std::string(tokenizer.bytes(ids[0])), 0, true, false, {}});
  std::vector<float> logits(size_t(std::min(n, kPositions) * vocab));
  for (int64_t from = 0; from < n; from += kPositions) {
    const int64_t count = std::min(kPositions, n - from);
    AppendOptions options;
    options.logits = std::span(logits).first(size_t(count * vocab));
    session.append(ids.subspan(size_t(from), size_t(count)), options);
    for (int64_t i = 0; i < count && from + i + 1 < n; ++i)
      all.push_back(logprob_at(std::span(logits).subspan(size_t(i * vocab), size_t(vocab)), ids[size_t(from + i + 1)],
                               top, tokenizer));
  }
  return all;
}

std::vector<float> embed(Session& session, std::span<const int32_t> ids, Pooling pooling) {
  std::vector<float> out(size_t(session.model().config().hidden));
  AppendOptions options;
  options.embeddings = out;
  options.pooling = pooling;
  options.normalise = true;
  session.append(ids, options);
  return out;
}

Usage echo(const std::vector<EchoPrompt>& prompts, const ChosenModel& chosen, int top_logprobs, Sink& sink,
           Cancel& cancel) {
  SessionOptions options;
  options.adapter = chosen.adapter;
  options.max_positions = chosen.loaded->max_positions;
  const Tokenizer& tokenizer = chosen.model().require_tokenizer();
  Usage usage;
  int answer = 0;
  for (const EchoPrompt& p : prompts) {
    Session session(chosen.loaded->model, options);
    const Cancel::Use use(cancel, session);
    TokenLogprobs scored;
    if (top_logprobs >= 0) scored = score_prompt(session, p.ids, size_t(top_logprobs));
    if (!scored.empty()) scored[0].unseen = p.begun;
    usage.prompt += int64_t(p.ids.size());
    for (int i = 0; i < p.n; ++i, ++answer) {
      sink.piece(answer, {Piece::Kind::text, p.text, 0, ""}, scored);
      if (p.max_tokens == 0) {
        sink.end(answer, Finish::length, "", {});
        continue;
      }
      GenerateOptions g = p.generate;
      g.max_tokens = p.max_tokens;
      g.sampler.seed += uint64_t(i);
      g.keep_shared = true;
      const GenerateResult r = generate(session, p.ids, g, [&](const GeneratedToken& t) {
        TokenLogprobs one;
        if (!t.probabilities.empty()) {
          one.push_back(
              {std::string(tokenizer.bytes(t.id)), double(t.probabilities[0].log_probability), false, false, {}});
          for (const TokenProbability& q : t.probabilities)
            one[0].top.emplace_back(std::string(tokenizer.bytes(q.token)), double(q.log_probability));
          std::stable_sort(one[0].top.begin(), one[0].top.end(),
                           [](const auto& a, const auto& b) { return a.second > b.second; });
          one[0].top.resize(std::min(one[0].top.size(), size_t(top_logprobs)));
        }
        sink.piece(answer, {Piece::Kind::text, std::string(t.text), 0, ""}, one);
        return true;
      });
      usage.completion += int64_t(r.tokens.size());
      const bool cut = r.reason == StopReason::max_tokens || r.reason == StopReason::context_full;
      sink.end(answer, cut ? Finish::length : Finish::stop, "", {});
    }
  }
  return usage;
}

}  // namespace puna::serve
