// trainer_evaluate.cpp -- the loss on held-out sequences and pairs.
#include "base/fp_env.h"
#include "puna/base/error.h"
#include "puna/train/trainer.h"
#include "train/groups.h"

namespace puna::train {
namespace {

int64_t size_of(const Preference& p) { return int64_t(p.chosen.tokens.size() + p.rejected.tokens.size()); }

}  // namespace

double Trainer::evaluate(std::span<const Sequence> sequences, FunctionRef<bool()> should_stop) {
  const FpEnv fp_env;
  double sum = 0;
  int64_t n = 0;
  in_groups(
      sequences.size(), options_.tokens_per_pass, [&](size_t i) { return int64_t(sequences[i].tokens.size()); },
      [&](size_t first, size_t last) {
        const std::vector<double> nll =
            pass_.losses(sequences.subspan(first, last - first), 0, {nullptr, adapter_, should_stop});
        for (const double x : nll) sum += x;
        n += int64_t(nll.size());
      });
  PUNA_REQUIRE(n > 0, "no token of the held-out sequences counts");
  return sum / double(n);
}

std::vector<PairLogProbs> Trainer::reference_of(std::span<const Preference> pairs, FunctionRef<bool()> should_stop) {
  const FpEnv fp_env;
  std::vector<PairLogProbs> all;
  in_groups(
      pairs.size(), options_.tokens_per_pass, [&](size_t i) { return size_of(pairs[i]); },
      [&](size_t first, size_t last) {
        const auto part = reference_log_probs(pass_, pairs.subspan(first, last - first), should_stop);
        all.insert(all.end(), part.begin(), part.end());
      });
  return all;
}

PairScores Trainer::evaluate(std::span<const Preference> pairs, std::span<const PairLogProbs> reference,
                             FunctionRef<bool()> should_stop) {
  const FpEnv fp_env;
  PUNA_REQUIRE(!pairs.empty() && pairs.size() == reference.size(),
               "%zu pairs and %zu references, expected as many, and at least one", pairs.size(), reference.size());
  PairScores sum;
  in_groups(
      pairs.size(), options_.tokens_per_pass, [&](size_t i) { return size_of(pairs[i]); },
      [&](size_t first, size_t last) {
        const auto of = reference.subspan(first, last - first);
        const DpoResult r = dpo_losses(pass_, pairs.subspan(first, last - first), of, options_.dpo_beta, 0,
                                       {nullptr, adapter_, should_stop});
        sum.loss += r.loss_sum;
        sum.preferred += double(r.preferred);
        for (size_t i = 0; i < of.size(); ++i)
          sum.margin +=
              options_.dpo_beta * ((r.policy[i].chosen - r.policy[i].rejected) - (of[i].chosen - of[i].rejected));
      });
  const double n = double(pairs.size());
  return {sum.loss / n, sum.preferred / n, sum.margin / n};
}

}  // namespace puna::train
