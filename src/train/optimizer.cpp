#include "puna/train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/det_math.h"
#include "puna/base/error.h"

namespace puna::train {
namespace {

constexpr int64_t kOptimizerPiece = 1 << 14;  // values a tile

struct AdamStep {
  // keep: 1 - lr decay; scale: of the gradient; rate: lr / (1 - b1^t)
  float keep, scale, b1, b2, rate, root_correction, epsilon;
  void run(float* p, float* m, float* v, const float* g, int64_t n) const noexcept {
    for (int64_t i = 0; i < n; ++i) {
      const float gi = g[i] * scale;
      m[i] = b1 * m[i] + (1.0f - b1) * gi;
      v[i] = b2 * v[i] + (1.0f - b2) * gi * gi;
      p[i] = p[i] * keep - rate * m[i] / (std::sqrt(v[i]) / root_correction + epsilon);
    }
  }
};

struct SgdStep {
  float rate, scale, b1, decay;
  void run(float* p, float* m, const float* g, int64_t n) const noexcept {
    for (int64_t i = 0; i < n; ++i) {
      m[i] = b1 * m[i] + g[i] * scale;
      p[i] = p[i] - rate * (m[i] + decay * p[i]);
    }
  }
};

struct AdagradStep {
  float rate, scale, decay, epsilon;
  void run(float* p, float* m, const float* g, int64_t n) const noexcept {
    for (int64_t i = 0; i < n; ++i) {
      const float gi = g[i] * scale + decay * p[i];
      m[i] = m[i] + gi * gi;
      p[i] = p[i] - rate * gi / (std::sqrt(m[i]) + epsilon);
    }
  }
};

void check(const OptimizerOptions& o) {
  PUNA_REQUIRE(o.learning_rate > 0 && o.learning_rate < 1e6, "learning_rate is %g, expected above 0 and below 1e6",
               o.learning_rate);
  PUNA_REQUIRE(o.beta1 >= 0 && o.beta1 < 1, "beta1 is %g, expected [0, 1)", o.beta1);
  PUNA_REQUIRE(o.beta2 >= 0 && o.beta2 < 1, "beta2 is %g, expected [0, 1)", o.beta2);
  PUNA_REQUIRE(o.epsilon > 0 && o.epsilon < 1, "epsilon is %g, expected (0, 1)", o.epsilon);
  PUNA_REQUIRE(o.weight_decay >= 0 && o.weight_decay < 1e6, "weight_decay is %g, expected 0 or more and below 1e6",
               o.weight_decay);
  PUNA_REQUIRE(o.clip_norm >= 0 && o.clip_norm < 1e30, "clip_norm is %g, expected 0 or more and below 1e30",
               o.clip_norm);
}

}  // namespace

Optimizer::Optimizer(Parameters& parameters, const OptimizerOptions& options)
    : parameters_(parameters), options_(options) {
  check(options);
  for (const Parameter& p : parameters.list()) {
    const auto zeros = [&](const char* purpose) {
      Buffer b = parameters.context().allocate(size_t(p.count) * sizeof(float), purpose);
      memset(b.data(), 0, b.size());
      return b;
    };
    moments_.push_back(zeros("the optimizer's moments"));
    if (options.kind == OptimizerKind::adamw) seconds_.push_back(zeros("the optimizer's second moments"));
  }
}

void Optimizer::reset() noexcept {
  for (std::vector<Buffer>* all : {&moments_, &seconds_})
    for (Buffer& b : *all) memset(b.data(), 0, b.size());
  steps_ = 0;
}

double Optimizer::step(double learning_rate_factor) {
  const OptimizerOptions& o = options_;
  const double norm = std::sqrt(parameters_.gradient_square_sum());
  if (!std::isfinite(norm)) return norm;
  const double lr = o.learning_rate * learning_rate_factor, t = double(++steps_);
  const float scale = o.clip_norm > 0 ? float(std::min(1.0, o.clip_norm / (norm + 1e-6))) : 1.0f;
  const double correction1 = 1 - det::pow(o.beta1, t), correction2 = 1 - det::pow(o.beta2, t);
  const AdamStep adam{
      float(1 - lr * o.weight_decay), scale,           float(o.beta1), float(o.beta2), float(lr / correction1),
      float(std::sqrt(correction2)),  float(o.epsilon)};
  const SgdStep sgd{float(lr), scale, float(o.beta1), float(o.weight_decay)};
  const AdagradStep adagrad{float(lr), scale, float(o.weight_decay), float(o.epsilon)};
  for (size_t i = 0; i < parameters_.list().size(); ++i) {
    const Parameter& p = parameters_.list()[i];
    parameters_.context().executor().run((p.count + kOptimizerPiece - 1) / kOptimizerPiece, [&](int64_t piece) {
      const int64_t at = piece * kOptimizerPiece, n = std::min(kOptimizerPiece, p.count - at);
      if (o.kind == OptimizerKind::adamw)
        adam.run(p.values + at, moment(i) + at, second(i) + at, p.gradient + at, n);
      else if (o.kind == OptimizerKind::adagrad)
        adagrad.run(p.values + at, moment(i) + at, p.gradient + at, n);
      else
        sgd.run(p.values + at, moment(i) + at, p.gradient + at, n);
    });
  }
  return norm;
}

double Schedule::factor(int64_t step) const noexcept {
  constexpr double kPi = 3.14159265358979323846;
  if (step < warmup) return double(step) / double(std::max<int64_t>(1, warmup));
  if (kind == ScheduleKind::constant) return 1;
  const double done = std::min(1.0, double(step - warmup) / double(std::max<int64_t>(1, total - warmup)));
  const double fall = kind == ScheduleKind::linear ? 1 - done : 0.5 * (1 + det::cos(kPi * done));
  return floor + (1 - floor) * fall;
}

}  // namespace puna::train
