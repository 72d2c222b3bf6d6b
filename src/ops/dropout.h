// dropout.h -- which values of a row are dropped (arXiv:1207.0580): drawn anew from (seed, site, row) whenever they are
// asked for, so nothing is kept for the gradient, and the same whatever the passes and threads.
#pragma once
#include <cstdint>

namespace puna {

struct Dropout {
  float rate = 0;         // 0 = none
  uint64_t seed = 0;      // of the step
  uint64_t site = 0;      // which dropout of the model
  int64_t first_row = 0;  // number within the step of row 0
  explicit operator bool() const noexcept { return rate > 0; }

  Dropout at(uint64_t which) const noexcept { return {rate, seed, which, first_row}; }
  float scale() const noexcept { return 1.0f / (1.0f - rate); }  // of what is kept
  // y[i] becomes scale y[i] or zero: the values of a forward row, or of their gradient.
  void apply(float* y, int64_t row, int64_t n) const noexcept;
  void draw(uint8_t* kept, int64_t row, int64_t n) const noexcept;
};

}  // namespace puna
