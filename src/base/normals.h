// normals.h -- random numbers of a stream for new weights: normal ones and uniform ones, the same on every machine.
#pragma once
#include <cmath>

#include "base/det_math.h"
#include "puna/base/philox.h"

namespace puna {

// Normal numbers, two a draw (Box and Muller 1958).
class Normals {
 public:
  Normals(uint64_t seed, uint64_t stream) : seed_(seed), stream_(stream) {}
  float next() {
    if (kept_) {
      kept_ = false;
      return second_;
    }
    const Philox bits = philox(seed_, drawn_++, stream_);
    const double u = (double(bits.word[0]) + 0.5) / 4294967296.0,
                 angle = 6.283185307179586 * double(bits.word[1]) / 4294967296.0;
    const double radius = std::sqrt(-2 * det::log(u));
    second_ = float(radius * det::sin(angle));
    kept_ = true;
    return float(radius * det::cos(angle));
  }
  double uniform() {  // in (0, 1)
    const Philox bits = philox(seed_, drawn_++, stream_);
    return (double(bits.word[0]) + 0.5) / 4294967296.0;
  }

 private:
  uint64_t seed_, stream_, drawn_ = 0;
  bool kept_ = false;
  float second_ = 0;
};

}  // namespace puna
