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

// A heap of the best so far, the worst of them on top, in the place of the result: no memory is taken.
void most_likely(std::span<const float> logits, int32_t chosen, std::span<TokenProbability> out) noexcept {
  const auto better = [](const TokenProbability& a, const TokenProbability& b) {
    return a.log_probability != b.log_probability ? a.log_probability > b.log_probability : a.token < b.token;
  };
  out[0] = {chosen, logits[size_t(chosen)]};
  const auto others = out.subspan(1);
  size_t found = 0;
  for (size_t i = 0; i < logits.size() && !others.empty(); ++i) {
    const TokenProbability one{int32_t(i), logits[i]};
    if (one.token == chosen) continue;
    if (found == others.size()) {
      if (!better(one, others[0])) continue;
      std::pop_heap(others.begin(), others.end(), better);
      --found;
    }
    others[found++] = one;
    std::push_heap(others.begin(), others.begin() + ptrdiff_t(found), better);
  }
  std::sort_heap(others.begin(), others.end(), better);
  const double normaliser = log_sum_exp(logits);
  for (TokenProbability& p : out) p.log_probability = float(double(p.log_probability) - normaliser);
}

}  // namespace puna
