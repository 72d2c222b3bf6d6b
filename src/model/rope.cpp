// rope.cpp -- the frequencies of rotary positions, how published models stretch them, and the angles they give.
#include "model/rope.h"

#include <algorithm>
#include <cmath>

#include "base/det_math.h"

namespace puna {
namespace {

// Llama 3's stretch: short wavelengths stay, long ones slow down by `factor`, those between are blended. Wavelengths
// are selected first, because Llama 4 Scout has low == high, where the blend would divide by zero.
double llama3_scaled(double frequency, const RopeScaling& s) {
  constexpr double kTwoPi = 6.283185307179586476925;
  const double wavelength = kTwoPi / frequency;
  if (wavelength < s.original_max_positions / s.high_freq_factor) return frequency;
  if (wavelength > s.original_max_positions / s.low_freq_factor) return frequency / s.factor;
  const double blend =
      (s.original_max_positions / wavelength - s.low_freq_factor) / (s.high_freq_factor - s.low_freq_factor);
  return (1 - blend) * frequency / s.factor + blend * frequency;
}

// YaRN: dimensions that turn more than beta_fast times within the original length stay, those that turn less than
// beta_slow times slow down by `factor`, those between are blended along a ramp.
class Yarn {
 public:
  Yarn(int64_t dims, double theta, const RopeScaling& s) : factor_(s.factor) {
    const auto dimension = [&](double turns) {
      constexpr double kTwoPi = 6.283185307179586476925;
      return double(dims) * det::log(s.original_max_positions / (turns * kTwoPi)) / (2 * det::log(theta));
    };
    low_ = dimension(s.beta_fast);
    high_ = dimension(s.beta_slow);
    if (s.truncate) {
      low_ = std::floor(low_);
      high_ = std::ceil(high_);
    }
    low_ = std::max(low_, 0.0);
    high_ = std::min(high_, double(dims - 1));
    if (low_ == high_) high_ += 0.001;  // as the reference: no division by zero
  }
  double scaled(double frequency, int64_t i) const {
    const double ramp = std::clamp((double(i) - low_) / (high_ - low_), 0.0, 1.0);
    return frequency / factor_ * ramp + frequency * (1 - ramp);
  }

 private:
  double factor_, low_, high_;
};

}  // namespace

std::vector<float> rope_inverse_frequency(int64_t head_dim, double theta, const RopeScaling& scaling) {
  std::vector<float> f(size_t(head_dim / 2));
  const Yarn yarn(head_dim, theta, scaling);
  for (size_t i = 0; i < f.size(); ++i) {
    double x = 1.0 / det::pow(theta, 2.0 * double(i) / double(head_dim));
    if (scaling.kind == RopeScaling::Kind::linear) x /= scaling.factor;
    if (scaling.kind == RopeScaling::Kind::llama3) x = llama3_scaled(x, scaling);
    if (scaling.kind == RopeScaling::Kind::yarn) x = yarn.scaled(x, int64_t(i));
    f[i] = float(x);
  }
  return f;
}

void rope_angles(float* cosine, float* sine, int64_t position, std::span<const float> inverse_frequency) noexcept {
  for (size_t i = 0; i < inverse_frequency.size(); ++i) {
    const float angle = float(position) * inverse_frequency[i];
    double s, c;
    det::sincos(angle, &s, &c);
    cosine[i] = float(c);
    sine[i] = float(s);
  }
}

float attention_temperature(const LlamaConfig& c, int64_t position) noexcept {
  return float(det::log1p(std::floor(double(position + 1) / double(c.floor_scale))) * double(c.attn_scale) + 1.0);
}

float query_growth(const LlamaConfig& c, int64_t position) noexcept {
  return float(1 + double(c.query_growth) * det::log1p(std::floor(double(position) / double(c.growth_from))));
}

float LlamaConfig::score_scale() const noexcept {
  return attention_scale != 0 ? attention_scale : float(1.0 / std::sqrt(double(head_dim)));
}

int64_t LlamaConfig::page_size() const noexcept {
  int64_t size = 64;
  if (chunk > 0)
    while (chunk % size != 0) --size;  // the largest divisor of the chunk up to 64
  return size;
}

}  // namespace puna
