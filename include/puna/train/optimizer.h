// optimizer.h -- how a gradient changes parameters: AdamW, SGD and Adagrad, the norm's limit, and the learning rate's
// schedule.
#pragma once
#include <cstdint>
#include <vector>

#include "puna/train/parameters.h"

namespace puna::train {

enum class OptimizerKind : int32_t { adamw = 0, sgd = 1, adagrad = 2 };

// AdamW with decoupled decay on every parameter and corrected moments (arXiv:1711.05101, as torch.optim.AdamW):
//   p -= lr decay p;   m = b1 m + (1-b1) g;   v = b2 v + (1-b2) g^2;   p -= lr/(1-b1^t) m / (sqrt(v / (1-b2^t)) + eps)
// SGD with momentum b1:  m = b1 m + g;  p -= lr (m + decay p)
// Adagrad (as torch.optim.Adagrad):  g += decay p;  m += g^2;  p -= lr g / (sqrt(m) + eps)
struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::adamw;
  double learning_rate = 3e-4;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double weight_decay = 0.0;
  double clip_norm = 1.0;  // gradients are scaled by min(1, clip_norm / (norm + 1e-6)); 0 = never
};

class Optimizer {
 public:
  Optimizer(Parameters& parameters, const OptimizerOptions& options);  // Error{invalid_argument} naming the option
  // Changes the parameters by their gradients, which are as before afterwards. Returns the gradients' norm before
  // clipping. When it is not finite nothing is changed and the step is not counted.
  double step(double learning_rate_factor = 1);

  void reset() noexcept;  // as if it had seen no gradient
  int64_t steps() const noexcept { return steps_; }
  void set_steps(int64_t steps) noexcept { steps_ = steps; }
  const OptimizerOptions& options() const noexcept { return options_; }
  // The state a checkpoint holds, by parameter: first moments, second moments (NULL but for AdamW).
  float* moment(size_t parameter) noexcept { return reinterpret_cast<float*>(moments_[parameter].data()); }
  const float* moment(size_t parameter) const noexcept {
    return reinterpret_cast<const float*>(moments_[parameter].data());
  }
  float* second(size_t parameter) noexcept {
    return seconds_.empty() ? nullptr : reinterpret_cast<float*>(seconds_[parameter].data());
  }
  const float* second(size_t parameter) const noexcept {
    return seconds_.empty() ? nullptr : reinterpret_cast<const float*>(seconds_[parameter].data());
  }

 private:
  Parameters& parameters_;
  OptimizerOptions options_;
  std::vector<Buffer> moments_, seconds_;
  int64_t steps_ = 0;
};

enum class ScheduleKind : int32_t { constant = 0, linear = 1, cosine = 2 };

// Factor of the learning rate at step 0, 1, ...: up to 1 in `warmup` steps, then to `floor` at step `total` in a line
// or half a cosine.
struct Schedule {
  ScheduleKind kind = ScheduleKind::cosine;
  int64_t warmup = 0;
  int64_t total = 0;
  double floor = 0;
  double factor(int64_t step) const noexcept;
};

}  // namespace puna::train
