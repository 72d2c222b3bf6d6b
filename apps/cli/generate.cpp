// puna generate: raw text in, raw text out, no chat template.
#include "puna/runtime/generate.h"

#include "base/json.h"
#include "common.h"
#include "grammars.h"
#include "interrupt.h"
#include "puna/base/error.h"
#include "puna/runtime/prompt.h"
#include "verbs.h"

namespace puna::cli {
namespace {

struct GenerateFlags {
  ModelFlags model;
  SamplingFlags sampling;
  SessionFlags session;
  DraftFlags drafts;
  GrammarFlags grammar;
  std::string prompt, tokens;
  int64_t max_tokens = 128;
  bool ignore_eos = false, special = false, json = false;
};

void run_generate(const GenerateFlags& f) {
  const GrammarPtr grammar = f.grammar.open();
  const double start = seconds_now();
  const ModelPtr model = f.model.open();
  const double load_seconds = seconds_now() - start;
  const std::vector<int32_t> prompt = !f.tokens.empty() ? parse_tokens(f.tokens) : stoppable([&](const Watch& watch) {
    return encode_prompt(model->require_tokenizer(), f.prompt, f.special, /*at_start=*/true, watch);
  });

  GenerateOptions options;
  options.sampler = f.sampling.options;
  options.max_tokens = f.max_tokens;
  options.ignore_eos = f.ignore_eos;
  options.grammar = grammar;
  options.close_answer = f.grammar.close();
  SessionOptions session_options = f.session.read();
  session_options.adapter = f.model.open_adapter(*model);
  Session session(model, session_options);
  const std::unique_ptr<Session> draft = f.drafts.open(*model);
  f.drafts.apply(options, draft.get());
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
        {"incomplete", !result.whole},
        {"drafts", {{"accepted", result.accepted_drafts}, {"rejected", result.rejected_drafts}}},
        {"seconds",
         {{"load", load_seconds}, {"prompt", result.prompt_seconds}, {"generate", result.generate_seconds}}}};
    print(json_text(out) + "\n");
  } else {
    if (is_terminal(stdout)) print("\n");
    f.drafts.report(result.accepted_drafts, result.rejected_drafts);
    require_complete(result, /*cut_by_length=*/false, options.close_answer);
  }
}

}  // namespace

void add_generate(CLI::App& app) {
  const auto f = std::make_shared<GenerateFlags>();
  const Verb verb(app, "generate", "Continue a text (no chat template)");
  f->model.add(verb);
  f->model.add_adapter(verb);
  const Option prompt =
      verb.option("--prompt", f->prompt, "the text to continue; beginning-of-text is added if the model asks for it");
  const Option tokens =
      verb.option("--tokens", f->tokens, "token ids instead, taken literally: 1,2,3; @F reads them from a file");
  tokens.excludes(prompt);
  verb.option("--max-tokens", f->max_tokens, "stop after so many tokens (default 128; 0 = no limit)").at_least(0);
  f->sampling.add(verb);
  f->session.add(verb);
  f->drafts.add(verb);
  f->grammar.add(verb);
  f->grammar.add_closing(verb);
  verb.flag("--ignore-eos", f->ignore_eos, "do not stop at the model's stop tokens");
  verb.flag("--special", f->special, "parse special tokens in the prompt");
  verb.flag("--json", f->json, "print tokens, text and timings as JSON");
  verb.run([f, prompt, tokens] {
    if (!prompt.given() && !tokens.given()) usage_error_missing("--prompt or --tokens");
    run_generate(*f);
  });
}

}  // namespace puna::cli
