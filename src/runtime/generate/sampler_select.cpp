// sampler_select.cpp -- a maximum over lanes that compilers turn into vectors, and a selection with a small buffer.
#include "runtime/generate/sampler_select.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

namespace puna {

Largest find_largest(std::span<const float> scores, Status status, const char* culprit) {
  constexpr size_t kLanes = 16;
  float best[kLanes];
  bool good[kLanes];
  std::fill(best, best + kLanes, -kInfinity);
  std::fill(good, good + kLanes, true);
  const auto look = [&](size_t lane, float s) {
    best[lane] = s > best[lane] ? s : best[lane];
    good[lane] &= s < kInfinity;  // false for NaN too
  };
  size_t i = 0;
  for (; i + kLanes <= scores.size(); i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) look(lane, scores[i + lane]);
  }
  for (; i < scores.size(); ++i) look(i % kLanes, scores[i]);
  if (!std::all_of(good, good + kLanes, [](bool g) { return g; })) {
    const auto bad = std::find_if(scores.begin(), scores.end(), [](float s) { return !(s < kInfinity); });
    fail(status, "logits are not finite: token %td has %s; %s", bad - scores.begin(),
         std::isnan(*bad) ? "NaN" : "infinity", culprit);
  }
  const float largest = *std::max_element(best, best + kLanes);
  return {largest, int32_t(std::find(scores.begin(), scores.end(), largest) - scores.begin())};
}

// A buffer of at most 2k values, halved whenever it is full; most values are below its floor and cost one comparison.
float kth_largest(std::span<const float> values, size_t k) {
  std::vector<float> best;
  best.reserve(2 * k);
  float floor = -kInfinity;
  const auto halve = [&] {
    std::nth_element(best.begin(), best.begin() + ptrdiff_t(k - 1), best.end(), std::greater<>());
    best.resize(k);
    floor = best.back();
  };
  for (const float v : values) {
    if (v <= floor && best.size() >= k) continue;
    if (best.size() == 2 * k) halve();
    best.push_back(v);
  }
  halve();
  return floor;
}

}  // namespace puna
