#include "model/config_common.h"

#include <cmath>

#include "puna/base/error.h"

namespace puna {

void validate(const LlamaConfig& c) {
  if (c.heads % c.kv_heads != 0)
    fail(Status::bad_file, "config: %jd attention heads cannot share %jd KV heads evenly", c.heads, c.kv_heads);
  if (c.head_dim < 2 || c.head_dim > kMaxHeadDim ||
      c.head_dim % 2 != 0)  // where no key gives it: hidden / heads, whatever they are
    fail(Status::bad_file, "config: head_dim is %jd, expected an even number from 2 to %jd (RoPE rotates pairs)",
         c.head_dim, kMaxHeadDim);
  if (c.vocab < 1 || c.vocab > kMaxVocab)
    fail(Status::bad_file, "config: the vocabulary has %jd tokens, expected 1 to %jd", c.vocab, kMaxVocab);
  if (c.experts_per_token > c.experts)
    fail(Status::bad_file, "config: %jd experts a token, but the model has %jd", c.experts_per_token, c.experts);
  for (const float f : c.inverse_frequency)
    if (!std::isfinite(f) || f < 0)
      fail(Status::bad_file, "config: RoPE frequency is %g, expected a finite number >= 0", double(f));
  // det::sincos is exact to 2^27; frequencies are at most 1 in any sane file
  for (const float f : c.inverse_frequency)
    if (double(f) * double(c.max_positions) > 134217728.0)
      fail(Status::unsupported, "config: RoPE frequency %g at %jd positions is beyond the supported angle", double(f),
           c.max_positions);
}

}  // namespace puna
