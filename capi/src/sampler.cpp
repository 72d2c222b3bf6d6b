// sampler.cpp -- puna_sampler_*: options with zero for "off", drawing a token, the whole distribution.
#include <vector>

#include "handles.h"
#include "translate.h"

using namespace puna;
using namespace puna::capi;

namespace {

float or_one(float value) {
  return value == 0 ? 1.0f : value;
}  // the neutral value of these options is 1, zero means it

}  // namespace

SamplerOptions puna::capi::sampler_options_from_c(const puna_sampler_options* theirs) {
  const puna_sampler_options o = read_options(theirs, "puna_sampler_options");
  require_reserved(o.reserved, "puna_sampler_options");
  SamplerOptions s;
  s.temperature = o.temperature;
  s.top_k = o.top_k;
  s.top_p = or_one(o.top_p);
  s.min_p = o.min_p;
  s.typical_p = or_one(o.typical_p);
  s.epsilon = o.epsilon;
  s.eta = o.eta;
  s.repetition_penalty = or_one(o.repetition_penalty);
  s.presence_penalty = o.presence_penalty;
  s.frequency_penalty = o.frequency_penalty;
  s.penalty_window = o.penalty_window;
  s.no_repeat_ngram = o.no_repeat_ngram;
  s.seed = o.seed;
  const auto tokens = array_view(o.bias_tokens, o.bias_count, "bias_tokens");
  const auto values = array_view(o.bias_values, o.bias_count, "bias_values");
  for (size_t i = 0; i < tokens.size(); ++i) s.logit_bias.emplace_back(tokens[i], values[i]);
  return s;
}

puna_status puna_sampler_create(const puna_sampler_options* options, puna_sampler** sampler) {
  return guard([&] {
    PUNA_REQUIRE(sampler != nullptr, "sampler is NULL");
    *sampler = new puna_sampler{Sampler(sampler_options_from_c(options))};
  });
}

void puna_sampler_free(puna_sampler* sampler) { delete sampler; }

puna_status puna_sampler_sample(const puna_sampler* sampler, const float* logits, size_t vocabulary,
                                const int32_t* history, size_t history_count, uint64_t draw_index, int32_t* token,
                                float* log_probability) {
  return guard([&] {
    const Sampler& s = use(sampler);
    PUNA_REQUIRE(logits != nullptr && vocabulary > 0, "there are no logits to draw from");
    PUNA_REQUIRE(token != nullptr, "token is NULL");
    const TokenProbability drawn =
        s.sample(array_view(logits, vocabulary, "logits"), array_view(history, history_count, "history"), draw_index);
    *token = drawn.token;
    if (log_probability) *log_probability = drawn.log_probability;
  });
}

puna_status puna_sampler_distribution(const puna_sampler* sampler, const float* logits, size_t vocabulary,
                                      const int32_t* history, size_t history_count, float* out) {
  return guard([&] {
    const Sampler& s = use(sampler);
    PUNA_REQUIRE(logits != nullptr && vocabulary > 0, "there are no logits to filter");
    PUNA_REQUIRE(out != nullptr, "out is NULL");
    s.distribution(array_view(logits, vocabulary, "logits"), array_view(history, history_count, "history"),
                   {out, vocabulary});
  });
}
