// embed.h -- texts as vectors: the model's final hidden states, pooled.
#pragma once
#include <cstdint>
#include <span>

#include "puna/runtime/session.h"

namespace puna {

enum class Pooling : int32_t {
  mean = 0,  // over the tokens, summed in double
  last = 1,  // of the last token, which has seen all others
  none = 2,  // one vector a token
};

// Appends the tokens and fills out: [hidden], or [tokens.size(), hidden] without pooling. `normalise`: to length 1.
void embed(Session& session, std::span<const int32_t> tokens, Pooling pooling, bool normalise, std::span<float> out);

}  // namespace puna
