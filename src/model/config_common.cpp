#include "model/config_common.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "puna/base/error.h"

namespace puna {

void set_sliding_layers(LlamaConfig& c, int64_t window, std::vector<uint8_t> slides) {
  if (window == 0 || std::none_of(slides.begin(), slides.end(), [](uint8_t slide) { return slide != 0; })) return;
  c.window = window;
  c.slides = std::move(slides);
}

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
  const auto check = [&](const std::vector<float>& frequencies) {
    for (const float f : frequencies) {
      if (!std::isfinite(f) || f < 0)
        fail(Status::bad_file, "config: RoPE frequency is %g, expected a finite number >= 0", double(f));
      // det::sincos is exact to 2^27; frequencies are at most 1 in any sane file
      if (double(f) * double(c.max_positions) > 134217728.0)
        fail(Status::unsupported, "config: RoPE frequency %g at %jd positions is beyond the supported angle", double(f),
             c.max_positions);
    }
  };
  for (const auto* frequencies : {&c.inverse_frequency, &c.local_frequency, &c.long_frequency}) check(*frequencies);
  for (const float x : {c.rope_magnitude, c.score_scale(), c.embedding_scale, c.residual_scale, c.logit_scale})
    if (!std::isfinite(x) || x <= 0)
      fail(Status::bad_file,
           "config: a factor of RoPE, scores, embeddings, blocks or logits is %g, expected a finite "
           "number above 0",
           double(x));
}

}  // namespace puna
