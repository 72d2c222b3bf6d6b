// trainer_checkpoint.cpp -- where a run was and what it was, beside the parameters' state (state_file.h).
#include <algorithm>
#include <cstdio>

#include "base/hash.h"
#include "model/extra_tensors.h"
#include "ops/inference.h"
#include "puna/base/error.h"
#include "puna/train/data.h"
#include "puna/train/state_file.h"
#include "puna/train/trainer.h"

namespace puna::train {

namespace {

constexpr const char* kKind = "training checkpoint 2";

// Which model stands behind what is trained: its sizes, and the beginning of every matrix that stays as it is.
uint64_t model_hash(const Llama& model, const Parameters& parameters) {
  constexpr int64_t kBytes = 4096;
  Hash hash;
  const LlamaConfig& c = model.config;
  for (const int64_t n : {c.layers, c.hidden, c.heads, c.kv_heads, c.head_dim, c.ffn, c.vocab}) hash.add_value(n);
  const auto add = [&](const Weight& w) {
    if (w.panels && !parameters.gradients().count(w.panels))
      hash.add(w.panels, size_t(std::min(kBytes, w.panel_bytes)));
  };
  const auto add_extras = [&](const std::vector<ExtraTensor>& tensors) {
    for (const ExtraTensor& t : tensors)
      if (t.matrix) add(*t.matrix);
  };
  LlamaWeights weights = model.weights;
  add(weights.embedding);
  add_extras(extra_tensors(c, weights, ""));
  for (size_t l = 0; l < weights.layers.size(); ++l) {
    LlamaLayer& L = weights.layers[l];
    for (const Weight* w : {&L.wq, &L.wk, &L.wv, &L.wo, &L.ffn.gate, &L.ffn.up, &L.ffn.down}) add(*w);
    add_extras(extra_tensors(c, L, int64_t(l), ""));
  }
  return hash.value();
}

}  // namespace

// What the same bits depend on besides the parameters: data and options, in words ("name: value; "). Threads, the
// pass's size in memory and checkpointing of layers are not among them; how many steps there are in all may change
// (resume).
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
  double scale = 0;  // of the adapter: alpha / rank
  if (adapter_)
    for (const auto& [panels, lora] : *adapter_) scale = std::max(scale, double(lora.scale));
  const OptimizerOptions& o = options_.optimizer;
  const Schedule& s = options_.schedule;
  constexpr const char* kOptimizers[] = {"adamw", "sgd", "adagrad"};
  constexpr const char* kSchedules[] = {"constant", "linear", "cosine"};
  char text[1024];
  snprintf(text, sizeof text,
           "data: %016jx; model: %016jx; seed: %ju; tokens of a step: %jd; tokens of a pass: %jd; optimizer: %s; "
           "learning rate: %.17g; beta1: %.17g; beta2: %.17g; "
           "epsilon: %.17g; weight decay: %.17g; limit of the gradient: %.17g; schedule: %s; warm-up steps: %jd; "
           "floor of the learning rate: %.17g; "
           "end of the schedule: %jd; beta of preferences: %.17g; scale of the adapter: %.9g; activations: %s",
           hash.value(), model_hash(model_, parameters_), options_.seed, options_.tokens_per_step,
           options_.tokens_per_pass, kOptimizers[int(o.kind)], o.learning_rate, o.beta1, o.beta2, o.epsilon,
           o.weight_decay, o.clip_norm, kSchedules[int(s.kind)], s.warmup, s.floor, s.total,
           pairs_.empty() ? 0.0 : options_.dpo_beta, scale, options_.pass.exact ? "exact" : "rounded");
  return text;
}

void Trainer::save(const std::string& path) const {
  write_state(path, kKind,
              {{"step", step_},
               {"steps", total_steps_},
               {"optimizer_steps", optimizer_.steps()},
               {"epoch", epoch_},
               {"position", position_}},
              fingerprint(), parameters_, optimizer_);
}

int64_t Trainer::resume(const std::string& path) {
  if (order_.empty()) fail(Status::wrong_state, "resume after learn(): the checkpoint says where in the data it was");
  const StateFile file(parameters_.context(), path, kKind, fingerprint());
  const int64_t step = file.number("step"), optimizer_steps = file.number("optimizer_steps", step),
                epoch = file.number("epoch"), position = file.number("position");
  if (position > int64_t(order_.size()))
    fail(Status::bad_file, "%s: position %jd of %zu examples", path.c_str(), position, order_.size());
  const int64_t planned = file.number("steps");
  PUNA_REQUIRE(step <= total_steps_, "%s has taken %jd steps already, more than the %jd asked for", path.c_str(), step,
               total_steps_);
  file.restore(parameters_, optimizer_);
  step_ = step;
  optimizer_.set_steps(optimizer_steps);
  epoch_ = epoch;
  position_ = position;
  order_ = shuffled(int64_t(order_.size()), options_.seed, epoch);
  return planned;
}

}  // namespace puna::train
