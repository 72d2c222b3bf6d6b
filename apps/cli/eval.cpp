// puna eval, and of it compare: whether one model is better than another.
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "eval.h"
#include "interrupt.h"
#include "output.h"
#include "puna/base/error.h"
#include "puna/eval/compare.h"
#include "verbs.h"

namespace puna::cli {
namespace {

struct CompareFlags {
  std::vector<std::string> runs;
  eval::RunOptions read;
  eval::CompareOptions options;
  float level = 0.95f;
  bool json = false;
};

void run_compare(CompareFlags& f) {
  if (f.runs.size() < 2) usage_error_missing("RUN: two at least");
  f.options.level = std::round(double(f.level) * 1e6) / 1e6;  // as it was written, .95
  const eval::Comparison comparison = stoppable([&](const Watch& watch) {
    std::vector<eval::Run> runs;
    for (const std::string& path : f.runs) runs.push_back(eval::read_run(path, f.read, watch));
    return eval::compare_runs(runs, f.options, watch);
  });
  print(f.json ? json_of(comparison, f.options) + "\n" : text_of(comparison, f.options));
}

void add_eval_compare(const Verb& eval_group) {
  const auto f = std::make_shared<CompareFlags>();
  const Verb verb(eval_group, "compare", "Paired differences of the runs to the first: better, worse, or cannot tell");
  verb.option("RUN", f->runs,
              "two or more: what puna eval run wrote (NAME.json), samples_*.jsonl of lm-evaluation-harness or a folder "
              "of them, or JSON lines of answers: "
              "{\"item\", \"score\"} or {\"item\", \"answer\", \"target\"}")
      .required();
  verb.option("--metric", f->read.metric, "which of the files' metrics (default: their first)");
  verb.option("--filter", f->read.filter, "which of the files' filters, where they have several");
  verb.option("--cluster", f->read.cluster,
              "a field of the lines or of their \"doc\": items with the same value belong together (default: "
              "\"cluster\" where lines have it)");
  verb.option("--level", f->level, "of the intervals and the verdict (default 0.95)").within(0.5, 0.9999);
  verb.option("--draws", f->options.bootstrap.draws, "of the bootstrap (default 10000)").within(100, 1e7);
  verb.option("--seed", f->options.bootstrap.seed, "of the bootstrap (default 1234)");
  verb.flag("--lower-is-better", f->options.lower_is_better,
            "the metric is a loss (perplexities, bits per byte and Brier scores are known)");
  verb.flag("--json", f->json, "one line of JSON instead of text");
  verb.run([f] { run_compare(*f); });
}

}  // namespace

void add_eval(CLI::App& app) {
  const Verb eval_group(app, "eval", "Score models, and compare what they answered");
  eval_group.require_verb();
  eval_group.refuse_empty_texts();
  add_eval_run(eval_group);
  add_eval_quant(eval_group);
  add_eval_needle(eval_group);
  add_eval_compare(eval_group);
}

}  // namespace puna::cli
