// puna rec rank: trains a ranker by a recipe, judges it on events that it has not seen, and, on request, against a
// ranker for each surface alone.
#include <cstdio>

#include "base/json.h"
#include "puna/base/error.h"
#include "puna/recsys/metrics.h"
#include "rec_fit.h"
#include "run_log.h"
#include "svg_plot.h"
#include "verbs.h"

namespace puna::cli {
namespace {

using namespace recsys;

struct RankFlags : FitFlags {
  std::string out;
  int64_t seeds = 1;
  bool apart = false, overwrite = false;
};

OrderedJson json_of(const ProbabilityReport& r) {
  return {{"examples", r.examples},
          {"base_rate", r.base_rate},
          {"auc", r.auc},
          {"log_loss", r.log_loss},
          {"ne", r.ne},
          {"predicted_over_observed", r.predicted_over_observed},
          {"ece", r.ece},
          {"rmse", r.rmse}};
}

// {task: {"all": ..., surface: ...}}
OrderedJson judged_ranker(const Ranker& ranker, const ExampleSet& test) {
  const RankerConfig& c = ranker.config();
  const std::vector<float> p = ranker.score(test.examples());
  OrderedJson all;
  for (size_t t = 0; t < c.tasks.size(); ++t)
    for (int32_t s = -1; s < (c.surfaces.size() == 1 ? 0 : int32_t(c.surfaces.size())); ++s) {
      const Judged j(test, p, c.tasks.size(), t, s);
      if (!j.predicted.empty())
        all[c.tasks[t].name][s < 0 ? "all" : c.surfaces[size_t(s)]] =
            json_of(evaluate_probabilities(j.predicted, j.observed));
    }
  return all;
}

std::string calibration_svg(const Ranker& ranker, const ExampleSet& test) {
  const std::vector<float> p = ranker.score(test.examples());
  std::vector<PlotSeries> lines;
  for (size_t t = 0; t < ranker.config().tasks.size(); ++t) {
    const Judged j(test, p, ranker.config().tasks.size(), t, -1);
    lines.push_back({ranker.config().tasks[t].name, {}, {}});
    for (const CalibrationBin& b : evaluate_probabilities(j.predicted, j.observed).bins) {
      lines.back().x.push_back(b.predicted);
      lines.back().y.push_back(b.observed);
    }
  }
  return calibration_plot("Calibration: predicted (across) and observed (up), ten bins of equal mass", lines);
}

// Means over the seeds of one task's NE, by surface; unified beside apart.
std::string surfaces_svg(const RankerConfig& c, const OrderedJson& runs) {
  std::vector<PlotSeries> bars{{"unified: NE of " + c.tasks[0].name, {}, {}}, {"one ranker a surface", {}, {}}};
  for (const std::string& s : c.surfaces)
    for (size_t i = 0; i < 2; ++i) {
      double sum = 0;
      for (const OrderedJson& run : runs)
        sum += run.at(i == 0 ? "unified" : "apart").at(c.tasks[0].name).at(s).at("ne").get<double>();
      bars[i].y.push_back(sum / double(runs.size()));
    }
  return bar_plot("Normalised entropy by surface", c.surfaces, bars);
}

void print_table(const char* what, const OrderedJson& report) {
  for (const auto& [task, surfaces] : report.items())
    for (const auto& [surface, r] : surfaces.items())
      fprintf(stderr, "%-8s %-10s %-10s AUC %.4f  log loss %.4f  NE %.4f  ECE %.4f  predicted/observed %.3f\n", what,
              task.c_str(), surface.c_str(), r.at("auc").get<double>(), r.at("log_loss").get<double>(),
              r.at("ne").get<double>(), r.at("ece").get<double>(), r.at("predicted_over_observed").get<double>());
}

void run_rank(const RankFlags& f) {
  const ContextPtr context = f.context.make_context();
  const RecipeData data = read_recipe(f.recipe, f.data, f.interaction);
  const auto files = {"ranker.safetensors", "report.json", "calibration.svg", "surfaces.svg"};
  require_own_folder(f.out, files, f.overwrite);
  OrderedJson runs = OrderedJson::array();
  for (int64_t run = 0; run < f.seeds; ++run) {
    const uint64_t seed = f.seed + uint64_t(run);
    const Parts parts(data, f.split, seed);
    const ExampleSet test = chosen(data, parts.test);
    const auto unified = trained(context, data, parts, f, seed, "unified");
    OrderedJson report{{"seed", seed},
                       {"split", f.split},
                       {"interaction", OrderedJson::parse(json_of(data.config)).at("interaction")},
                       {"unified", judged_ranker(*unified, test)}};
    print_table("unified", report["unified"]);
    if (f.apart) {
      for (size_t s = 0; s < data.config.surfaces.size(); ++s) {
        const Parts own = parts.where([&](int64_t i) { return data.examples.surface(i) == int32_t(s); });
        const OrderedJson of_surface = judged_ranker(
            *trained(context, data, own, f, seed, data.config.surfaces[s].c_str()), chosen(data, own.test));
        for (const auto& [task, surfaces] : of_surface.items())
          report["apart"][task][data.config.surfaces[s]] = surfaces.at(data.config.surfaces[s]);
      }
      print_table("apart", report["apart"]);
    }
    if (run == 0) {
      os::make_folder(f.out);
      for (const char* file : files)  // a stopped run must not stand among what was before
        std::remove((f.out + "/" + file).c_str());
      unified->save(f.out + "/ranker.safetensors");
      write_text(f.out + "/calibration.svg", calibration_svg(*unified, test));
    }
    runs.push_back(report);
  }
  write_text(f.out + "/report.json", runs.dump(1, ' ', false, OrderedJson::error_handler_t::replace) + "\n");
  if (f.apart) write_text(f.out + "/surfaces.svg", surfaces_svg(data.config, runs));
  print_format("%s\n", json_text(runs).c_str());
}

}  // namespace

void add_rec_rank(const Verb& rec) {
  const auto f = std::make_shared<RankFlags>();
  const Verb verb(rec, "rank",
                  "Train a ranker by a recipe (JSON) and judge it on events that it has not seen: AUC, NE, ECE by task "
                  "and surface");
  f->add(verb);
  verb.option("--out", f->out, "folder of the ranker, report.json and plots").required();
  verb.option("--seeds", f->seeds, "runs with the seed and those that follow (default 1)").within(1, 10000);
  verb.flag("--overwrite", f->overwrite, "begin anew where --out holds a run of before: its files are removed");
  verb.flag("--apart", f->apart, "also a ranker for each surface alone, for comparison");
  verb.run([f] { run_rank(*f); });
}

}  // namespace puna::cli
