// training.h -- what train, finetune and dpo share: options of a run, its loop, and the files it leaves in its folder:
// log.jsonl (a line a step), loss.svg, checkpoint.safetensors. Ctrl-C (or SIGTERM) saves a checkpoint and stops;
// --resume goes on from it, bit for bit.
#pragma once
#include <string>
#include <vector>

#include "common.h"
#include "peers.h"
#include "puna/train/trainer.h"
#include "training_data.h"

namespace puna::cli {

struct TrainingFlags {
  std::vector<std::string> data, held_out;
  std::string out, schedule = "cosine", optimizer = "adamw", log, date;
  int64_t steps = 0, epochs = 1, warmup = 0, step_tokens = 2048, pass_tokens = 2048, max_tokens = 512, save_every = 200,
          evaluate_every = 100;
  float learning_rate = 3e-4f, weight_decay = 0, clip = 1, beta1 = 0.9f, beta2 = 0.999f, floor = 0;
  uint64_t seed = 0;
  bool resume = false, overwrite = false, checkpoint_layers = false, parse_content = false;
  void add(const Verb& verb, bool pairs = false);  // pairs: what --data takes
  train::TrainerOptions trainer_options() const;
  train::DataOptions data_options() const { return {max_tokens, true, date, parse_content}; }
  std::string path(const char* file) const { return out + "/" + file; }
};

// Runs to the end or to Ctrl-C (then Error{cancelled}, after saving). Of several processes, the first measures, writes
// and speaks. `save_what_is_there` is called when a run is stopped after a step or more; what it returns is said (",
// what can be tried is in ...").
void run_training(train::Trainer& trainer, const TrainingFlags& flags, const HeldOut& held_out, MpiPeers& mpi,
                  FunctionRef<std::string()> save_what_is_there = {});

// The losses over the steps, and an SVG picture of them.
struct LossCurve {
  std::vector<double> step, loss, held_out_step, held_out;
  void add(double at, double value);  // what is not finite is no point of a picture
  void add_held_out(double at, double value);
  std::string svg(const std::string& title) const;
};

}  // namespace puna::cli
