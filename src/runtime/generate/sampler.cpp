// sampler.cpp -- the order of things: check, penalise, let the caller edit, then greedy or temperature and filters,
// then draw.
#include "puna/runtime/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/fp_env.h"
#include "puna/base/error.h"
#include "runtime/generate/sampler_select.h"
#include "runtime/generate/sampler_survivors.h"

namespace puna {
namespace {

// The scores to choose from: the logits themselves, or an edited copy.
struct Scores {
  std::vector<float> edited;
  std::span<const float> view;
  Largest largest;
};

// The scores that are allowed, -infinity elsewhere.
std::vector<float> among(std::span<const float> scores, const TokenMask& allowed) {
  std::vector<float> kept(scores.size(), -kInfinity);
  allowed.for_each(kept.size(), [&](size_t id) { kept[id] = scores[id]; });
  return kept;
}

Scores edit(const Sampler& sampler, std::span<const float> logits, std::span<const int32_t> history,
            const Sampler::Processor& custom, const TokenMask& allowed) {
  PUNA_REQUIRE(!logits.empty(), "there are no logits to choose from");
  const SamplerOptions& o = sampler.options();
  Scores s{{}, logits, find_largest(logits, Status::bad_file, kModelIsToBlame)};
  const bool penalties = !o.logit_bias.empty() || o.repetition_penalty != 1 || o.presence_penalty != 0 ||
                         o.frequency_penalty != 0 || o.no_repeat_ngram > 0;
  if (penalties || custom) {
    s.edited.assign(logits.begin(), logits.end());
    sampler.penalise(s.edited, history);
    if (custom) custom(s.edited, history);
    s.view = s.edited;
    s.largest = find_largest(s.view, Status::invalid_argument, "a penalty, a bias or the custom processor made it");
  }
  if (allowed.kind != TokenMask::Kind::everything) {
    s.edited = among(s.view, allowed);
    s.view = s.edited;
    s.largest = find_largest(s.view, Status::bad_file, kModelIsToBlame);
  }
  PUNA_REQUIRE(s.largest.score != -kInfinity, "every token is forbidden: nothing is left to choose from");
  return s;
}

Survivors filter(const SamplerOptions& o, const Scores& scores) {
  Survivors s(scores.view, scores.largest.score, double(o.temperature));
  if (o.top_k > 0) s.top_k(o.top_k);
  if (o.top_p < 1) s.top_p(double(o.top_p));
  if (o.min_p > 0) s.min_p(double(o.min_p));
  if (o.typical_p < 1) s.typical(double(o.typical_p));
  if (o.epsilon > 0) s.epsilon(double(o.epsilon));
  if (o.eta > 0) s.eta(double(o.eta));
  return s;
}

}  // namespace

Sampler::Sampler(const SamplerOptions& options) : options_(options) {
  const SamplerOptions& o = options_;
  PUNA_REQUIRE(o.temperature >= 0 && o.temperature < kInfinity, "temperature is %g, expected 0 or more",
               double(o.temperature));
  PUNA_REQUIRE(o.top_k >= 0, "top_k is %d, expected 0 or more", o.top_k);
  PUNA_REQUIRE(o.top_p > 0 && o.top_p <= 1, "top_p is %g, expected above 0 and at most 1", double(o.top_p));
  PUNA_REQUIRE(o.min_p >= 0 && o.min_p < 1, "min_p is %g, expected at least 0 and below 1", double(o.min_p));
  PUNA_REQUIRE(o.typical_p > 0 && o.typical_p <= 1, "typical_p is %g, expected above 0 and at most 1",
               double(o.typical_p));
  PUNA_REQUIRE(o.epsilon >= 0 && o.epsilon < 1, "epsilon is %g, expected at least 0 and below 1", double(o.epsilon));
  PUNA_REQUIRE(o.eta >= 0 && o.eta < 1, "eta is %g, expected at least 0 and below 1", double(o.eta));
  PUNA_REQUIRE(o.repetition_penalty > 0 && o.repetition_penalty < kInfinity,
               "repetition_penalty is %g, expected above 0", double(o.repetition_penalty));
  PUNA_REQUIRE(std::isfinite(o.presence_penalty), "presence_penalty is %g, expected a finite number",
               double(o.presence_penalty));
  PUNA_REQUIRE(std::isfinite(o.frequency_penalty), "frequency_penalty is %g, expected a finite number",
               double(o.frequency_penalty));
  PUNA_REQUIRE(o.penalty_window >= 0, "penalty_window is %d, expected 0 or more", o.penalty_window);
  PUNA_REQUIRE(o.no_repeat_ngram >= 0, "no_repeat_ngram is %d, expected 0 or more", o.no_repeat_ngram);
  for (const auto& [id, value] : o.logit_bias) {
    PUNA_REQUIRE(id >= 0, "logit_bias: token %d is negative", id);
    PUNA_REQUIRE(value < kInfinity, "logit_bias: token %d has %g, expected a number or -infinity", id, double(value));
  }
}

void Sampler::distribution(std::span<const float> logits, std::span<const int32_t> history, std::span<float> out,
                           Processor custom, const TokenMask& allowed) const {
  const FpEnv fp_env;
  PUNA_REQUIRE(out.size() == logits.size(), "room for %zu log-probabilities, expected %zu", out.size(), logits.size());
  const Scores scores = edit(*this, logits, history, custom, allowed);
  if (options_.temperature == 0) {
    std::fill(out.begin(), out.end(), -kInfinity);
    out[size_t(scores.largest.id)] = 0;
  } else {
    filter(options_, scores).log_probabilities(out);
  }
}

TokenProbability Sampler::sample(std::span<const float> logits, std::span<const int32_t> history, uint64_t draw_index,
                                 Processor custom, const TokenMask& allowed) const {
  const FpEnv fp_env;
  const Scores scores = edit(*this, logits, history, custom, allowed);
  if (options_.temperature == 0) return {scores.largest.id, 0};
  const Philox bits = philox(options_.seed, draw_index);
  const uint64_t word = uint64_t(bits.word[0]) << 32 | bits.word[1];
  return filter(options_, scores).draw(double(word >> 11) * 0x1p-53);
}

}  // namespace puna
