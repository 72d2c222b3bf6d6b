// sampled_softmax.h -- the loss of next-item prediction over a few candidates instead of the catalogue: for row t with
// candidates c_0 (what came
// next), c_1 ... c_M (drawn),    logit_m = e_t . unit[c_m] / temperature     nll_t = log sum_m e^logit_m - logit_0
// A drawn candidate that is c_0 itself counts as -5e4. Rows and items have unit length, so a logit is a cosine.
// arXiv:2402.17152, section 4
#pragma once
#include "ops/tape.h"

namespace puna {

struct Candidates {
  const int32_t* ids;  // [rows][per_row]
  int64_t per_row;     // 1 + M
  const float* unit;   // the items, unit_row floats apart
  float* dunit;        // their gradient, added to
  int64_t unit_row;
  float temperature;
  int32_t max_id;
};
// nll [rows], and the gradient of weight * sum nll in e's gradient and in dunit.   e: [rows,D]
void sampled_losses(Tape& rec, double* nll, View e, const Candidates& c, float weight);

}  // namespace puna
