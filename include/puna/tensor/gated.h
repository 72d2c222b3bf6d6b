// gated.h -- the kinds of feed-forward blocks and routers that decoders have.
#pragma once
#include <cstdint>

namespace puna {

// A gated linear unit, down(f(gate(x), up(x))).   arXiv:2002.05202
struct Glu {
  enum class Kind : uint8_t {
    silu,     // silu(gate) * up: SwiGLU
    gelu,     // gelu(gate) * up, gelu by tanh: Gemma
    clamped,  // (clamp(up) + 1) * g * sigmoid(alpha g), g = min(gate, limit): gpt-oss
  } kind = Kind::silu;
  float limit = 0, alpha = 0;  // clamped
};

// What a chosen expert's logit becomes, and where it multiplies.
enum class RouterScore : uint8_t {
  sigmoid,         // of the logit, times the expert's input: Llama 4
  softmax,         // over all experts, times the output
  softmax_chosen,  // over the chosen ones, times the output: the same renormalised
};

}  // namespace puna
