// dpo.h -- direct preference optimisation (arXiv:2305.18290): of two answers to a prompt, the chosen one becomes more
// likely than the rejected one, relative to the model before training.
//   loss = -log sigmoid(beta ((pc - pr) - (rc - rr)))
// p: summed log-probabilities of the answer by the model in training, r: by the reference; c: chosen, r: rejected.
#pragma once
#include "puna/train/pass.h"

namespace puna::train {

// The answers' tokens are the counted ones.
struct Preference {
  Sequence chosen, rejected;
};
struct PairLogProbs {
  double chosen = 0, rejected = 0;
};

// Of the model as it is, without adapter: to be computed once, before training changes anything.
std::vector<PairLogProbs> reference_log_probs(Pass& pass, std::span<const Preference> pairs,
                                              FunctionRef<bool()> should_stop);

struct DpoResult {
  double loss_sum = 0;
  std::vector<PairLogProbs> policy;
  int64_t preferred = 0;  // pairs whose chosen answer is ahead of the reference's margin
};
// Adds the gradient of scale * the pairs' summed loss.
DpoResult dpo_losses(Pass& pass, std::span<const Preference> pairs, std::span<const PairLogProbs> reference,
                     double beta, double scale, const Pass::Target& target);

}  // namespace puna::train
