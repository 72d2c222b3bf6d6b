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

namespace {

void set_list(int64_t& largest, std::vector<int64_t>& kept, std::vector<int64_t> list) {
  largest = *std::max_element(list.begin(), list.end());
  kept.clear();
  if (*std::min_element(list.begin(), list.end()) != largest) kept = std::move(list);
}

}  // namespace

void set_layer_kv_heads(LlamaConfig& c, std::vector<int64_t> list) {
  set_list(c.kv_heads, c.layer_kv_heads, std::move(list));
}

void set_layer_ffn(LlamaConfig& c, std::vector<int64_t> list) { set_list(c.ffn, c.layer_ffn, std::move(list)); }

void set_gemma_of_layers(LlamaConfig& c) {
  c.post_norm = c.value_norm = true;
  c.embedding_scale = float(std::sqrt(double(c.hidden)));
  c.attention_scale = 1;
  c.glu.kind = Glu::Kind::gelu;
  c.qk_norm = QkNorm::heads;
}

bool LlamaConfig::is_sparse(int64_t layer) const noexcept {
  return !sparsity.empty() && std::isfinite(sparsity[size_t(layer)]);
}

int64_t LlamaConfig::last_kv_layer(bool slides_too) const noexcept {
  int64_t l = kv_layers() - 1;
  while (l > 0 && sliding(l) != slides_too) --l;
  return l;
}

int64_t LlamaConfig::kv_layer(int64_t layer) const noexcept {
  return layer < kv_layers() ? layer : last_kv_layer(sliding(layer));
}

namespace {

// Layers may differ in their heads; what they share must fit.
void validate_layers(const LlamaConfig& c) {
  if (c.shared_kv < 0 || c.shared_kv >= c.layers)
    fail(Status::bad_file, "config: %jd layers share keys and values of others, the model has %jd", c.shared_kv,
         c.layers);
  for (int64_t l = 0; l < c.layers; ++l) {
    const int64_t owner = c.kv_layer(l), kv_heads = c.kv_heads_of(l), head_dim = c.head_dim_of(l);
    if (kv_heads < 1 || c.heads % kv_heads != 0)
      fail(Status::bad_file, "config: %jd attention heads cannot share %jd KV heads evenly", c.heads, kv_heads);
    if (c.sliding(owner) != c.sliding(l) || c.kv_heads_of(owner) != kv_heads)
      fail(Status::bad_file, "config: layer %jd shares keys and values, but no layer of its kind has any", l);
    if (2 * int64_t(c.frequencies_of(l).size()) > head_dim)
      fail(Status::bad_file, "config: RoPE rotates %zu dimensions, a head of layer %jd has %jd",
           2 * c.frequencies_of(l).size(), l, head_dim);
    if (!c.sparsity.empty() && (std::isnan(c.sparsity[size_t(l)]) || c.sparsity[size_t(l)] > 1e3f))
      fail(Status::bad_file, "config: the sparsity of layer %jd is %g, expected a finite number or -inf", l,
           double(c.sparsity[size_t(l)]));
  }
}

}  // namespace

void validate(const LlamaConfig& c) {
  for (const int64_t head_dim : {c.head_dim, c.local_head_dim != 0 ? c.local_head_dim : c.head_dim})
    if (head_dim < 2 || head_dim > kMaxHeadDim ||
        head_dim % 2 != 0)  // where no key gives it: hidden / heads, whatever they are
      fail(Status::bad_file, "config: head_dim is %jd, expected an even number from 2 to %jd (RoPE rotates pairs)",
           head_dim, kMaxHeadDim);
  validate_layers(c);
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
