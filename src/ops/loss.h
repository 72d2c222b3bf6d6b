// loss.h -- cross-entropy of a head's logits, a few hundred rows of logits at a time: all of them at once would be the
// largest thing in memory.
//   nll_i = log sum_v e^(logits[i,v]) - logits[i, label_i],   logits = x W^T, capped by softcap
#pragma once
#include "ops/linear.h"

namespace puna {

// nll[i] of rows x [n,D] with labels in [0, V).
void token_losses(Inference& rec, double* nll, View x, const Weight& head, const int32_t* labels, float softcap = 0);
// The same, and the gradient of sum_i weights[i] nll[i] in x's gradient, the head's and its adapter's.
void token_losses(Tape& rec, double* nll, View x, const Weight& head, const int32_t* labels, const float* weights,
                  float softcap = 0);

}  // namespace puna
