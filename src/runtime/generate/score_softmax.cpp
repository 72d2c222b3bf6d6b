// score_softmax.cpp -- the sum of exponentials relative to the largest, so that nothing overflows.
#include "runtime/generate/score_softmax.h"

#include <algorithm>
#include <limits>

#include "base/det_math.h"

namespace puna {

double log_sum_exp(std::span<const float> logits) noexcept {
  constexpr size_t kBlock = 512;
  constexpr double kNegligible = -700;  // exp of it vanishes beside the largest's exp(0) = 1; stands for -infinity too
  float largest = -std::numeric_limits<float>::infinity();
  for (const float x : logits) largest = x > largest ? x : largest;
  double sum = 0, e[kBlock];
  bool finite = largest - largest == 0;
  for (size_t begin = 0; begin < logits.size(); begin += kBlock) {
    const auto block = logits.subspan(begin, std::min(kBlock, logits.size() - begin));
    for (size_t i = 0; i < block.size(); ++i) {
      finite &= block[i] <= largest;  // false for NaN
      const double x = double(block[i]) - double(largest);
      e[i] = x > kNegligible ? x : kNegligible;
    }
    det::exp(e, e, int64_t(block.size()));
    for (size_t i = 0; i < block.size(); ++i) sum += e[i];
  }
  return finite ? double(largest) + det::log(sum) : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace puna
