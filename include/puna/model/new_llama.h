// new_llama.h -- a model of a given configuration with random weights, to be trained.
#pragma once
#include "puna/base/context.h"
#include "puna/model/llama.h"

namespace puna {

// f32 weights: normal with deviation 0.02, divided by sqrt(2 layers) where a block adds to the residual stream (GPT-2's
// rule); norms 1. The same seed gives the same weights everywhere.
Llama new_llama(const Context& context, const LlamaConfig& config, uint64_t seed);

}  // namespace puna
