// puna ads plan: a brief to the texts of its advertisements, or a plan once more.
#include <cstdlib>
#include <ctime>

#include "ads.h"
#include "base/os.h"
#include "common.h"
#include "interrupt.h"
#include "progress.h"
#include "puna/ads/plan.h"
#include "puna/base/error.h"
#include "puna/runtime/adapter_file.h"
#include "runtime/opening/fingerprint.h"

namespace puna::cli {
namespace {

struct PlanFlags {
  ModelFlags machine;  // without a model of its own
  std::string brief, out, replay, model, adapter, rules, placements;
  float temperature = 0.9f, top_p = 0.95f;
  int parallel = 16;
  bool exact = false, json = false;
};

// The model that `./dev fetch smollm2` puts there.
std::string default_model() {
  const char *models = getenv("PUNA_MODELS"), *home = getenv("HOME");
  const std::string folder = models && *models ? models : std::string(home ? home : ".") + "/.cache/puna/models";
  const std::string path = folder + "/SmolLM2-135M-Instruct.Q4_1.gguf";
  if (!os::is_file(path))
    fail(Status::invalid_argument, "no model: --model names one (%s is not there; ./dev fetch smollm2 brings it)",
         path.c_str());
  return path;
}

std::string now_utc() {
  const time_t now = time(nullptr);
  tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

std::string list_of(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& w : words) all += (all.empty() ? "" : ", ") + w;
  return all;
}

void print_plan(const ads::Plan& plan, double seconds) {
  int64_t variants = 0, texts = 0;
  for (const ads::PlannedPlacement& p : plan.placements)
    for (const ads::PlannedVariant& v : p.variants) {
      ++variants;
      print_format("%s\n", v.id.c_str());
      for (const ads::PlannedText& t : v.texts) {
        ++texts;
        print_format("  %-14s %3jd/%-3jd  %s%s%s%s\n", t.field.c_str(), intmax_t(t.length), intmax_t(t.limit),
                     t.text.c_str(), t.facts.empty() ? "" : "  [", list_of(t.facts).c_str(),
                     t.facts.empty() ? "" : "]");
        for (const ads::Finding& f : t.findings)
          print_format("  %22s  %s %s: %s\n", "", ads::name_of(f.severity), f.rule.c_str(), f.reason.c_str());
      }
    }
  print_format(
      "%jd variants, %jd texts; the model wrote %jd, %.1f %% passed lint, %jd said what another one says, %jd texts "
      "are put together without it; %.2f s, %.3f s a variant\n",
      intmax_t(variants), intmax_t(texts), intmax_t(plan.written),
      plan.written ? 100.0 * double(plan.passed_lint) / double(plan.written) : 100.0, intmax_t(plan.duplicates),
      intmax_t(plan.without_model), seconds, variants ? seconds / double(variants) : 0.0);
}

ads::Plan write(const PlanFlags& f, const std::string& brief, const std::string& name, ads::PlanOptions options,
                const ads::PlanOrigin* again, double& seconds) {
  ModelFlags flags = f.machine;
  flags.path = options.model_path;
  flags.adapter = options.adapter_path;
  const ModelPtr model = flags.open();
  options.adapter = flags.open_adapter(*model);
  const ads::Placements placements = ads_placements(f.placements);
  options.placements = &placements;
  options.rules = ads_rules(f.rules);
  options.parallel = f.parallel;
  if (again) {
    const auto require = [](bool same, const char* what) {
      if (!same)
        fail(Status::invalid_argument, "the plan was written with another %s: it cannot be written again", what);
    };
    require(fingerprint(model->llama()) == again->model, "model");
    require((options.adapter ? options.adapter->fingerprint() : 0) == again->adapter, "adapter");
    require(options.rules->hash() == again->rules, "set of rules (--rules)");
    require(placements.hash == again->placements, "set of placements (--placements)");
  }
  ProgressBar bar("texts");
  options.progress = [&](int64_t done, int64_t total) { bar.update(uint64_t(done), uint64_t(total)); };
  const double start = seconds_now();
  ads::Plan plan = stoppable([&](const Watch& watch) { return ads::write_plan(brief, name, model, options, watch); });
  seconds = seconds_now() - start;
  bar.wipe();
  return plan;
}

void run_replay(const PlanFlags& f) {
  const std::string before = read_input(f.replay);
  ads::PlanOrigin origin = ads::plan_origin(before, f.replay);
  double seconds = 0;
  const std::string recorded = origin.options.model_path, recorded_adapter = origin.options.adapter_path;
  ads::PlanOptions options = origin.options;
  if (!f.model.empty()) options.model_path = f.model;
  if (!f.adapter.empty()) options.adapter_path = f.adapter;
  ads::Plan plan = write(f, origin.brief, f.replay + ": brief", options, &origin, seconds);
  // Where model and adapter lie is no part of what was written.
  const ads::PlanOrigin now = ads::plan_origin(plan.json, "the plan");
  std::string after = plan.json;
  const auto replace = [&](const std::string& from, const std::string& to) {
    const std::string key = "\"path\": " + printable(from);
    if (const size_t at = after.find(key); from != to && at != after.npos)
      after.replace(at, key.size(), "\"path\": " + printable(to));
  };
  replace(now.options.model_path, recorded);
  if (!recorded_adapter.empty()) replace(now.options.adapter_path, recorded_adapter);
  if (!f.out.empty()) write_text(f.out, after);
  if (after == before) {
    print_format("%s: the same %zu bytes, %.2f s\n", f.replay.c_str(), before.size(), seconds);
    return;
  }
  size_t at = 0;
  while (at < before.size() && at < after.size() && before[at] == after[at]) ++at;
  fail(Status::bad_file,
       "%s: written again it differs from byte %zu on: it was changed since, or written by another version",
       f.replay.c_str(), at);
}

void run_plan(const PlanFlags& f) {
  if (!f.replay.empty()) {
    return run_replay(f);
  }
  if (f.brief.empty()) usage_error_missing("BRIEF");
  ads::PlanOptions options;
  options.model_path = f.model.empty() ? default_model() : f.model;
  options.adapter_path = f.adapter;
  options.made_at = now_utc();
  options.temperature = f.temperature;
  options.top_p = f.top_p;
  options.exact = f.exact;
  double seconds = 0;
  const ads::Plan plan = write(f, read_input(f.brief), f.brief, options, nullptr, seconds);
  if (!f.out.empty()) write_text(f.out, plan.json);
  if (f.json)
    print(plan.json);
  else
    print_plan(plan, seconds);
  for (const std::string& note : plan.notes) warn(note);
}

}  // namespace

void add_ads_plan(const Verb& ads) {
  const auto f = std::make_shared<PlanFlags>();
  const Verb verb(
      ads, "plan",
      "The texts of advertisements from a brief: within limits, from facts alone, linted; nothing is published");
  const Option brief = verb.option("BRIEF", f->brief, "a JSON file: docs/ads.md");
  verb.output("--out", f->out, "the plan, a JSON file");
  verb.option("--replay", f->replay, "a plan: written again, it has to have the same bytes").excludes(brief);
  verb.option("--model", f->model,
              "a GGUF file or a Hugging Face folder (default: SmolLM2 in $PUNA_MODELS or ~/.cache/puna/models)");
  verb.option("--adapter", f->adapter, "the brand's voice: a LoRA adapter, a folder as PEFT's or a GGUF file");
  const auto is_new = [f] { return f->replay.empty(); };
  verb.option("--temperature", f->temperature, "of the model's choice (default 0.9)")
      .within(0, 10)
      .read_when(is_new, "without --replay: a plan brings its own");
  verb.option("--top-p", f->top_p, "keeps the likeliest tokens that have this probability together (default 0.95)")
      .within(0.001, 1)
      .read_when(is_new, "without --replay: a plan brings its own");
  verb.option("--parallel", f->parallel, "texts that are written at once (default 16); the texts are the same")
      .within(1, 256);
  verb.option("--rules", f->rules, "other rules of lint");
  verb.option("--placements", f->placements, "other placements");
  verb.flag("--exact", f->exact, "float32 activations, keys and values, dequantised weights")
      .read_when(is_new, "without --replay: a plan brings its own");
  verb.flag("--json", f->json, "print the plan").read_when(is_new, "without --replay");
  f->machine.add_machine(verb);
  verb.run([f] { run_plan(*f); });
}

}  // namespace puna::cli
