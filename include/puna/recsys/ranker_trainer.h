// ranker_trainer.h -- trains a ranker: a step for a batch, or for a single event as it happens. Tables learn by
// row-wise Adagrad (only the rows of a batch change, so the cost of a step does not depend on the size of the table),
// all else by AdamW or Adagrad. The bits depend on the examples, their order and batches, the options and the seed; not
// on threads, nor on how many rows are computed at once.
#pragma once
#include "puna/recsys/ranker.h"
#include "puna/train/state_file.h"

namespace puna::recsys {

struct RankerTrainerOptions {
  train::OptimizerOptions optimizer{train::OptimizerKind::adamw, 1e-3, 0.9, 0.999, 1e-8, 0.0, 0.0};
  // row -= rate g / (sqrt(sum of mean squares) + epsilon), as FBGEMM's row-wise Adagrad
  double table_rate = 0.05;
  double table_epsilon = 1e-8;
  double table_decay = 0;        // added to the gradient of the rows that a batch names, times the row
  float dropout = 0;             // of hidden layers
  double huber = 0.25;           // of fractions: errors above it count linearly
  uint64_t seed = 42;            // of dropout
  int64_t rows_per_pass = 1024;  // examples computed at once: bounds memory
};

struct RankerStep {
  int64_t step = 0;               // 1 = the first
  double loss = 0;                // sum over tasks, each with its weight; mean over examples by their weight
  std::vector<double> task_loss;  // without weights, mean over the examples where it is known; 0 where there are none
  double grad_norm = 0;           // of all but the table; not finite: the step was left out
};

class RankerPass;  // src/recsys/ranking/pass.h

class RankerTrainer {
 public:
  // The ranker's table must be f32. Error{invalid_argument} naming the option.
  RankerTrainer(std::shared_ptr<Ranker> ranker, const RankerTrainerOptions& options);
  ~RankerTrainer();

  // One step over all examples: one event as well as a thousand. `predicted` [count][tasks], unless NULL, is what the
  // ranker predicted before it learned (neither calibrated nor corrected for left-out negatives; with dropout, as
  // dropped): predict first, then learn. Error{invalid_argument} naming the example; {cancelled} by should_stop, as if
  // the step had not begun.
  RankerStep learn(const Examples& examples, const Outcomes& outcomes, float* predicted = nullptr,
                   FunctionRef<bool()> should_stop = {});
  int64_t steps() const noexcept { return step_; }
  const std::shared_ptr<Ranker>& ranker() const noexcept { return ranker_; }
  // The options' rates are multiplied by it from the next step on. Not part of a checkpoint.
  void set_learning_rate(double factor);

  // Everything the next step depends on besides its examples. resume(): Error{bad_file}, or {invalid_argument} when it
  // belongs to other options.
  void save(const std::string& path) const;
  void resume(const std::string& path);

 private:
  std::string fingerprint() const;
  std::vector<train::StateBlock> table_state();
  std::vector<train::SavedBlock> table_state() const;

  std::shared_ptr<Ranker> ranker_;
  RankerTrainerOptions options_;
  train::Parameters parameters_;
  train::Optimizer optimizer_;
  std::unique_ptr<RankerPass> pass_;
  Buffer squares_;  // [rows][2]: of embeddings, of first-order weights
  int64_t step_ = 0;
  double rate_factor_ = 1;
};

}  // namespace puna::recsys
