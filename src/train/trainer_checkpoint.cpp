// trainer_checkpoint.cpp -- one safetensors file: each parameter's values and moments as they lie in memory, and under "__metadata__" where the run
// was and what it was. One file, so that no kill can leave the parts of two checkpoints.
#include <cstdio>
#include <cstring>

#include "base/hash.h"
#include "puna/base/error.h"
#include "puna/io/safetensors.h"
#include "puna/train/data.h"
#include "puna/train/trainer.h"

namespace puna::train {
namespace {

// Each tensor of a checkpoint: visit(name, values, count).
template <class Visit>
void each_tensor(const Parameters& parameters, const Optimizer& optimizer, Visit&& visit) {
  for (size_t i = 0; i < parameters.list().size(); ++i) {
    const Parameter& p = parameters.list()[i];
    visit("value." + p.name, p.values, p.count);
    visit("moment." + p.name, optimizer.moment(i), p.count);
    if (optimizer.second(i)) visit("second." + p.name, optimizer.second(i), p.count);
  }
}

int64_t number_of(const std::map<std::string, std::string>& metadata, const char* key, const std::string& path) {
  const auto found = metadata.find(key);
  long long value = -1;
  char rest = 0;
  if (found == metadata.end() || std::sscanf(found->second.c_str(), "%lld%c", &value, &rest) != 1 || value < 0)
    fail(Status::bad_file, "%s: '%s' is missing or no number of 0 or more", path.c_str(), key);
  return value;
}

}  // namespace

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
  std::vector<OutputTensor> tensors;
  each_tensor(parameters_, optimizer_, [&](std::string name, const float* values, int64_t count) {
    tensors.push_back({std::move(name), DType::f32, {count}, values, {}});
  });
  write_safetensors(path,
                    {{"puna", "training checkpoint 1"}, {"step", std::to_string(step_)}, {"optimizer_steps", std::to_string(optimizer_.steps())},
                     {"epoch", std::to_string(epoch_)}, {"position", std::to_string(position_)}, {"run", fingerprint()}},
                    tensors);
}

void Trainer::resume(const std::string& path) {
  if (order_.empty()) fail(Status::wrong_state, "resume after learn(): the checkpoint says where in the data it was");
  const SafetensorsFile file = read_safetensors(parameters_.context(), open_path_source(path));
  const auto& m = file.metadata;
  if (!m.count("puna") || m.at("puna") != "training checkpoint 1") fail(Status::bad_file, "%s is no training checkpoint of this version", path.c_str());
  const std::string run = fingerprint();
  if (!m.count("run") || m.at("run") != run)
    fail(Status::invalid_argument, "%s is a checkpoint of another run (data or options differ):\n  there: %.600s\n  here:  %s", path.c_str(),
         m.count("run") ? m.at("run").c_str() : "", run.c_str());
  const int64_t step = number_of(m, "step", path), optimizer_steps = number_of(m, "optimizer_steps", path), epoch = number_of(m, "epoch", path),
                position = number_of(m, "position", path);
  if (position > int64_t(order_.size())) fail(Status::bad_file, "%s: position %lld of %zu examples", path.c_str(), static_cast<long long>(position), order_.size());
  size_t tensors = 0;
  each_tensor(parameters_, optimizer_, [&](const std::string& name, float*, int64_t count) {
    const TensorEntry* t = file.tensors.find(name);
    if (!t || t->dtype != DType::f32 || !(t->shape == Shape{count}))
      fail(Status::bad_file, "%s: tensor '%s' is missing or not F32 [%lld]", path.c_str(), name.c_str(), static_cast<long long>(count));
    ++tensors;
  });
  if (tensors != file.tensors.size()) fail(Status::bad_file, "%s has %zu tensors, expected %zu", path.c_str(), file.tensors.size(), tensors);
  each_tensor(parameters_, optimizer_, [&](const std::string& name, float* values, int64_t count) {  // nothing can fail from here on
    memcpy(values, file.tensors.find(name)->data, size_t(count) * sizeof(float));
  });
  step_ = step;
  optimizer_.set_steps(optimizer_steps);
  epoch_ = epoch;
  position_ = position;
  order_ = shuffled(int64_t(order_.size()), options_.seed, epoch);
}

}  // namespace puna::train
