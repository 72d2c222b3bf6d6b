// score_rows.h -- the scoring that score() and perplexity() share: a few hundred rows of logits at a time.
#pragma once
#include <span>

#include "puna/runtime/generate.h"

namespace puna {

// Appends `tokens` to an empty session; nll[i] = -log p(tokens[i + 1] | tokens[0 .. i]), tokens.size() - 1 values.
// `scored(n)` is called after each pass with the number of values so far, and may throw.
void score_rows(Session& session, std::span<const int32_t> tokens, std::span<float> nll,
                FunctionRef<void(int64_t)> scored);

}  // namespace puna
