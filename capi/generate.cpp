// generate.cpp -- puna_session_generate*: options, callbacks and results in C's terms around generate().
#include "puna/runtime/generate.h"

#include "handles.h"
#include "puna/runtime/prompt.h"
#include "translate.h"

using namespace puna;
using namespace puna::capi;

namespace {

static_assert(PUNA_STOP_MAX_TOKENS == int(StopReason::max_tokens) && PUNA_STOP_TOKEN == int(StopReason::stop_token) &&
              PUNA_STOP_STRING == int(StopReason::stop_string) && PUNA_STOP_CONTEXT_FULL == int(StopReason::context_full) &&
              PUNA_STOP_CALLBACK == int(StopReason::callback));
static_assert(PUNA_CONTEXT_ERROR == int(ContextPolicy::error) && PUNA_CONTEXT_DROP_OLDEST == int(ContextPolicy::drop_oldest));

GenerateOptions generate_options_from_c(const puna_generate_options& o) {
  GenerateOptions g;
  g.sampler = sampler_options_from_c(o.sampler);
  PUNA_REQUIRE(o.max_tokens >= 0, "max_tokens is %lld, expected at least 0", static_cast<long long>(o.max_tokens));
  PUNA_REQUIRE(o.log_probabilities >= 0, "log_probabilities is %d, expected at least 0", o.log_probabilities);
  PUNA_REQUIRE(o.context_policy >= PUNA_CONTEXT_ERROR && o.context_policy <= PUNA_CONTEXT_DROP_OLDEST,
               "context_policy is %d, expected 0 or 1", o.context_policy);
  PUNA_REQUIRE(o.keep_prefix >= 0, "keep_prefix is %lld, expected at least 0", static_cast<long long>(o.keep_prefix));
  g.max_tokens = o.max_tokens;
  g.ignore_eos = flag(o.ignore_eos, "ignore_eos");
  g.keep_special = flag(o.keep_special, "keep_special");
  g.log_probabilities = o.log_probabilities;
  g.context_policy = ContextPolicy(o.context_policy);
  g.keep_prefix = o.keep_prefix;
  const auto stop_tokens = array_view(o.stop_tokens, o.stop_token_count, "stop_tokens");
  g.stop_tokens.assign(stop_tokens.begin(), stop_tokens.end());
  for (const char* s : array_view(o.stop_strings, o.stop_string_count, "stop_strings")) {
    PUNA_REQUIRE(s != nullptr, "stop_strings[%zu] is NULL", g.stop_strings.size());
    g.stop_strings.emplace_back(s);
  }
  return g;
}

// `prompt(options)` gives the token ids, once the options have been read.
template <class Prompt>
void generate_through_c(puna_session* session, const puna_generate_options* theirs, puna_token_fn on_token, void* user,
                        puna_generate_result* result, Prompt&& prompt) {
  Session& s = use(session);
  const puna_generate_options o = read_options(theirs, "puna_generate_options");
  GenerateOptions options = generate_options_from_c(o);
  if (result) checked_struct_size(result->struct_size, "puna_generate_result");

  const auto process = [&](std::span<float> logits, std::span<const int32_t> history) {
    if (o.process_logits(o.process_user, logits.data(), logits.size(), history.data(), history.size()) != 0)
      fail(Status::cancelled, "process_logits asked to stop");
  };
  if (o.process_logits) options.processor = Sampler::Processor(process);

  std::vector<puna_token_probability> probabilities;
  const auto forward = [&](const GeneratedToken& t) {
    probabilities.clear();
    for (const TokenProbability& p : t.probabilities) probabilities.push_back({p.token, p.log_probability});
    puna_generated_token token{sizeof(puna_generated_token), t.id, t.text.data(), t.text.size(), nullptr, probabilities.size()};
    if (!probabilities.empty()) token.probabilities = probabilities.data();
    return on_token(user, &token) == 0;
  };

  const std::vector<int32_t> ids = prompt(o);
  const GenerateResult r = generate(s, ids, options, on_token ? OnToken(forward) : OnToken());
  if (result) {
    puna_generate_result c{};
    c.stop_reason = int32_t(r.reason);
    c.prompt_tokens = r.prompt_tokens;
    c.generated_tokens = int64_t(r.tokens.size());
    c.prompt_seconds = r.prompt_seconds;
    c.generate_seconds = r.generate_seconds;
    c.last_token = r.tokens.empty() ? -1 : r.tokens.back();
    write_info(c, result, "puna_generate_result");
  }
  if (r.reason == StopReason::callback) fail(Status::cancelled, "the token callback asked to stop");
}

}  // namespace

puna_status puna_session_generate(puna_session* session, const char* prompt, size_t bytes, const puna_generate_options* options,
                                  puna_token_fn on_token, void* user, puna_generate_result* result) {
  return guard([&] {
    const std::string_view text = text_view(prompt, bytes, "prompt");
    generate_through_c(session, options, on_token, user, result, [&](const puna_generate_options& o) {
      const Session& s = *session->impl;
      return encode_prompt(s.model().require_tokenizer(), text, flag(o.parse_special, "parse_special"), s.length() == 0);
    });
  });
}

puna_status puna_session_generate_tokens(puna_session* session, const int32_t* prompt, size_t count,
                                         const puna_generate_options* options, puna_token_fn on_token, void* user,
                                         puna_generate_result* result) {
  return guard([&] {
    const auto ids = array_view(prompt, count, "prompt");
    generate_through_c(session, options, on_token, user, result,
                       [&](const puna_generate_options&) { return std::vector<int32_t>(ids.begin(), ids.end()); });
  });
}
