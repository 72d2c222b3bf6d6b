// puna quantize: a model's matrices in another weight type, as GGUF; and, on a text, what that changed: perplexity of
// both, and how far the distributions of the next token are apart (Kullback-Leibler divergence from the source, mean
// and quantiles over tokens).
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "common.h"
#include "interrupt.h"
#include "progress.h"
#include "puna/base/error.h"
#include "puna/runtime/compare.h"
#include "puna/runtime/prompt.h"
#include "puna/runtime/save.h"
#include "verbs.h"

namespace puna::cli {
namespace {

struct QuantizeFlags {
  ModelFlags model;
  std::string out, type, calibrate, measure;
  int64_t window = 512, max_tokens = 8192;
};

std::vector<int32_t> tokens_of(const QuantizeFlags& f, const Model& model, const std::string& file) {
  std::vector<int32_t> tokens = encode_prompt(model.require_tokenizer(), read_input(file), false);
  tokens.resize(std::min(tokens.size(), size_t(f.max_tokens)));
  return tokens;
}

void run_quantize(const QuantizeFlags& f) {
  SaveOptions options;
  options.matrices = weight_type(f.type);
  const ModelPtr model = f.model.open();
  std::vector<int32_t> calibration, measured;  // both before anything is written
  if (!f.calibrate.empty()) calibration = tokens_of(f, *model, f.calibrate);
  if (!f.measure.empty()) measured = tokens_of(f, *model, f.measure);
  Interrupt interrupt;
  if (!f.calibrate.empty()) {
    ProgressBar bar("calibrating");
    options.importance = measure_importance(model, calibration, f.window, [&](int64_t done, int64_t total) {
      bar.update(uint64_t(done), uint64_t(total));
      return !interrupt.requested();
    });
  }
  write_model(*model, f.out, options, interrupt);
  if (f.measure.empty()) return;
  const ModelPtr quantised = Model::open(model->context_ptr(), f.out);
  ProgressBar bar("comparing");
  const Divergence d = compare_models(model, quantised, measured, f.window, [&](int64_t done, int64_t total) {
    bar.update(uint64_t(done), uint64_t(total));
    return !interrupt.requested();
  });
  print_format(
      "perplexity  source %.4f   %s %.4f\nKL divergence  mean %.6f   median %.6f   99 %% %.5f   largest %.4f "
      "nats\nsame most likely token  %.2f %%\n%jd tokens\n",
      std::exp(d.source_nll), f.type.c_str(), std::exp(d.other_nll), d.mean, d.median, d.high, d.largest,
      100 * d.same_best, d.tokens);
}

}  // namespace

void add_quantize(CLI::App& app) {
  const auto f = std::make_shared<QuantizeFlags>();
  const Verb verb(app, "quantize", "Write a model in another weight type, and measure what that changes");
  f->model.add(verb);
  verb.output("OUT", f->out, "the GGUF file to write").required();
  verb.option("--type", f->type,
              "Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_NL IQ4_XS MXFP4 TQ1_0 TQ2_0 F16 BF16 F32")
      .required();
  verb.option("--calibrate", f->calibrate,
              "a text whose activations say which columns matter (K-quants and IQ4 make use of it)");
  verb.option("--measure", f->measure, "a text on which both models are compared");
  verb.option("--ctx", f->window, "tokens a window (default 512)").at_least(2);
  verb.option("--max-tokens", f->max_tokens, "of each text (default 8192)").at_least(2);
  verb.run([f] { run_quantize(*f); });
}

}  // namespace puna::cli
