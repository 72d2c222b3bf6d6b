// rope.cpp -- the frequencies of rotary positions and how published models stretch them.
#include <cmath>

#include "base/det_math.h"
#include "puna/base/error.h"
#include "puna/model/config.h"

namespace puna {
namespace {

// Llama 3's stretch: short wavelengths stay, long ones slow down by `factor`, those between are blended. Wavelengths are selected
// first, because Llama 4 Scout has low == high, where the blend would divide by zero.
double llama3_scaled(double frequency, const RopeScaling& s) {
  constexpr double kTwoPi = 6.283185307179586476925;
  const double wavelength = kTwoPi / frequency;
  if (wavelength < s.original_max_positions / s.high_freq_factor) return frequency;
  if (wavelength > s.original_max_positions / s.low_freq_factor) return frequency / s.factor;
  const double blend = (s.original_max_positions / wavelength - s.low_freq_factor) / (s.high_freq_factor - s.low_freq_factor);
  return (1 - blend) * frequency / s.factor + blend * frequency;
}

}  // namespace

std::vector<float> rope_inverse_frequency(int64_t head_dim, double theta, const RopeScaling& scaling) {
  std::vector<float> f(size_t(head_dim / 2));
  for (size_t i = 0; i < f.size(); ++i) {
    double x = 1.0 / det::pow(theta, 2.0 * double(i) / double(head_dim));
    if (scaling.kind == RopeScaling::Kind::linear) x /= scaling.factor;
    if (scaling.kind == RopeScaling::Kind::llama3) x = llama3_scaled(x, scaling);
    f[i] = float(x);
  }
  return f;
}

int64_t LlamaConfig::page_size() const noexcept {
  int64_t size = 64;
  if (chunk > 0)
    while (chunk % size != 0) --size;  // the largest divisor of the chunk up to 64
  return size;
}

}  // namespace puna
