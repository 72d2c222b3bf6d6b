// run_vision.h -- a bare pass of a vision encoder over tiles, with taps.
#pragma once
#include "model/forward.h"
#include "support/run_model.h"

namespace puna::test {

inline std::vector<float> run_vision(const Context& context, const VisionTower& tower, std::span<const float> pixels,
                                     bool exact = true, const VisionTaps* taps = nullptr) {
  const VisionConfig& c = tower.config;
  const int64_t tiles = int64_t(pixels.size()) / c.pixels();
  std::vector<float> features(size_t(tiles * c.features() * c.text_hidden));
  const View out(features.data(), DType::f32, {tiles * c.features(), c.text_hidden});
  Arena measure;
  Cursor none;
  Inference dry(context.kernels(), context.executor(), measure, none, exact, {});
  forward(dry, tower, pixels.data(), tiles, out, taps);
  Buffer scratch = context.allocate(measure.peak(), "scratch");
  Arena arena(scratch.data(), scratch.size());
  Cursor cursor;
  Inference rec(context.kernels(), context.executor(), arena, cursor, exact, {});
  forward(rec, tower, pixels.data(), tiles, out, taps);
  return features;
}

}  // namespace puna::test
