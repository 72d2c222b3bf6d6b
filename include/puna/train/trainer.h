// trainer.h -- the training loop: draw examples, accumulate gradients, step. A run resumed from a checkpoint gives the
// same bits.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "puna/train/dpo.h"
#include "puna/train/optimizer.h"

namespace puna::train {

struct TrainerOptions {
  OptimizerOptions optimizer;
  Schedule schedule;
  int64_t steps = 0;  // in all; 0 = what `epochs` epochs take
  int64_t epochs = 1;
  int64_t tokens_per_step = 2048;  // examples are taken until a step has this many (at least one), over all processes
  // Tokens computed at once: bounds memory, changes only the order of sums.
  int64_t tokens_per_pass = 2048;
  uint64_t seed = 0;  // of the examples' order
  double dpo_beta = 0.1;
  PassOptions pass;
};

// Several processes that train one model: `all_reduce` adds up values element by element over all of them, in place,
// the same bits for all. The transport is the caller's.
struct Peers {
  int32_t rank = 0;
  int32_t count = 1;
  std::function<void(float* values, int64_t n)> all_reduce;
};

struct StepReport {
  int64_t step = 0;  // 1 = the first
  double epoch = 0;
  double loss = 0;       // mean over counted tokens, or over pairs
  double grad_norm = 0;  // before clipping; it or the loss not finite: the step was left out
  double learning_rate = 0;
  int64_t tokens = 0;    // computed by this step over all processes
  double preferred = 0;  // DPO: share of pairs whose chosen answer is ahead
};

// Means over held-out pairs.
struct PairScores {
  double loss = 0;
  double preferred = 0;  // share of pairs whose chosen answer is ahead
  double margin = 0;     // beta times how far it is ahead, in nats
};

class Trainer {
 public:
  // What is trained are `parameters`; `adapter` is active if given. All must outlive the trainer.
  Trainer(Parameters& parameters, const Llama& model, const Adapter* adapter, const TrainerOptions& options);

  // What is learned from: sequences, or pairs (DPO; the reference is the model without the adapter). A new run begins
  // with it: at step 0, with an optimizer that has seen nothing. Error{invalid_argument} when empty; after an error, or
  // a cancel, the trainer is as before.
  void learn(std::vector<Sequence> sequences);
  void learn(std::vector<Preference> pairs, FunctionRef<bool()> should_stop = {});
  void join(Peers peers);

  int64_t total_steps() const noexcept { return total_steps_; }
  int64_t done_steps() const noexcept { return step_; }
  // One step. should_stop, asked from any thread, ends it with Error{cancelled}: as if it had not begun.
  StepReport step(FunctionRef<bool()> should_stop = {});
  // Mean loss over held-out sequences; nothing is learned.
  double evaluate(std::span<const Sequence> sequences, FunctionRef<bool()> should_stop = {});
  // The same of held-out pairs; `reference` is reference_of() of the same pairs, computed at any time: it is the model
  // without the adapter.
  PairScores evaluate(std::span<const Preference> pairs, std::span<const PairLogProbs> reference,
                      FunctionRef<bool()> should_stop = {});
  std::vector<PairLogProbs> reference_of(std::span<const Preference> pairs, FunctionRef<bool()> should_stop = {});

  // Everything that the next step depends on, in one safetensors file that is replaced in one step. resume:
  // Error{bad_file} when it belongs to other parameters, {invalid_argument} naming what differs when data or options
  // would change the run. Only how many steps there are in all may differ, but for those done already; returns how many
  // the saved run was to take. With as many, the bits are those of a run never stopped.
  void save(const std::string& path) const;
  int64_t resume(const std::string& path);

 private:
  std::vector<int64_t> draw();  // examples of the next step
  int64_t steps_for(int64_t examples, int64_t tokens) const;
  void begin(int64_t examples, int64_t steps);
  int64_t tokens_of(int64_t example) const noexcept;
  double learn_from(std::span<const int64_t> drawn, StepReport& report, FunctionRef<bool()> should_stop);
  void reduce(double& value) const;
  std::string fingerprint() const;

  Parameters& parameters_;
  const Llama& model_;
  const std::unordered_map<const std::byte*, Lora>* adapter_;
  TrainerOptions options_;
  Schedule schedule_;  // of the run: its total is known once there is data
  Optimizer optimizer_;
  Pass pass_;
  Peers peers_;
  std::vector<Sequence> sequences_;
  std::vector<Preference> pairs_;
  std::vector<PairLogProbs> reference_;
  std::vector<int64_t> order_;  // of the epoch under way
  int64_t total_steps_ = 0, step_ = 0, epoch_ = 0, position_ = 0;
};

}  // namespace puna::train
