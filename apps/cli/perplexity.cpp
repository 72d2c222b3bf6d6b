// puna perplexity: how well a model predicts a text, over disjoint windows.
#include "base/json.h"
#include "common.h"
#include "interrupt.h"
#include "progress.h"
#include "puna/base/error.h"
#include "puna/runtime/generate.h"
#include "puna/runtime/prompt.h"
#include "verbs.h"

namespace puna::cli {
namespace {

struct PerplexityFlags {
  ModelFlags model;
  SessionFlags session;
  std::string file;
  int64_t window = 512, max_tokens = 0;
  bool json = false;
};

void run_perplexity(const PerplexityFlags& f) {
  const std::string text = read_input(f.file);
  const ModelPtr model = f.model.open();
  std::vector<int32_t> tokens = encode_prompt(model->require_tokenizer(), text, /*parse_special=*/false);
  if (f.max_tokens > 0 && tokens.size() > size_t(f.max_tokens)) tokens.resize(size_t(f.max_tokens));
  if (tokens.size() < size_t(f.window))
    fail(Status::invalid_argument, "%s: %zu tokens do not fill one window of %jd; give a smaller --ctx", f.file.c_str(),
         tokens.size(), f.window);

  Interrupt interrupt;
  Perplexity p;
  {
    ProgressBar bar("perplexity");
    p = perplexity(model, f.session.read(), tokens, f.window, [&](int64_t done, int64_t total) {
      bar.update(uint64_t(done), uint64_t(total));
      return !interrupt.requested();
    });
  }
  if (interrupt.requested()) fail(Status::cancelled, "stopped");
  if (f.json) {
    const nlohmann::ordered_json out = {{"mean_nll", p.mean_nll},     {"standard_error", p.standard_error},
                                        {"perplexity", p.perplexity}, {"scored_tokens", p.scored_tokens},
                                        {"windows", p.windows},       {"ctx", f.window}};
    print(json_text(out) + "\n");
  } else {
    print_format("mean NLL   %.5f +- %.5f nats\nperplexity %.4f\n%jd tokens scored in %jd windows of %jd\n", p.mean_nll,
                 p.standard_error, p.perplexity, p.scored_tokens, p.windows, f.window);
  }
}

}  // namespace

void add_perplexity(CLI::App& app) {
  const auto f = std::make_shared<PerplexityFlags>();
  const Verb verb(app, "perplexity", "Measure how well a model predicts a text");
  f->model.add(verb);
  verb.option("--file", f->file, "the text; - is standard input").required();
  verb.option("--ctx", f->window, "tokens a window (default 512); the first of each is not scored").at_least(2);
  verb.option("--max-tokens", f->max_tokens, "use only the first tokens of the text; 0 = all").at_least(0);
  f->session.add(verb);
  verb.flag("--json", f->json, "print JSON");
  verb.run([f] { run_perplexity(*f); });
}

}  // namespace puna::cli
