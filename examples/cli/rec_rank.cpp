// puna rec rank: trains a ranker by a recipe, judges it on events that it has not seen, and, on request, against a ranker for each surface alone.
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/os.h"
#include "common.h"
#include "interrupt.h"
#include "progress.h"
#include "puna/base/error.h"
#include "puna/recsys/metrics.h"
#include "puna/recsys/ranker_trainer.h"
#include "puna/train/data.h"
#include "rec_recipe.h"
#include "svg_plot.h"
#include "verbs.h"

namespace puna::cli {
namespace {

using namespace recsys;
using OrderedJson = nlohmann::ordered_json;

struct RankFlags {
  ModelFlags context;
  std::string recipe, data, out, interaction, split = "random", calibrate = "platt", optimizer = "adamw";
  int64_t epochs = 20, batch = 512, patience = 3, seeds = 1;
  float learning_rate = 1e-3f, table_rate = 0.05f, table_decay = 3e-4f, decay = 0, dropout = 0;
  uint64_t seed = 42;
  bool apart = false;

  RankerTrainerOptions options(uint64_t run_seed) const {
    if (optimizer != "adamw" && optimizer != "adagrad") fail(Status::invalid_argument, "--optimizer is '%s', expected adamw or adagrad", optimizer.c_str());
    RankerTrainerOptions o;
    o.optimizer.kind = optimizer == "adamw" ? train::OptimizerKind::adamw : train::OptimizerKind::adagrad;
    o.optimizer.learning_rate = double(learning_rate);
    o.optimizer.weight_decay = double(decay);
    o.table_rate = double(table_rate);
    o.table_decay = double(table_decay);
    o.dropout = dropout;
    o.seed = run_seed;
    return o;
  }
};

using Places = std::vector<int64_t>;  // of examples

// 80 % to learn from, 10 % to choose when to stop and to calibrate, 10 % to judge by.
struct Parts {
  Places train, valid, test;
  Parts(const RecipeData& data, const std::string& how, uint64_t seed) {
    const int64_t n = data.examples.size();
    Places order = train::shuffled(n, seed, 0);
    if (how == "time") {
      std::sort(order.begin(), order.end());
      std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return data.times[size_t(a)] < data.times[size_t(b)]; });
    } else if (how != "random") {
      fail(Status::invalid_argument, "--split is '%s', expected random or time", how.c_str());
    }
    train.assign(order.begin(), order.begin() + n * 8 / 10);
    valid.assign(order.begin() + n * 8 / 10, order.begin() + n * 9 / 10);
    test.assign(order.begin() + n * 9 / 10, order.end());
  }
  // Those of one surface.
  Parts of(const ExampleSet& all, int32_t surface) const {
    Parts p = *this;
    for (Places* part : {&p.train, &p.valid, &p.test}) std::erase_if(*part, [&](int64_t i) { return all.surface(i) != surface; });
    return p;
  }
};

ExampleSet chosen(const RecipeData& data, std::span<const int64_t> places) {
  ExampleSet set(data.config);
  set.add(data.examples, places);
  return set;
}

// Of one task, and of one surface or all (-1).
struct Judged {
  std::vector<float> predicted, observed;
  Judged(const ExampleSet& set, const std::vector<float>& p, size_t tasks, size_t task, int32_t surface) {
    for (int64_t i = 0; i < set.size(); ++i)
      if (set.known(i, task) && (surface < 0 || set.surface(i) == surface)) {
        predicted.push_back(p[size_t(i) * tasks + task]);
        observed.push_back(set.value(i, task));
      }
  }
};

double validation_loss(const Ranker& ranker, const ExampleSet& set) {
  const std::vector<float> p = ranker.score(set.examples());
  double loss = 0;
  for (size_t t = 0; t < ranker.config().tasks.size(); ++t) {
    const Judged j(set, p, ranker.config().tasks.size(), t, -1);
    if (!j.predicted.empty()) loss += ranker.config().tasks[t].weight * evaluate_probabilities(j.predicted, j.observed).log_loss;
  }
  return loss;
}

void fit_calibrators(Ranker& ranker, const ExampleSet& set, const std::string& how) {
  if (how == "none") return;
  if (how != "platt" && how != "isotonic") fail(Status::invalid_argument, "--calibrate is '%s', expected platt, isotonic or none", how.c_str());
  const std::vector<float> p = ranker.score(set.examples());
  for (size_t s = 0; s < ranker.config().surfaces.size(); ++s)
    for (size_t t = 0; t < ranker.config().tasks.size(); ++t) {
      const Judged j(set, p, ranker.config().tasks.size(), t, int32_t(s));
      if (!j.predicted.empty()) ranker.set_calibrator(s, t, how == "platt" ? Calibrator::platt(j.predicted, j.observed) : Calibrator::isotonic(j.predicted, j.observed));
    }
}

// The ranker after the epoch that foretold the validation part best; stops when `patience` epochs made it no better.
std::shared_ptr<Ranker> trained(const ContextPtr& context, const RecipeData& data, const Parts& parts, const RankFlags& f, uint64_t seed, const char* what) {
  const auto ranker = Ranker::create(context, data.config, seed);
  RankerTrainer trainer(ranker, f.options(seed));
  const ExampleSet valid = chosen(data, parts.valid);
  std::shared_ptr<Ranker> best;
  double least = INFINITY;
  Interrupt interrupt;
  ProgressBar bar(what);
  for (int64_t epoch = 0, since = 0; epoch < f.epochs && since < f.patience; ++epoch, ++since) {
    const Places order = train::shuffled(int64_t(parts.train.size()), seed, epoch);
    double loss = 0;
    for (size_t first = 0; first < order.size(); first += size_t(f.batch)) {
      Places batch;
      for (size_t i = first; i < std::min(order.size(), first + size_t(f.batch)); ++i) batch.push_back(parts.train[size_t(order[i])]);
      const ExampleSet set = chosen(data, batch);
      loss += trainer.learn(set.examples(), set.outcomes(), nullptr, [&] { return interrupt.requested(); }).loss * double(batch.size());
      bar.update(uint64_t(epoch) * order.size() + first, uint64_t(f.epochs) * order.size());
    }
    const double held_out = validation_loss(*ranker, valid);
    if (is_terminal(stderr)) fprintf(stderr, "\r%s, epoch %lld: loss %.4f, held out %.4f\x1b[K\n", what, static_cast<long long>(epoch + 1), loss / double(order.size()), held_out);
    if (held_out < least) {
      least = held_out;
      best = ranker->copy();
      since = -1;
    }
  }
  fit_calibrators(*best, valid, f.calibrate);
  return best;
}

OrderedJson json_of(const ProbabilityReport& r) {
  return {{"examples", r.examples}, {"base_rate", r.base_rate}, {"auc", r.auc}, {"log_loss", r.log_loss}, {"ne", r.ne}, {"predicted_over_observed", r.predicted_over_observed},
          {"ece", r.ece}, {"rmse", r.rmse}};
}

// {task: {"all": ..., surface: ...}}
OrderedJson judged(const Ranker& ranker, const ExampleSet& test) {
  const RankerConfig& c = ranker.config();
  const std::vector<float> p = ranker.score(test.examples());
  OrderedJson all;
  for (size_t t = 0; t < c.tasks.size(); ++t)
    for (int32_t s = -1; s < (c.surfaces.size() == 1 ? 0 : int32_t(c.surfaces.size())); ++s) {
      const Judged j(test, p, c.tasks.size(), t, s);
      if (!j.predicted.empty()) all[c.tasks[t].name][s < 0 ? "all" : c.surfaces[size_t(s)]] = json_of(evaluate_probabilities(j.predicted, j.observed));
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
  return calibration_plot("Calibration: foretold (across) and observed (up), ten bins of equal mass", lines);
}

// Means over the seeds of one task's NE, by surface; unified beside apart.
std::string surfaces_svg(const RankerConfig& c, const OrderedJson& runs) {
  std::vector<PlotSeries> bars{{"unified: NE of " + c.tasks[0].name, {}, {}}, {"one ranker a surface", {}, {}}};
  for (const std::string& s : c.surfaces)
    for (size_t i = 0; i < 2; ++i) {
      double sum = 0;
      for (const OrderedJson& run : runs) sum += run.at(i == 0 ? "unified" : "apart").at(c.tasks[0].name).at(s).at("ne").get<double>();
      bars[i].y.push_back(sum / double(runs.size()));
    }
  return bar_plot("Normalised entropy by surface", c.surfaces, bars);
}

void print_table(const char* what, const OrderedJson& report) {
  for (const auto& [task, surfaces] : report.items())
    for (const auto& [surface, r] : surfaces.items())
      fprintf(stderr, "%-8s %-10s %-10s AUC %.4f  log loss %.4f  NE %.4f  ECE %.4f  predicted/observed %.3f\n", what, task.c_str(), surface.c_str(), r.at("auc").get<double>(),
              r.at("log_loss").get<double>(), r.at("ne").get<double>(), r.at("ece").get<double>(), r.at("predicted_over_observed").get<double>());
}

void run_rank(const RankFlags& f) {
  const ContextPtr context = f.context.make_context();
  const RecipeData data = read_recipe(f.recipe, f.data, f.interaction);
  os::make_folder(f.out);
  OrderedJson runs = OrderedJson::array();
  for (int64_t run = 0; run < f.seeds; ++run) {
    const uint64_t seed = f.seed + uint64_t(run);
    const Parts parts(data, f.split, seed);
    const ExampleSet test = chosen(data, parts.test);
    const auto unified = trained(context, data, parts, f, seed, "unified");
    OrderedJson report{{"seed", seed}, {"split", f.split}, {"interaction", OrderedJson::parse(json_of(data.config)).at("interaction")}, {"unified", judged(*unified, test)}};
    print_table("unified", report["unified"]);
    if (f.apart) {
      for (size_t s = 0; s < data.config.surfaces.size(); ++s) {
        const Parts own = parts.of(data.examples, int32_t(s));
        const OrderedJson of_surface = judged(*trained(context, data, own, f, seed, data.config.surfaces[s].c_str()), chosen(data, own.test));
        for (const auto& [task, surfaces] : of_surface.items()) report["apart"][task][data.config.surfaces[s]] = surfaces.at(data.config.surfaces[s]);
      }
      print_table("apart", report["apart"]);
    }
    if (run == 0) {
      unified->save(f.out + "/ranker.safetensors");
      write_text(f.out + "/calibration.svg", calibration_svg(*unified, test));
    }
    runs.push_back(report);
  }
  write_text(f.out + "/report.json", runs.dump(1) + "\n");
  if (f.apart) write_text(f.out + "/surfaces.svg", surfaces_svg(data.config, runs));
  printf("%s\n", runs.dump().c_str());
}

}  // namespace

void add_rec_rank(const Verb& rec) {
  const auto f = std::make_shared<RankFlags>();
  const Verb verb(rec, "rank", "Train a ranker by a recipe (JSON) and judge it on events that it has not seen: AUC, NE, ECE by task and surface");
  verb.config("a TOML file with these options by their long names");
  verb.option("RECIPE", f->recipe, "which tables and columns describe an event, where it was, what came of it (examples/recommend)").required();
  verb.option("--data", f->data, "folder of the recipe's tables").required();
  verb.option("--out", f->out, "folder of the ranker, report.json and plots").required();
  verb.option("--interaction", f->interaction, "instead of the recipe's: linear, fm, concat, cross or dot");
  verb.option("--split", f->split, "random (default) or time: which tenth of the events is judged");
  verb.option("--calibrate", f->calibrate, "platt (default), isotonic or none; each surface and task on the validation tenth");
  verb.option("--epochs", f->epochs, "at most (default 20)").at_least(1);
  verb.option("--patience", f->patience, "epochs without a gain before it stops (default 3)").at_least(1);
  verb.option("--batch", f->batch, "events a step (default 512)").at_least(1);
  verb.option("--optimizer", f->optimizer, "of all but the table: adamw (default) or adagrad");
  verb.option("--lr", f->learning_rate, "its learning rate (default 1e-3)");
  verb.option("--decay", f->decay, "its weight decay (default 0)");
  verb.option("--table-lr", f->table_rate, "learning rate of the table's row-wise Adagrad (default 0.05)");
  verb.option("--table-decay", f->table_decay, "pulls the rows of a step's events to zero (default 3e-4)");
  verb.option("--dropout", f->dropout, "share of hidden values dropped (default 0)");
  verb.option("--seed", f->seed, "of the split, new weights and the order of events (default 42)");
  verb.option("--seeds", f->seeds, "runs with this and the following seeds (default 1)").at_least(1);
  verb.flag("--apart", f->apart, "also a ranker for each surface alone, for comparison");
  f->context.add_machine(verb);
  verb.run([f] { run_rank(*f); });
}

}  // namespace puna::cli
