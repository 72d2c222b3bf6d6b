// same_config.h -- two configurations compared field by field, so that a failure names the field.
#pragma once
#include "puna/model/config.h"
#include "support/catch.h"

namespace puna::test {

inline void check_same_config(const LlamaConfig& a, const LlamaConfig& b) {
  CHECK(a.architecture == b.architecture);
  CHECK(a.layers == b.layers);
  CHECK(a.hidden == b.hidden);
  CHECK(a.heads == b.heads);
  CHECK(a.kv_heads == b.kv_heads);
  CHECK(a.head_dim == b.head_dim);
  CHECK(a.vocab == b.vocab);
  CHECK(a.ffn == b.ffn);
  CHECK(a.max_positions == b.max_positions);
  CHECK(a.norm_eps == b.norm_eps);
  CHECK(a.tied == b.tied);
  CHECK(a.rope_style == b.rope_style);
  CHECK(a.inverse_frequency == b.inverse_frequency);
  CHECK(a.uses_rope == b.uses_rope);
  CHECK(a.rope_magnitude == b.rope_magnitude);
  CHECK(a.local_frequency == b.local_frequency);
  CHECK(a.long_frequency == b.long_frequency);
  CHECK(a.long_from == b.long_from);
  CHECK(a.pre_norm == b.pre_norm);
  CHECK(a.post_norm == b.post_norm);
  CHECK(a.residual_scale == b.residual_scale);
  CHECK(a.embedding_scale == b.embedding_scale);
  CHECK(a.logit_scale == b.logit_scale);
  CHECK(a.final_softcap == b.final_softcap);
  CHECK(a.glu.kind == b.glu.kind);
  CHECK(a.glu.limit == b.glu.limit);
  CHECK(a.glu.alpha == b.glu.alpha);
  CHECK(a.qkv_bias == b.qkv_bias);
  CHECK(a.out_bias == b.out_bias);
  CHECK(a.score_scale() == b.score_scale());
  CHECK(a.attention_softcap == b.attention_softcap);
  CHECK(a.sinks == b.sinks);
  CHECK(a.window == b.window);
  CHECK(a.slides == b.slides);
  CHECK(a.query_growth == b.query_growth);
  CHECK(a.growth_from == b.growth_from);
  CHECK(a.router_score == b.router_score);
  CHECK(a.expert_bias == b.expert_bias);
  CHECK(a.chunk == b.chunk);
  CHECK(a.qk_norm == b.qk_norm);
  CHECK(a.temperature == b.temperature);
  CHECK(a.floor_scale == b.floor_scale);
  CHECK(a.attn_scale == b.attn_scale);
  CHECK(a.is_moe == b.is_moe);
  CHECK(a.layer_kv_heads == b.layer_kv_heads);
  CHECK(a.layer_ffn == b.layer_ffn);
  CHECK(a.local_head_dim == b.local_head_dim);
  CHECK(a.value_norm == b.value_norm);
  CHECK(a.keys_are_values == b.keys_are_values);
  CHECK(a.shared_kv == b.shared_kv);
  CHECK(a.dense_beside_experts == b.dense_beside_experts);
  CHECK(a.per_layer == b.per_layer);
  CHECK(a.per_layer_vocab == b.per_layer_vocab);
  CHECK(a.layer_scale == b.layer_scale);
  CHECK(a.streams == b.streams);
  CHECK(a.laurel_rank == b.laurel_rank);
  CHECK(a.sparsity == b.sparsity);
  CHECK(a.experts == b.experts);
  CHECK(a.experts_per_token == b.experts_per_token);
  CHECK(a.expert_ffn == b.expert_ffn);
}

}  // namespace puna::test
