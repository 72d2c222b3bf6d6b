#include "puna/recsys/ranker_trainer.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "base/fp_env.h"
#include "base/hash.h"
#include "ops/dropout.h"
#include "puna/base/error.h"
#include "puna/base/philox.h"
#include "puna/train/state_file.h"
#include "recsys/model_tensors.h"
#include "recsys/ranking/pass.h"
#include "recsys/ranking/table.h"

namespace puna::recsys {
namespace {

constexpr const char* kRankerCheckpoint = "ranker checkpoint 2";
constexpr uint64_t kRankerStepSeeds = uint64_t(1) << 32;  // a stream of random bits

train::Parameters trainable_parameters(const std::shared_ptr<Ranker>& ranker) {
  PUNA_REQUIRE(ranker != nullptr, "the ranker is NULL");
  PUNA_REQUIRE(ranker->table().dtype() == DType::f32, "the ranker's table is %s; only one of F32 can be trained",
               name(ranker->table().dtype()));
  PUNA_REQUIRE(!ranker->table().mapped(), "the ranker's table is a mapped file: copy() makes one that can be trained");
  return parameters_of(ranker->context(), ranker->tensors());
}

void check(const RankerTrainerOptions& o) {
  PUNA_REQUIRE(o.table_rate > 0 && o.table_rate < 1e6, "table_rate is %g, expected above 0 and below 1e6",
               o.table_rate);
  PUNA_REQUIRE(o.table_epsilon > 0 && o.table_epsilon < 1, "table_epsilon is %g, expected (0, 1)", o.table_epsilon);
  PUNA_REQUIRE(o.table_decay >= 0 && o.table_decay < 1e6, "table_decay is %g, expected 0 or more and below 1e6",
               o.table_decay);
  PUNA_REQUIRE(o.dropout >= 0 && o.dropout < 1, "dropout is %g, expected [0, 1)", double(o.dropout));
  PUNA_REQUIRE(o.huber > 0 && o.huber <= 1, "huber is %g, expected above 0, up to 1", o.huber);
  PUNA_REQUIRE(o.rows_per_pass >= 1, "rows_per_pass is %jd, expected at least 1", o.rows_per_pass);
}

// The sum of the examples' weights.
double check_outcomes(const RankerConfig& c, const Examples& examples, const Outcomes& outcomes) {
  PUNA_REQUIRE(outcomes.values && outcomes.known, "the outcomes have no values, or do not say what is known");
  double weights = 0;
  for (int64_t i = 0; i < examples.count; ++i) {
    const double weight = outcomes.weights ? double(outcomes.weights[i]) : 1.0;
    PUNA_REQUIRE(weight >= 0 && weight <= 1e6, "example %jd: weight %g, expected 0 to 1e6", i, weight);
    weights += weight;
    for (size_t t = 0; t < c.tasks.size(); ++t) {
      const double y = double(outcomes.values[size_t(i) * c.tasks.size() + t]);
      PUNA_REQUIRE((outcomes.known[i] >> t & 1u) == 0 || (y >= 0 && y <= 1), "example %jd: '%s' is %g, expected 0 to 1",
                   i, c.tasks[t].name.c_str(), y);
    }
  }
  PUNA_REQUIRE(weights > 0, "there is nothing to learn: no examples, or none of any weight");
  return weights;
}

}  // namespace

RankerTrainer::RankerTrainer(std::shared_ptr<Ranker> ranker, const RankerTrainerOptions& options)
    : ranker_(std::move(ranker)),
      options_(options),
      parameters_(trainable_parameters(ranker_)),
      optimizer_(parameters_, options.optimizer),
      pass_(std::make_unique<RankerPass>(*ranker_, parameters_)) {
  check(options);
  squares_ =
      ranker_->context()->allocate(size_t(ranker_->table().rows()) * 2 * sizeof(float), "a table's sums of squares");
  memset(squares_.data(), 0, squares_.size());
}

RankerTrainer::~RankerTrainer() = default;

void RankerTrainer::set_learning_rate(double factor) {
  PUNA_REQUIRE(factor > 0 && factor <= 1e6, "the learning rate's factor is %g, expected above 0, up to 1e6", factor);
  rate_factor_ = factor;
}

RankerStep RankerTrainer::learn(const Examples& examples, const Outcomes& outcomes, float* predicted,
                                FunctionRef<bool()> should_stop) {
  const FpEnv fp_env;
  const RankerConfig& c = ranker_->config();
  const RankerRows rows(c, examples);
  const RankerLoss loss{options_.huber, check_outcomes(c, examples, outcomes)};
  const Philox bits = philox(options_.seed, uint64_t(step_), kRankerStepSeeds);
  const uint64_t seed = uint64_t(bits.word[0]) << 32 | bits.word[1];
  std::vector<TaskLoss> losses(c.tasks.size());
  parameters_.zero_gradients();
  pass_->begin_step(rows);
  for (int64_t first = 0; first < rows.count(); first += options_.rows_per_pass)
    pass_->learn(rows, examples.numbers, outcomes, first, std::min(options_.rows_per_pass, rows.count() - first), loss,
                 {options_.dropout, seed, 0, first}, losses.data(), predicted, should_stop);
  RankerStep report;
  for (size_t t = 0; t < losses.size(); ++t) {
    report.loss += losses[t].sum * c.tasks[t].weight / loss.weight_sum;
    report.task_loss.push_back(losses[t].weights > 0 ? losses[t].sum / losses[t].weights : 0);
  }
  report.grad_norm = std::nan("");
  if (std::isfinite(report.loss) && pass_->table_gradient_is_finite()) report.grad_norm = optimizer_.step(rate_factor_);
  if (std::isfinite(report.grad_norm))
    pass_->change_table({options_.table_rate * rate_factor_, options_.table_epsilon, options_.table_decay,
                         reinterpret_cast<float*>(squares_.data())});
  report.step = ++step_;
  return report;
}

// ---- checkpoints ----

std::string RankerTrainer::fingerprint() const {
  const train::OptimizerOptions& o = options_.optimizer;
  const std::string config = json_of(ranker_->config());
  Hash hash;
  hash.add(config.data(), config.size());
  for (size_t f = 0; f < ranker_->config().features.size(); ++f)  // the same ids under other names are another run
    if (const std::string& names = ranker_->vocabulary(f).bytes(); !names.empty()) hash.add(names.data(), names.size());
  char text[768];
  snprintf(text, sizeof text,
           "ranker: %016jx; table's learning rate: %.17g; table's epsilon: %.17g; table's weight decay: %.17g; "
           "dropout: %.9g; huber: %.17g; seed: %ju; rows of a pass: %jd; "
           "optimizer: %d; learning rate: %.17g; beta1: %.17g; beta2: %.17g; epsilon: %.17g; weight decay: %.17g; "
           "limit of the gradient: %.17g",
           hash.value(), options_.table_rate, options_.table_epsilon, options_.table_decay, double(options_.dropout),
           options_.huber, options_.seed, options_.rows_per_pass, int(o.kind), o.learning_rate, o.beta1, o.beta2,
           o.epsilon, o.weight_decay, o.clip_norm);
  return text;
}

namespace {

template <class Float, class Table, class Squares>
std::vector<train::StateValues<Float>> state_of(Table& table, Squares& squares) {
  return {{"table", table.values(0), table.rows() * (table.dim() + table.tasks())},
          {"table.squares", reinterpret_cast<Float*>(squares.data()), table.rows() * 2}};
}

}  // namespace

std::vector<train::StateBlock> RankerTrainer::table_state() { return state_of<float>(ranker_->table(), squares_); }
std::vector<train::SavedBlock> RankerTrainer::table_state() const {
  return state_of<const float>(std::as_const(*ranker_).table(), squares_);
}

void RankerTrainer::save(const std::string& path) const {
  train::write_state(path, kRankerCheckpoint, {{"step", step_}, {"optimizer_steps", optimizer_.steps()}}, fingerprint(),
                     parameters_, optimizer_, table_state());
}

void RankerTrainer::resume(const std::string& path) {
  const train::StateFile file(parameters_.context(), path, kRankerCheckpoint, fingerprint());
  const int64_t step = file.number("step"), optimizer_steps = file.number("optimizer_steps", step);
  file.restore(parameters_, optimizer_, table_state());
  step_ = step;
  optimizer_.set_steps(optimizer_steps);
}

}  // namespace puna::recsys
