// read_completion.cpp -- OpenAI's completions and embeddings.
#include "requests.h"

namespace puna::serve {

CompletionRequest read_completion(const OrderedJson& body, const RequestLimits& limits) {
  Fields f(body, "");
  CompletionRequest r;
  r.model = f.text("model");
  read_inputs(f.require("prompt"), "prompt", limits.prompts, r.texts, r.tokens);
  read_sampler(f, limits, r.sampling);
  read_stop(f, "stop", limits, r.sampling);
  r.echo = f.flag("echo");
  r.sampling.max_tokens = f.integer("max_tokens", 16, r.echo ? 0 : 1, limits.max_tokens);
  r.sampling.n = int(f.integer("n", 1, 1, int64_t(limits.answers)));
  r.sampling.best_of = int(f.integer("best_of", r.sampling.n, r.sampling.n, int64_t(limits.answers)));
  const OrderedJson* logprobs = f.get("logprobs");
  if (logprobs && logprobs->is_boolean()) {
    if (f.flag("logprobs")) r.sampling.top_logprobs = 1;
  } else {
    r.sampling.top_logprobs = int(f.integer("logprobs", -1, 0, 5));
  }
  read_stream(f, r.stream, r.include_usage);
  if (r.stream && r.sampling.best_of > r.sampling.n)
    refuse("best_of", "'best_of' larger than 'n' cannot be streamed: the best is known at the end");
  if (r.echo && r.sampling.best_of > r.sampling.n) refuse("best_of", "'best_of' and 'echo' do not go together");
  if (r.sampling.max_tokens == 0 && r.sampling.n > 1)
    refuse("n", "'n' is " + std::to_string(r.sampling.n) + " with 'max_tokens' 0: the answers would be the same");
  const size_t prompts = r.texts.size() + r.tokens.size();
  if (prompts * size_t(r.sampling.best_of) > limits.prompts)
    refuse("n", "prompts times answers are more than " + std::to_string(limits.prompts));
  read_format(f, "response_format", true, limits, r.format);
  read_extensions(f, limits, r.format);
  f.refuse_unless("suffix", {R"("")"}, "the models here only write on");
  f.ignore({"user"});
  f.done();
  return r;
}

EmbeddingRequest read_embedding(const OrderedJson& body, const RequestLimits& limits) {
  Fields f(body, "");
  EmbeddingRequest r;
  r.model = f.text("model");
  read_inputs(f.require("input"), "input", limits.embeddings, r.texts, r.tokens);
  for (size_t i = 0; i < r.texts.size(); ++i)
    if (r.texts[i].empty()) refuse("input", "'input' holds an empty text");
  r.base64 = f.choice("encoding_format", {"float", "base64"}) == "base64";
  r.dimensions = f.integer("dimensions", 0, 1, 1 << 20);
  f.ignore({"user"});
  f.done();
  return r;
}

}  // namespace puna::serve
