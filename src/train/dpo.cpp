#include "puna/train/dpo.h"

#include <algorithm>
#include <cmath>

#include "base/det_math.h"
#include "puna/base/error.h"
#include "train/counted.h"

namespace puna::train {
namespace {

std::vector<Sequence> both_answers(std::span<const Preference> pairs) {
  std::vector<Sequence> all;
  for (const Preference& p : pairs) {
    all.push_back(p.chosen);
    all.push_back(p.rejected);
  }
  return all;
}

// Token losses in the order of both_answers, summed up an answer.
std::vector<PairLogProbs> sums(std::span<const Sequence> answers, std::span<const double> nll) {
  std::vector<PairLogProbs> all(answers.size() / 2);
  size_t at = 0;
  for (size_t i = 0; i < answers.size(); ++i)
    for (int64_t n = counted_tokens(answers[i]); n > 0; --n)
      (i % 2 == 0 ? all[i / 2].chosen : all[i / 2].rejected) -= nll[at++];
  return all;
}

double margin(const PairLogProbs& p) { return p.chosen - p.rejected; }

}  // namespace

std::vector<PairLogProbs> reference_log_probs(Pass& pass, std::span<const Preference> pairs,
                                              FunctionRef<bool()> should_stop) {
  const std::vector<Sequence> answers = both_answers(pairs);
  return sums(answers, pass.losses(answers, 0, {nullptr, nullptr, should_stop}));
}

DpoResult dpo_losses(Pass& pass, std::span<const Preference> pairs, std::span<const PairLogProbs> reference,
                     double beta, double scale, const Pass::Target& target) {
  PUNA_REQUIRE(pairs.size() == reference.size(), "%zu pairs, but %zu references", pairs.size(), reference.size());
  PUNA_REQUIRE(beta > 0 && std::isfinite(beta), "beta is %g, expected above 0", beta);
  const std::vector<Sequence> answers = both_answers(pairs);
  DpoResult result;
  const auto judge = [&](std::span<const double> nll, std::span<float> weights) {
    result = {};
    result.policy = sums(answers, nll);
    size_t at = 0;
    for (size_t i = 0; i < pairs.size(); ++i) {
      const double z = beta * (margin(result.policy[i]) - margin(reference[i])), e = det::exp(-std::abs(z));
      result.loss_sum += std::max(-z, 0.0) + det::log1p(e);
      result.preferred += z > 0;
      const double slope = scale * beta * (z > 0 ? e / (1 + e) : 1 / (1 + e));  // sigmoid(-z)
      for (int64_t n = counted_tokens(pairs[i].chosen); n > 0; --n) weights[at++] = float(slope);
      for (int64_t n = counted_tokens(pairs[i].rejected); n > 0; --n) weights[at++] = float(-slope);
    }
  };
  const std::vector<double> nll = pass.losses(answers, Pass::Weigh(judge), target);
  if (!target.parameters) {
    std::vector<float> unused(nll.size());
    judge(nll, unused);
  }
  return result;
}

}  // namespace puna::train
