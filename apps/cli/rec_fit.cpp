#include "rec_fit.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "interrupt.h"
#include "progress.h"
#include "puna/base/error.h"
#include "puna/recsys/metrics.h"
#include "puna/train/data.h"

namespace puna::cli {

using namespace recsys;

RankerTrainerOptions FitFlags::options(uint64_t run_seed) const {
  if (optimizer != "adamw" && optimizer != "adagrad")
    fail(Status::invalid_argument, "--optimizer is '%s', expected adamw or adagrad", optimizer.c_str());
  if (calibrate != "platt" && calibrate != "isotonic" && calibrate != "none")
    fail(Status::invalid_argument, "--calibrate is '%s', expected platt, isotonic or none", calibrate.c_str());
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

void FitFlags::add(const Verb& verb) {
  verb.config("a TOML file with these options by their long names");
  verb.option("RECIPE", recipe,
              "which tables and columns describe an event, where it was, what came of it (examples/recommend)")
      .required();
  verb.option("--data", data, "folder of the recipe's tables").required();
  verb.option("--interaction", interaction, "instead of the recipe's: linear, fm, concat, cross or dot");
  verb.option("--split", split, "random (default) or time: which tenth of the events is judged");
  verb.option("--calibrate", calibrate,
              "platt (default), isotonic or none; each surface and task on the validation tenth");
  verb.option("--epochs", epochs, "at most (default 20)").within(1, 1e9);
  verb.option("--patience", patience, "epochs without a gain before it stops (default 3)").within(1, 1e9);
  verb.option("--batch", batch, "events a step (default 512)").within(1, 1e9);
  verb.option("--optimizer", optimizer, "of all but the table: adamw (default) or adagrad");
  verb.option("--lr", learning_rate, "its learning rate (default 1e-3)").within(1e-9, 100);
  verb.option("--decay", decay, "its weight decay (default 0)").within(0, 1000);
  verb.option("--table-lr", table_rate, "learning rate of the table's row-wise Adagrad (default 0.05)")
      .within(1e-9, 1000);
  verb.option("--table-decay", table_decay, "pulls the rows of a step's events to zero (default 3e-4)").within(0, 1000);
  verb.option("--dropout", dropout, "share of hidden values dropped (default 0)").within(0, 0.99);
  verb.option("--seed", seed, "of the split, new weights and the order of events (default 42)");
  context.add_machine(verb);
}

Parts::Parts(const RecipeData& data, const std::string& how, uint64_t seed) {
  const int64_t n = data.examples.size();
  Places order = train::shuffled(n, seed, 0);
  if (n < 10)
    fail(Status::invalid_argument, "there are %jd events, expected at least 10: a tenth is held out, another judged",
         n);
  if (how == "time") {
    if (data.order.empty())
      fail(Status::invalid_argument, "--split time: the recipe names no column of times (\"time\": \"timestamp\")");
    std::sort(order.begin(), order.end());
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t a, int64_t b) { return data.order[size_t(a)] < data.order[size_t(b)]; });
  } else if (how != "random") {
    fail(Status::invalid_argument, "--split is '%s', expected random or time", how.c_str());
  }
  train.assign(order.begin(), order.begin() + n * 8 / 10);
  valid.assign(order.begin() + n * 8 / 10, order.begin() + n * 9 / 10);
  test.assign(order.begin() + n * 9 / 10, order.end());
}

ExampleSet chosen(const RecipeData& data, std::span<const int64_t> places) {
  ExampleSet set(data.config);
  set.add(data.examples, places);
  return set;
}

Judged::Judged(const ExampleSet& set, const std::vector<float>& p, size_t tasks, size_t task, int32_t surface) {
  for (int64_t i = 0; i < set.size(); ++i)
    if (set.known(i, task) && (surface < 0 || set.surface(i) == surface)) {
      predicted.push_back(p[size_t(i) * tasks + task]);
      observed.push_back(set.value(i, task));
    }
}

namespace {

// The configuration with mean and standard deviation of each number among these examples.
RankerConfig scaled_by(const RecipeData& data, std::span<const int64_t> places) {
  RankerConfig c = data.config;
  if (places.empty()) return c;
  const float* const values = data.examples.examples().numbers;
  const size_t n = c.numbers.size();
  for (size_t i = 0; i < n; ++i) {
    double sum = 0, squares = 0;
    for (const int64_t place : places) sum += double(values[size_t(place) * n + i]);
    const double mean = sum / double(places.size());
    for (const int64_t place : places) squares += std::pow(double(values[size_t(place) * n + i]) - mean, 2);
    const double deviation = std::sqrt(squares / double(places.size()));
    c.numbers[i].mean = mean;
    c.numbers[i].scale = deviation >= 1e-20 ? deviation : 1;  // the same everywhere
  }
  return c;
}

double validation_loss(const Ranker& ranker, const ExampleSet& set) {
  const std::vector<float> p = ranker.score(set.examples());
  double loss = 0;
  for (size_t t = 0; t < ranker.config().tasks.size(); ++t) {
    const Judged j(set, p, ranker.config().tasks.size(), t, -1);
    if (!j.predicted.empty())
      loss += ranker.config().tasks[t].weight * evaluate_probabilities(j.predicted, j.observed).log_loss;
  }
  return loss;
}

void fit_calibrators(Ranker& ranker, const ExampleSet& set, const std::string& how) {
  if (how == "none") return;
  const std::vector<float> p = ranker.score(set.examples());
  for (size_t s = 0; s < ranker.config().surfaces.size(); ++s)
    for (size_t t = 0; t < ranker.config().tasks.size(); ++t) {
      const Judged j(set, p, ranker.config().tasks.size(), t, int32_t(s));
      if (!j.predicted.empty())
        ranker.set_calibrator(s, t,
                              how == "platt" ? Calibrator::platt(j.predicted, j.observed)
                                             : Calibrator::isotonic(j.predicted, j.observed));
    }
}

}  // namespace

std::shared_ptr<Ranker> trained(const ContextPtr& context, const RecipeData& data, const Parts& parts,
                                const FitFlags& f, uint64_t seed, const char* what) {
  const auto ranker = Ranker::create(context, scaled_by(data, parts.train), seed);
  for (size_t f = 0; f < data.vocabularies.size(); ++f) ranker->set_vocabulary(f, data.vocabularies[f]);
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
      for (size_t i = first; i < std::min(order.size(), first + size_t(f.batch)); ++i)
        batch.push_back(parts.train[size_t(order[i])]);
      const ExampleSet set = chosen(data, batch);
      loss += trainer.learn(set.examples(), set.outcomes(), nullptr, [&] { return interrupt.requested(); }).loss *
              double(batch.size());
      bar.update(uint64_t(epoch) * order.size() + first, uint64_t(f.epochs) * order.size());
    }
    const double held_out = validation_loss(*ranker, valid);
    if (is_terminal(stderr))
      fprintf(stderr, "\r%s, epoch %jd: loss %.4f, held out %.4f\x1b[K\n", what, epoch + 1, loss / double(order.size()),
              held_out);
    if (held_out < least) {
      least = held_out;
      best = ranker->copy();
      since = -1;
    }
  }
  if (!best)
    fail(Status::invalid_argument, "%s: the loss of what was held out was never a number; a lower --lr may help", what);
  fit_calibrators(*best, valid, f.calibrate);
  return best;
}

}  // namespace puna::cli
