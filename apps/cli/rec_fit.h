// rec_fit.h -- what the verbs that train rankers by a recipe share: options, the split of the events, the loop with its
// early stop.
#pragma once
#include "common.h"
#include "puna/recsys/ranker_trainer.h"
#include "rec_recipe.h"

namespace puna::cli {

struct FitFlags {
  ModelFlags context;
  std::string recipe, data, interaction, split = "random", calibrate = "platt", optimizer = "adamw";
  int64_t epochs = 20, batch = 512, patience = 3;
  float learning_rate = 1e-3f, table_rate = 0.05f, table_decay = 3e-4f, decay = 0, dropout = 0;
  uint64_t seed = 42;
  void add(const Verb& verb);
  recsys::RankerTrainerOptions options(uint64_t run_seed) const;
};

using Places = std::vector<int64_t>;  // of examples

// 80 % to learn from, 10 % to choose when to stop and to calibrate, 10 % to judge by.
struct Parts {
  Places train, valid, test;
  Parts(const RecipeData& data, const std::string& how, uint64_t seed);
  // Those that keep(place) says.
  template <class Keep>
  Parts where(Keep keep) const {
    Parts p = *this;
    for (Places* part : {&p.train, &p.valid, &p.test}) std::erase_if(*part, [&](int64_t i) { return !keep(i); });
    return p;
  }
};

recsys::ExampleSet chosen(const RecipeData& data, std::span<const int64_t> places);

// Of one task, and of one surface or all (-1).
struct Judged {
  std::vector<float> predicted, observed;
  Judged(const recsys::ExampleSet& set, const std::vector<float>& p, size_t tasks, size_t task, int32_t surface);
};

// The ranker after the epoch that predicted the validation part best, calibrated on it; stops when `patience` epochs
// made it no better.
std::shared_ptr<recsys::Ranker> trained(const ContextPtr& context, const RecipeData& data, const Parts& parts,
                                        const FitFlags& flags, uint64_t seed, const char* what);

}  // namespace puna::cli
