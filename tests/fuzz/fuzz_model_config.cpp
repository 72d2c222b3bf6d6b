// fuzz_model_config.cpp -- any text as config.json: a puna::Error, or a configuration that keeps every promise
// forward() relies on and survives the way through GGUF keys.
#include <cmath>

#include "expect_error.h"
#include "io/hf_config.h"
#include "puna/base/error.h"
#include "puna/model/config.h"
#include "target.h"

using namespace puna::test;

namespace {

void check(const puna::LlamaConfig& c) {
  for (const int64_t count : {c.layers, c.hidden, c.heads, c.kv_heads, c.vocab, c.ffn, c.max_positions, c.page_size()})
    require(count >= 1 && count <= int64_t(1) << 27);
  require(c.head_dim >= 2 && c.head_dim % 2 == 0);
  require(c.kv_layers() >= 1 && c.streams >= 1 && c.per_layer >= 0 && c.laurel_rank >= 0);
  for (int64_t l = 0; l < c.layers; ++l) {
    require(c.kv_heads_of(l) >= 1 && c.heads % c.kv_heads_of(l) == 0 && c.ffn_of(l) >= 1);
    require(c.head_dim_of(l) >= 2 && c.head_dim_of(l) % 2 == 0 &&
            2 * int64_t(c.frequencies_of(l).size()) <= c.head_dim_of(l));
    const int64_t owner = c.kv_layer(l);
    require(owner >= 0 && owner < c.kv_layers() && c.kv_heads_of(owner) == c.kv_heads_of(l) &&
            c.head_dim_of(owner) == c.head_dim_of(l) && c.sliding(owner) == c.sliding(l));
  }
  require(c.sparsity.empty() || c.sparsity.size() == size_t(c.layers));
  require(c.uses_rope.size() == size_t(c.layers) && c.is_moe.size() == size_t(c.layers));
  require(c.rotated() >= 2 && c.rotated() <= c.head_dim);
  require(c.architecture == "phi3" || c.rotated() == c.head_dim);
  require(c.long_frequency.empty() || c.long_frequency.size() == c.inverse_frequency.size());
  for (const auto* frequency : {&c.inverse_frequency, &c.local_frequency, &c.long_frequency}) {
    for (const float f : *frequency) require(std::isfinite(f) && f >= 0);
  }
  require(c.slides.empty() ? c.window == 0 : c.slides.size() == size_t(c.layers) && c.window >= 1);
  require(c.norm_eps > 0 && std::isfinite(c.norm_eps) && c.floor_scale >= 1 && std::isfinite(c.floor_scale) &&
          std::isfinite(c.attn_scale));
  require(c.chunk >= 0 && (c.chunk == 0 || c.chunk % c.page_size() == 0));
  if (c.architecture == "llama4")
    require(c.experts >= 1 && c.experts_per_token >= 1 && c.experts_per_token <= c.experts && c.expert_ffn >= 1);
  const puna::LlamaConfig back = puna::config_from_gguf(puna::gguf_metadata(c), c.vocab, nullptr);
  require(back.inverse_frequency == c.inverse_frequency && back.uses_rope == c.uses_rope && back.is_moe == c.is_moe &&
          back.chunk == c.chunk && back.experts == c.experts);
  require(back.window == c.window && back.slides == c.slides && back.rope_magnitude == c.rope_magnitude &&
          back.local_frequency == c.local_frequency && back.long_frequency == c.long_frequency &&
          back.score_scale() == c.score_scale() && back.embedding_scale == c.embedding_scale &&
          back.residual_scale == c.residual_scale && back.logit_scale == c.logit_scale &&
          back.attention_softcap == c.attention_softcap && back.final_softcap == c.final_softcap &&
          back.layer_kv_heads == c.layer_kv_heads && back.layer_ffn == c.layer_ffn &&
          back.local_head_dim == c.local_head_dim && back.shared_kv == c.shared_kv && back.per_layer == c.per_layer &&
          back.per_layer_vocab == c.per_layer_vocab && back.streams == c.streams && back.laurel_rank == c.laurel_rank &&
          back.sparsity == c.sparsity && back.query_growth == c.query_growth && back.glu.limit == c.glu.limit &&
          back.glu.alpha == c.glu.alpha);
}

}  // namespace

FUZZ_TARGET(model_config) {
  try {
    puna::Metadata metadata;
    puna::io::flatten_config({reinterpret_cast<const char*>(data), size}, "config.json", "", metadata);
    const puna::LlamaConfig config = puna::config_from_huggingface(metadata);
    puna::test::accepted = true;
    try {
      check(config);
    } catch (const puna::Error&) {
      require(false);  // what one reader accepts, the other must accept as well
    }
  } catch (const puna::Error&) {}
  return 0;
}
