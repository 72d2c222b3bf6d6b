// improve_model.h -- what `puna improve` does with a model: likelihoods of choices, and an adapter that learns from
// labels. Scoring and learning see the same tokens.
#pragma once
#include <vector>

#include "common.h"
#include "improve/choose.h"
#include "improve/items.h"
#include "interrupt.h"
#include "puna/train/trainer.h"

namespace puna::cli {

struct LearnOptions {
  bool dpo = false;
  int64_t rank = 8, epochs = 4, step_tokens = 1024;
  float learning_rate = 1e-3f, beta = 0.1f;
  uint64_t seed = 0;
  AllowProviders providers = AllowProviders::f32;
};

struct Learned {
  AdapterPtr adapter;
  int64_t steps = 0, tokens = 0;
  double first_loss = 0, last_loss = 0, seconds = 0;
};

// A new adapter on every matrix, and what trains it.
class AdapterTraining {
 public:
  AdapterTraining(const ModelPtr& model, const LearnOptions& options);
  train::Trainer& trainer() noexcept { return trainer_; }
  // All steps of what the trainer has been given; `seconds` stays 0. Error{cancelled} by Ctrl-C.
  Learned run(const Interrupt& interrupt);

 private:
  std::shared_ptr<Adapter> adapter_;
  train::Parameters parameters_;
  train::Trainer trainer_;
};

// An item and the number of its right choice.
struct Labelled {
  const improve::Item* item;
  int64_t label;
};

// `what` is said beside the bar. Error{cancelled} by Ctrl-C.
std::vector<improve::Score> score_items(const ModelPtr& model, const AdapterPtr& adapter,
                                        const std::vector<improve::Item>& items, const char* what,
                                        const Interrupt& interrupt);
// dpo: each label is preferred to the choice that the base model likes best beside it; `scores` are the base's, of each
// label.
Learned learn(const ModelPtr& model, const std::vector<Labelled>& labels, const std::vector<improve::Score>& scores,
              const LearnOptions& options, const Interrupt& interrupt);

}  // namespace puna::cli
