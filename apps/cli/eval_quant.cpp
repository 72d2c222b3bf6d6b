// puna eval quant: what quantisations of one model lose, and what they save.
#include <algorithm>

#include "base/format.h"
#include "base/json.h"
#include "base/os.h"
#include "common.h"
#include "eval.h"
#include "interrupt.h"
#include "progress.h"
#include "puna/base/error.h"
#include "puna/eval/compare.h"
#include "puna/eval/evaluation.h"
#include "puna/eval/quantised.h"
#include "task_files.h"

namespace puna::cli {
namespace {

constexpr int64_t kDecoded = 32;  // tokens, to time them

struct QuantFlags {
  ModelFlags model;  // of the base
  std::vector<std::string> quantised;
  std::string file, task = "arc_easy", data;
  int64_t ctx = 512, max_tokens = 0, limit = 0;
  bool json = false;
};

ModelPtr open_beside(const Model& base, const std::string& path) {
  const Interrupt interrupt;
  ProgressBar bar("loading " + path);
  return Model::open(base.context_ptr(), path, [&](uint64_t done, uint64_t total) {
    bar.update(done, total);
    return !interrupt.requested();
  });
}

uint64_t weight_bytes(const std::string& path) {
  if (!os::is_directory(path)) return os::file_stamp(path).bytes;
  uint64_t sum = 0;
  for (const std::string& name : os::list_folder(path))
    if (name.ends_with(".safetensors")) sum += os::file_stamp(path + "/" + name).bytes;
  return sum;
}

double decoded_a_second(const ModelPtr& model, std::span<const int32_t> prompt) {
  Session session(model, {});
  session.append(prompt.first(std::min<size_t>(prompt.size(), 64)));
  GenerateOptions g;
  g.max_tokens = kDecoded;
  g.ignore_eos = true;
  generate(session, {}, g);
  const SessionTimings& t = session.timings();
  return t.decode_seconds > 0 ? double(t.decoded_tokens) / t.decode_seconds : 0;
}

// The task's samples on a model, as a run to compare.
class TaskScores {
 public:
  explicit TaskScores(const QuantFlags& f) : limit_(f.limit) {
    stoppable([&](const Watch& watch) {
      task_ = load_task(f.task, watch);
      items_ = load_split(task_, task_.evaluated_split(), f.data, watch);
      if (task_.num_fewshot > 0) shots_ = load_split(task_, task_.shots_split(), f.data, watch);
    });
  }
  eval::Run run(const ModelPtr& model, const std::string& name) const {
    eval::EvaluationOptions o;
    o.limit = limit_;
    o.date = today();
    eval::Evaluation e(model, task_, items_, shots_, o);
    const Interrupt interrupt;
    ProgressBar bar(task_.name);
    e.run(
        [&](const std::string&) {
          bar.update(uint64_t(e.answered()), uint64_t(e.requests()));
          return !interrupt.requested();
        },
        [&] { return interrupt.requested(); });
    return eval::read_run_text(e.samples(), name, task_.name, {});
  }

 private:
  eval::Task task_;
  std::vector<std::string> items_, shots_;
  int64_t limit_;
};

void run_quant(const QuantFlags& f) {
  const std::string text = read_input(f.file);
  const std::unique_ptr<TaskScores> scores = f.data.empty() ? nullptr : std::make_unique<TaskScores>(f);
  const ModelPtr base = f.model.open();
  std::vector<int32_t> tokens = encode_prompt(base->require_tokenizer(), text, /*parse_special=*/false);
  if (f.max_tokens > 0 && tokens.size() > size_t(f.max_tokens)) tokens.resize(size_t(f.max_tokens));
  const auto a_second = [](int64_t count, double seconds) { return seconds > 0 ? double(count) / seconds : 0; };
  eval::Run of_base;
  if (scores) of_base = scores->run(base, f.model.path);
  const double base_decoded = decoded_a_second(base, tokens);
  const uint64_t base_bytes = weight_bytes(f.model.path);
  OrderedJson all = OrderedJson::array();
  std::string report;
  for (const std::string& path : f.quantised) {
    const ModelPtr other = open_beside(*base, path);
    eval::QuantisationLoss loss;
    {
      const Interrupt interrupt;
      ProgressBar bar(path);
      loss = eval::compare_quantised(base, other, tokens, f.ctx, [&](int64_t done, int64_t total) {
        bar.update(uint64_t(done), uint64_t(total));
        return !interrupt.requested();
      });
    }
    const uint64_t bytes = weight_bytes(path);
    const double decoded = decoded_a_second(other, tokens);
    const double prompt = a_second(loss.tokens, loss.seconds), base_prompt = a_second(loss.tokens, loss.base_seconds);
    report += path + " against " + f.model.path + ", " + std::to_string(loss.positions) + " positions\n";
    report += eval::text_of(loss);
    report += format("  %-30s %11.1f MB, base %.1f\n", "size", double(bytes) / 1e6, double(base_bytes) / 1e6);
    report += format("  %-30s %11.1f tokens/s, base %.1f\n", "reading", prompt, base_prompt);
    report += format("  %-30s %11.1f tokens/s, base %.1f\n", "writing", decoded, base_decoded);
    OrderedJson one = {{"base", f.model.path}, {"quantised", path}, {"bytes", bytes}, {"base_bytes", base_bytes}};
    one["tokens_a_second"] = {{"reading", prompt}, {"writing", decoded}};
    one["base_tokens_a_second"] = {{"reading", base_prompt}, {"writing", base_decoded}};
    one["loss"] = parse_ordered_json(eval::json_of(loss), "table");
    if (scores) {
      const eval::CompareOptions options;
      const eval::Comparison c = eval::compare_runs({of_base, scores->run(other, path)}, options);
      report += eval::text_of(c, options);
      one["task"] = parse_ordered_json(eval::json_of(c, options), "comparison");
    }
    all.push_back(std::move(one));
  }
  print(f.json ? json_text(all) + "\n" : report);
  if (!scores) fprintf(stderr, "puna: %s was not asked: --data says where its items are\n", f.task.c_str());
}

}  // namespace

void add_eval_quant(const Verb& eval_group) {
  const auto f = std::make_shared<QuantFlags>();
  const Verb verb(eval_group, "quant", "What quantisations lose: KL divergence, probabilities, speed, a task's score");
  f->model.add(verb);
  verb.option("QUANTISED", f->quantised, "one or more models made from MODEL").required();
  verb.option("--file", f->file, "a text that both read; - is standard input").required();
  verb.option("--ctx", f->ctx, "tokens a chunk (default 512); the second half of each counts").at_least(4);
  verb.option("--max-tokens", f->max_tokens, "use only the first tokens of the text; 0 = all").at_least(0);
  const auto runs_task = [f] { return !f->data.empty(); };
  verb.option("--task", f->task, "scored on both, and compared item by item (default arc_easy)")
      .read_when(runs_task, "with --data");
  verb.option("--data", f->data, "the task's items: a file, or a folder; without it no task is run");
  verb.option("--limit", f->limit, "the task's first so many items (default 0 = all)")
      .at_least(0)
      .read_when(runs_task, "with --data");
  verb.flag("--json", f->json, "print JSON instead of text");
  verb.run([f] { run_quant(*f); });
}

}  // namespace puna::cli
