// features.cpp -- what a configuration has that plain Llama has not, in words.
#include <algorithm>
#include <cstdio>

#include "puna/model/config.h"

namespace puna {
namespace {

std::string text(double x) {
  char buffer[32];
  snprintf(buffer, sizeof buffer, "%.6g", x);
  return buffer;
}

std::string of_layers(int64_t n, int64_t layers) {
  return n == layers ? "every layer" : std::to_string(n) + " of " + std::to_string(layers) + " layers";
}

void add_attention(std::vector<std::string>& list, const LlamaConfig& c) {
  int64_t sliding = 0, chunked = 0, plain = 0;
  for (int64_t l = 0; l < c.layers; ++l) {
    sliding += c.sliding(l);
    chunked += c.chunked(l);
    plain += !c.uses_rope[size_t(l)];
  }
  if (sliding > 0)
    list.push_back("sliding window of " + std::to_string(c.window) + " positions in " + of_layers(sliding, c.layers));
  if (chunked > 0)
    list.push_back("chunks of " + std::to_string(c.chunk) + " positions in " + of_layers(chunked, c.layers));
  if (plain > 0) list.push_back("no RoPE in " + of_layers(plain, c.layers));
  if (c.qk_norm == QkNorm::after_rope) list.push_back("QK norm behind RoPE, without weights");
  if (c.qk_norm == QkNorm::heads) list.push_back("QK norm of each head");
  if (c.qk_norm == QkNorm::whole) list.push_back("QK norm over all heads");
  if (c.qkv_bias) list.push_back(c.out_bias ? "biases of q, k, v and the output" : "biases of q, k and v");
  if (c.value_norm) list.push_back("norm of each head's values, without weights");
  if (c.keys_are_values) list.push_back("keys taken as values in layers that see everything");
  if (c.shared_kv > 0)
    list.push_back("keys and values of layers before in the last " + std::to_string(c.shared_kv) + " of " +
                   std::to_string(c.layers) + " layers");
  if (c.local_head_dim != 0)
    list.push_back("heads of " + std::to_string(c.local_head_dim) + " dimensions in sliding layers, " +
                   std::to_string(c.head_dim) + " in the others");
  if (!c.layer_kv_heads.empty()) list.push_back("numbers of KV heads by layer, at most " + std::to_string(c.kv_heads));
  if (c.sinks) list.push_back("attention sinks");
  if (c.attention_scale != 0 && c.head_dim * double(c.attention_scale) * double(c.attention_scale) != 1)
    list.push_back("scores times " + text(c.attention_scale));
  if (c.attention_softcap != 0) list.push_back("scores soft-capped at " + text(c.attention_softcap));
  if (c.temperature) list.push_back("queries that grow with the position in layers without RoPE");
  if (c.query_growth != 0) list.push_back("queries that grow with the position");
}

void add_rope(std::vector<std::string>& list, const LlamaConfig& c) {
  const RopeScaling& s = c.rope_scaling;
  if (s.kind == RopeScaling::Kind::yarn) list.push_back("YaRN by " + text(s.factor));
  if (s.kind == RopeScaling::Kind::linear) list.push_back("RoPE slowed down by " + text(s.factor));
  if (s.kind == RopeScaling::Kind::llama3) list.push_back("RoPE scaling of Llama 3 by " + text(s.factor));
  if (!c.long_frequency.empty()) list.push_back("LongRoPE past " + std::to_string(c.long_from) + " positions");
  if (c.rotated() < c.head_dim)
    list.push_back("RoPE of " + std::to_string(c.rotated()) + " of a head's " + std::to_string(c.head_dim) +
                   " dimensions");
  if (const auto still = std::count(c.inverse_frequency.begin(), c.inverse_frequency.end(), 0.0f); still > 0)
    list.push_back("RoPE of " + std::to_string(c.rotated() / 2 - still) + " of a head's " +
                   std::to_string(c.rotated() / 2) + " pairs");
  if (!c.local_frequency.empty()) list.push_back("RoPE of its own in sliding layers");
}

void add_blocks(std::vector<std::string>& list, const LlamaConfig& c) {
  if (c.post_norm) list.push_back(c.pre_norm ? "norms before and behind the blocks" : "norms behind the blocks");
  if (c.glu.kind == Glu::Kind::gelu) list.push_back("GeGLU");
  if (c.glu.kind == Glu::Kind::clamped) list.push_back("SwiGLU clamped at " + text(c.glu.limit));
  if (const int64_t moe = std::count(c.is_moe.begin(), c.is_moe.end(), uint8_t{1}); moe > 0)
    list.push_back("mixture of " + std::to_string(c.experts) + " experts, " + std::to_string(c.experts_per_token) +
                   " a token by " + (c.router_score == RouterScore::sigmoid ? "sigmoid" : "softmax") + ", in " +
                   of_layers(moe, c.layers) + (c.dense_beside_experts ? ", beside a dense block" : ""));
  int64_t sparse = 0;
  for (int64_t l = 0; l < c.layers; ++l) sparse += c.is_sparse(l);
  if (sparse > 0) list.push_back("gates kept above a part of their row in " + of_layers(sparse, c.layers));
  if (!c.layer_ffn.empty()) list.push_back("widths of blocks by layer, at most " + std::to_string(c.ffn));
  if (c.per_layer > 0) list.push_back("embeddings of " + std::to_string(c.per_layer) + " numbers for every layer");
  if (c.streams > 1) list.push_back("AltUp of " + std::to_string(c.streams) + " residual streams");
  if (c.laurel_rank > 0) list.push_back("LAuReL of rank " + std::to_string(c.laurel_rank));
  if (c.layer_scale) list.push_back("a scale behind every layer");
  if (c.embedding_scale != 1) list.push_back("embeddings times " + text(c.embedding_scale));
  if (c.residual_scale != 1) list.push_back("blocks times " + text(c.residual_scale));
  if (c.logit_scale != 1) list.push_back("logits times " + text(c.logit_scale));
  if (c.final_softcap != 0) list.push_back("logits soft-capped at " + text(c.final_softcap));
}

}  // namespace

std::vector<std::string> features(const LlamaConfig& c) {
  std::vector<std::string> list;
  add_attention(list, c);
  add_rope(list, c);
  add_blocks(list, c);
  return list;
}

}  // namespace puna
