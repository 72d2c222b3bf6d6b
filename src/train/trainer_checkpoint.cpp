// trainer_checkpoint.cpp -- where a run was and what it was, beside the parameters' state (state_file.h).
#include <cstdio>

#include "base/hash.h"
#include "puna/base/error.h"
#include "puna/train/data.h"
#include "puna/train/state_file.h"
#include "puna/train/trainer.h"

namespace puna::train {

// What the same bits depend on besides the parameters: data and options. Threads, the pass's size in memory and checkpointing are not among them.
std::string Trainer::fingerprint() const {
  Hash hash;
  const auto add = [&](const Sequence& s) {
    hash.add_value(uint64_t(s.tokens.size()));
    hash.add(s.tokens.data(), s.tokens.size() * sizeof(int32_t));
    hash.add(s.counted.data(), s.counted.size());
  };
  for (const Sequence& s : sequences_) add(s);
  for (const Preference& p : pairs_) {
    add(p.chosen);
    add(p.rejected);
  }
  const OptimizerOptions& o = options_.optimizer;
  char text[512];
  snprintf(text, sizeof text, "%016llx seed %llu step %lld pass %lld total %lld kind %d lr %.17g %.17g %.17g eps %.17g decay %.17g clip %.17g schedule %d %lld %.17g beta %.17g",
           static_cast<unsigned long long>(hash.value()), static_cast<unsigned long long>(options_.seed), static_cast<long long>(options_.tokens_per_step),
           static_cast<long long>(options_.tokens_per_pass), static_cast<long long>(options_.schedule.total), int(o.kind), o.learning_rate, o.beta1, o.beta2,
           o.epsilon, o.weight_decay, o.clip_norm, int(options_.schedule.kind), static_cast<long long>(options_.schedule.warmup), options_.schedule.floor,
           options_.dpo_beta);
  return text;
}

void Trainer::save(const std::string& path) const {
  write_state(path, "training checkpoint 1",
              {{"step", step_}, {"optimizer_steps", optimizer_.steps()}, {"epoch", epoch_}, {"position", position_}}, fingerprint(), parameters_, optimizer_);
}

void Trainer::resume(const std::string& path) {
  if (order_.empty()) fail(Status::wrong_state, "resume after learn(): the checkpoint says where in the data it was");
  const StateFile file(parameters_.context(), path, "training checkpoint 1", fingerprint());
  const int64_t step = file.number("step"), optimizer_steps = file.number("optimizer_steps"), epoch = file.number("epoch"), position = file.number("position");
  if (position > int64_t(order_.size())) fail(Status::bad_file, "%s: position %lld of %zu examples", path.c_str(), static_cast<long long>(position), order_.size());
  file.restore(parameters_, optimizer_);
  step_ = step;
  optimizer_.set_steps(optimizer_steps);
  epoch_ = epoch;
  position_ = position;
  order_ = shuffled(int64_t(order_.size()), options_.seed, epoch);
}

}  // namespace puna::train
