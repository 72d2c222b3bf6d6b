// puna generate: raw text in, raw text out, no chat template.
#include "puna/runtime/generate.h"

#include <nlohmann/json.hpp>

#include "common.h"
#include "interrupt.h"
#include "puna/base/error.h"
#include "puna/runtime/prompt.h"
#include "verbs.h"

namespace puna::cli {
namespace {

struct Flags {
  ModelFlags model;
  SamplingFlags sampling;
  SessionOptions session;
  std::string prompt, tokens;
  int64_t max_tokens = 128;
  bool ignore_eos = false, special = false, json = false;
};

void run(const Flags& f) {
  const double start = seconds_now();
  const ModelPtr model = f.model.open();
  const double load_seconds = seconds_now() - start;
  const std::vector<int32_t> prompt =
      f.tokens.empty() ? encode_prompt(model->require_tokenizer(), f.prompt, f.special) : parse_tokens(f.tokens);

  GenerateOptions options;
  options.sampler = f.sampling.options;
  options.max_tokens = f.max_tokens;
  options.ignore_eos = f.ignore_eos;
  Session session(model, f.session);
  Interrupt interrupt(session);
  const GenerateResult result = generate(session, prompt, options, [&](const GeneratedToken& token) {
    if (!f.json) print(token.text);
    return !interrupt.requested();
  });
  if (result.reason == StopReason::callback) fail(Status::cancelled, "stopped");
  if (f.json) {
    const nlohmann::ordered_json out = {
        {"tokens", result.tokens},
        {"text", result.text},
        {"prompt_tokens", result.prompt_tokens},
        {"stop", int(result.reason)},
        {"seconds", {{"load", load_seconds}, {"prompt", result.prompt_seconds}, {"generate", result.generate_seconds}}}};
    print(out.dump() + "\n");
  } else if (is_terminal(stdout)) {
    print("\n");
  }
}

}  // namespace

void add_generate(CLI::App& app) {
  const auto f = std::make_shared<Flags>();
  CLI::App* verb = app.add_subcommand("generate", "Continue a text (no chat template)");
  f->model.add(*verb);
  CLI::Option* prompt = verb->add_option("--prompt", f->prompt, "the text to continue; beginning-of-text is added if the model asks for it");
  CLI::Option* tokens = verb->add_option("--tokens", f->tokens, "token ids instead, taken literally: 1,2,3; @F reads them from a file");
  tokens->excludes(prompt);
  verb->add_option("--max-tokens", f->max_tokens, "stop after so many tokens (default 128; 0 = no limit)")->check(CLI::NonNegativeNumber);
  f->sampling.add(*verb);
  verb->add_flag("--exact", f->session.exact, "float32 activations and KV, dequantised weights: the reference");
  verb->add_flag("--ignore-eos", f->ignore_eos, "do not stop at the model's stop tokens");
  verb->add_flag("--special", f->special, "parse special tokens in the prompt");
  verb->add_flag("--json", f->json, "print tokens, text and timings as JSON");
  verb->callback([f, prompt, tokens] {
    if (prompt->count() + tokens->count() == 0) throw CLI::RequiredError("--prompt or --tokens");
    run(*f);
  });
}

}  // namespace puna::cli
