// training_run.h -- for the fuzz target of training checkpoints, and for the maker of its seeds: a small adapter of the
// tiny model in training.
#pragma once
#include "puna/model/adapter.h"
#include "puna/train/trainer.h"
#include "tiny_model.h"

namespace puna::test {

struct TrainingRun {
  ModelPtr model = tiny_model();
  std::shared_ptr<Adapter> adapter = Adapter::create(*tiny_context(), model->llama(),
                                                     {.rank = 1, .alpha = 2, .targets = {"layers.0.self_attn.q_proj"}});
  train::Parameters parameters{tiny_context()};
  train::Trainer trainer{track(parameters, *adapter), model->llama(), adapter.get(), options()};

  TrainingRun() { trainer.learn(sequences()); }
  static std::vector<train::Sequence> sequences() {
    std::vector<train::Sequence> all(3);
    for (size_t i = 0; i < all.size(); ++i) {
      all[i].tokens = {int32_t(i), 1, 2, 3};
      all[i].counted.assign(4, 1);
    }
    return all;
  }

 private:
  static train::Parameters& track(train::Parameters& parameters, Adapter& adapter) {
    parameters.track(adapter);
    return parameters;
  }
  static train::TrainerOptions options() {
    train::TrainerOptions o;
    o.optimizer.learning_rate = 1e-2;
    o.steps = 1000;
    o.tokens_per_step = 8;
    o.tokens_per_pass = 8;
    return o;
  }
};

}  // namespace puna::test
