// experts.h -- mixture of experts: a router picks top_k experts a row by raw logit. As Llama 4 does it, the sigmoid of
// the chosen logit scales the expert's *input*, and a shared expert sees every row unscaled; as others do it, a softmax
// scales the expert's output. Rows are grouped by expert, so weights are read once a batch.
// Source: Hugging Face modeling_llama4.py (Llama4TextMoe), modeling_qwen3_moe.py, modeling_gpt_oss.py.
#pragma once
#include <span>

#include "ops/rows.h"

namespace puna {

// For R rows and top_k slots a row: route i = row * top_k + slot.
struct Routes {
  int32_t* expert;  // [R*top_k]
  float* score;     // [R*top_k] what multiplies the expert's input or output
  float* share;     // [R*top_k] the same without the expert's factor
  int32_t* order;   // routes grouped by expert, ascending inside a group
  int32_t* place;   // [R*top_k] where in order each route is
  int32_t* first;   // [experts+1] where each expert's group starts in order
  int64_t top_k, count;
  View logits;  // [R,E]
  RouterScore kind = RouterScore::sigmoid;
  const float* factors = nullptr;  // [E] of the experts' outputs, or NULL
  bool scales_input() const noexcept { return kind == RouterScore::sigmoid; }
};

// How many experts a row has, and what their logits become. factors: of softmax kinds alone
struct Routing {
  int64_t top_k;
  RouterScore kind = RouterScore::sigmoid;
  const float* bias = nullptr;     // [E] or NULL
  const float* factors = nullptr;  // [E] or NULL
};

// Chooses experts for rows by their logits; ties go to the lower expert.
Routes choose_experts(Inference& rec, View logits, const Routing& how);

// The same for normalised rows xn [R,D].   router: [E,D]
template <class Rec>
Routes route(Rec& rec, const Activations& xn, const Weight& router, const Routing& how) {
  const View logits = rec.make(xn.rows(), router.rows);
  linear(rec, xn, {{logits, &router}}, /*force_f32=*/true);  // a rounded logit could choose another expert
  add_bias(rec, logits, how.bias);
  return choose_experts(rec, logits, how);
}

// Which experts rows went to is no function with a gradient; the scores that scale their inputs are.
struct Experts {
  std::span<const ExpertWeights> routed;  // all of the types of the first (checked when a model is loaded)
  const ExpertWeights* shared;            // may be NULL
  Glu glu = {};
};
struct
    // what the gradient needs of the forward pass; rows are routes in the experts' order, then the shared expert's
    ExpertsTrace {
  View scaled;          // [routes, D] score * xn
  View gate, up;        // [routes + R, max F]
  View routed, shared;  // [routes, F], [R, shared F] silu(gate) * up
  View out;             // [routes + R, D] of the experts, not scaled
};
ExpertsTrace experts_forward(Inference& rec, View x, const Activations& xn, const Routes& routes,
                             const Experts& experts);
void experts_backward(Tape& rec, View x, View xn, const Routes& routes, const Experts& experts,
                      const ExpertsTrace& trace);

// x += shared(xn) + sum over slots of expert(score * xn), or of score * expert(xn)
template <class Rec>
void experts_add(Rec& rec, View x, const Activations& xn, const Routes& routes, std::span<const ExpertWeights> routed,
                 const ExpertWeights* shared, const Glu& glu = {}) {
  const Experts experts{routed, shared, glu};
  const ExpertsTrace trace = experts_forward(rec, x, xn, routes, experts);
  if constexpr (Rec::records)
    rec.on_backward(
        [&rec, x, xn = xn.x, routes, experts, trace] { experts_backward(rec, x, xn, routes, experts, trace); });
}

}  // namespace puna
