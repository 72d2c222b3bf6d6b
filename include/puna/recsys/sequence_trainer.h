// sequence_trainer.h -- trains a sequence model: users in random order, the next item after each event against drawn
// ones, AdamW. The run's bits depend on the data, the options and the seed; not on threads, nor on how many rows are
// computed at once.
#pragma once
#include "puna/recsys/sequence_model.h"
#include "puna/train/optimizer.h"

namespace puna::recsys {

struct SequenceTrainerOptions {
  train::OptimizerOptions optimizer{train::OptimizerKind::adamw, 1e-3, 0.9, 0.98, 1e-8, 0.0, 0.0};
  int64_t epochs = 101;
  int64_t users_per_step = 128;
  int64_t negatives = 128;    // drawn for every event from all items, with replacement
  float temperature = 0.05f;  // of the softmax over the target and its negatives
  float dropout = 0.2f;
  uint64_t seed = 42;
  // Events computed at once (at least one user's): bounds memory. Gradients are summed in groups of this size.
  int64_t rows_per_pass = 2048;
};

struct SequenceStep {
  int64_t step = 0;  // 1 = the first
  double epoch = 0;
  double loss = 0;       // mean over events
  double grad_norm = 0;  // not finite: the step was left out
  int64_t rows = 0;
};

class SequencePass;  // src/recsys/sequence/pass.h

class SequenceTrainer {
 public:
  SequenceTrainer(std::shared_ptr<SequenceModel> model, const SequenceTrainerOptions& options);
  ~SequenceTrainer();

  // Histories of two events or more: everything but the last predicts the event behind it. Of longer ones the last
  // max_sequence + 1 events count. Error{invalid_argument} naming the user and the event.
  void learn(std::vector<std::vector<Event>> histories);
  int64_t total_steps() const noexcept { return total_steps_; }
  int64_t done_steps() const noexcept { return step_; }
  // One step. should_stop, asked from any thread, ends it with Error{cancelled}: as if it had not begun.
  SequenceStep step(FunctionRef<bool()> should_stop = {});

  // Everything the next step depends on. resume() after learn(): Error{bad_file} or {invalid_argument} when it belongs
  // to another run.
  void save(const std::string& path) const;
  void resume(const std::string& path);

 private:
  struct Position {
    int64_t epoch = 0, user = 0;
  };
  std::vector<int64_t> draw(Position& at) const;
  double learn_from(std::span<const int64_t> users, SequenceStep& report, FunctionRef<bool()> should_stop);
  std::string fingerprint() const;

  std::shared_ptr<SequenceModel> model_;
  SequenceTrainerOptions options_;
  train::Parameters parameters_;
  train::Optimizer optimizer_;
  std::unique_ptr<SequencePass> pass_;
  std::vector<std::vector<Event>> histories_;
  uint64_t data_hash_ = 0;
  int64_t total_steps_ = 0, step_ = 0;
  Position at_;
};

}  // namespace puna::recsys
