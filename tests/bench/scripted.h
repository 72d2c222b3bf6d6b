// scripted.h -- answers of given tokens, timed: a model of random weights can be asked for them too, and two ways to
// compute the same answer be compared.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <vector>

#include "puna/runtime/generate.h"

namespace puna::bench {

using Ids = std::vector<int32_t>;

inline bool cpu_time = false;  // of one thread, where others keep the machine busy

inline double seconds_now() {
  if (cpu_time) return double(clock()) / CLOCKS_PER_SEC;
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + std::ptrdiff_t(v.size() / 2), v.end());
  return v[v.size() / 2];
}

struct Task {
  Ids prompt, answer;
  GrammarPtr grammar = nullptr;  // of which the answer is one
};

struct Run {
  double tokens = 0, seconds = 0;
  int64_t accepted = 0, rejected = 0;
  double tokens_per_second() const { return tokens / seconds; }
};

// Each token of the answer is made the most likely one. Timed from the first token on.
inline void answer(const ModelPtr& model, const Task& t, GenerateOptions options, Run& r) {
  Session s(model, {});
  const auto scripted = [&](std::span<float> logits, std::span<const int32_t> history) {
    logits[size_t(t.answer[history.size() - t.prompt.size()])] = 1e9f;
  };
  options.max_tokens = int64_t(t.answer.size());
  options.processor = Sampler::Processor(scripted);
  double first = 0;  // when the first token was there
  const GenerateResult g = generate(s, t.prompt, options, [&](const GeneratedToken&) {
    if (first == 0) first = seconds_now();
    return true;
  });
  if (g.tokens != t.answer) fail(Status::internal, "an answer is not the one that was asked for");
  r.seconds += seconds_now() - first;
  r.tokens += double(g.tokens.size()) - 1;
  r.accepted += g.accepted_drafts;
  r.rejected += g.rejected_drafts;
}

}  // namespace puna::bench
