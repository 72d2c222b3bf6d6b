// experts.h -- mixture of experts as Llama 4 does it: a router picks top_k experts a row by raw logit; the sigmoid of the chosen logit
// scales the expert's *input*; a shared expert sees every row unscaled. Rows are grouped by expert, so weights are read once a batch.
// Source: Hugging Face modeling_llama4.py (Llama4TextMoe).
#pragma once
#include <span>

#include "ops/linear.h"

namespace puna {

// For R rows and top_k slots a row: route i = row * top_k + slot.
struct Routes {
  int32_t* expert;   // [R*top_k]
  float* score;      // [R*top_k] sigmoid of the chosen logit
  int32_t* order;    // routes grouped by expert, ascending inside a group
  int32_t* first;    // [experts+1] where each expert's group starts in order
  int64_t top_k, count;
};

// Chooses experts for normalised rows xn [R,D]; ties go to the lower expert. router: [E,D]. logits (optional): [R,E], for tests.
Routes route(Inference& rec, const Activations& xn, const Weight& router, int64_t top_k, View* logits = nullptr);

// All experts have the types of experts[0] (checked when a model is loaded).
// x += shared(xn) + sum over slots of expert(score * xn).   `shared` may be empty.
void experts_add(Inference& rec, View x, const Activations& xn, const Routes& routes, std::span<const ExpertWeights> experts, const ExpertWeights* shared);

}  // namespace puna
