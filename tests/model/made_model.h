// made_model.h -- models of any shape made in memory: a GGUF checkpoint's metadata and tensors with random weights.
// What shape tests run and what attacks on hyper-parameters start from.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "kernels/encode_blocks.h"
#include "ref/random.h"
#include "support/catch.h"
#include "support/run_model.h"

namespace puna::test {

struct Made {
  Metadata metadata;
  std::vector<TensorEntry> tensors;
  std::vector<std::shared_ptr<std::vector<uint8_t>>> bytes;

  TensorEntry& tensor(const std::string& name) {
    for (TensorEntry& t : tensors)
      if (t.name == name) return t;
    FAIL("no tensor " << name);
    return tensors[0];
  }
  void remove(const std::string& name) {
    std::erase_if(tensors, [&](const TensorEntry& t) { return t.name == name; });
  }
  // Random values with standard deviation `spread` around `mean`, stored as `dtype`.
  void add(const std::string& name, DType dtype, const Shape& shape, float mean, float spread) {
    std::vector<float> values = ref::normal(shape.count(), 1000 + tensors.size());
    for (float& x : values) x = mean + spread * x;
    auto stored = std::make_shared<std::vector<uint8_t>>(size_t(bytes_of(info(dtype), uint64_t(shape.count()))));
    if (dtype == DType::f32 && !values.empty()) memcpy(stored->data(), values.data(), stored->size());
    if (dtype != DType::f32) encoder(dtype)(stored->data(), values.data(), shape.count(), nullptr);
    tensors.push_back({name, dtype, shape, reinterpret_cast<const std::byte*>(stored->data()), stored->size()});
    bytes.push_back(std::move(stored));
  }
  TensorMap map() const {
    TensorMap m;
    for (const TensorEntry& t : tensors) m.add(t);
    return m;
  }
};

// A config whose layers are all alike; `llama4` makes every second one a NoPE layer and every layer but the first a MoE
// layer.
inline LlamaConfig make_config(bool llama4, int64_t layers, int64_t hidden, int64_t heads, int64_t kv_heads,
                               int64_t head_dim, int64_t vocab, int64_t ffn) {
  LlamaConfig c;
  c.architecture = llama4 ? "llama4" : "llama";
  c.layers = layers;
  c.hidden = hidden;
  c.heads = heads;
  c.kv_heads = kv_heads;
  c.head_dim = head_dim;
  c.vocab = vocab;
  c.ffn = ffn;
  c.max_positions = 4096;
  c.norm_eps = 1e-5f;
  c.inverse_frequency = rope_inverse_frequency(head_dim, 10000, {});
  c.uses_rope.assign(size_t(layers), 1);
  c.is_moe.assign(size_t(layers), 0);
  if (!llama4) return c;
  for (size_t l = 0; l < size_t(layers); ++l) {
    c.uses_rope[l] = l % 2 == 0;
    c.is_moe[l] = l > 0;
  }
  c.chunk = 16;
  c.qk_norm = QkNorm::after_rope;
  c.temperature = true;
  c.floor_scale = 8;
  c.experts = 3;
  c.experts_per_token = 1;
  c.expert_ffn = ffn;
  return c;
}

inline Made make_gguf(const LlamaConfig& c, DType dtype = DType::f32) {
  Made m;
  m.metadata = gguf_metadata(c);
  const float spread = 1 / std::sqrt(float(c.hidden));
  const auto norm = [&](const std::string& name) { m.add(name + ".weight", DType::f32, {c.hidden}, 1, 0.1f); };
  const auto matrix = [&](const std::string& name, const Shape& shape) {
    m.add(name + ".weight", dtype, shape, 0, spread);
  };
  matrix("token_embd", {c.vocab, c.hidden});
  if (!c.tied) matrix("output", {c.vocab, c.hidden});
  norm("output_norm");
  for (int64_t l = 0; l < c.layers; ++l) {
    const std::string block = "blk." + std::to_string(l) + ".";
    norm(block + "attn_norm");
    matrix(block + "attn_q", {c.heads * c.head_dim, c.hidden});
    matrix(block + "attn_k", {c.kv_heads * c.head_dim, c.hidden});
    matrix(block + "attn_v", {c.kv_heads * c.head_dim, c.hidden});
    matrix(block + "attn_output", {c.hidden, c.heads * c.head_dim});
    norm(block + "ffn_norm");
    const auto ffn = [&](const std::string& suffix, int64_t F, int64_t E) {
      const auto shape = [&](int64_t rows, int64_t cols) { return E ? Shape{E, rows, cols} : Shape{rows, cols}; };
      matrix(block + "ffn_gate" + suffix, shape(F, c.hidden));
      matrix(block + "ffn_up" + suffix, shape(F, c.hidden));
      matrix(block + "ffn_down" + suffix, shape(c.hidden, F));
    };
    if (!c.is_moe[size_t(l)]) {
      ffn("", c.ffn, 0);
      continue;
    }
    matrix(block + "ffn_gate_inp", {c.experts, c.hidden});
    ffn("_exps", c.expert_ffn, c.experts);
    ffn("_shexp", c.expert_ffn, 0);
  }
  return m;
}

// `made` must outlive what is loaded from it.
inline LoadedLlama load_made(const Made& made, ContextPtr context = context_with()) {
  LoadedLlama m;
  m.context = std::move(context);
  m.llama = Llama::from_gguf(*m.context, made.metadata, made.map());
  return m;
}

inline std::vector<int64_t> made_tokens(int64_t count, int64_t vocab) {
  ref::Random random(77);
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < count; ++i) ids.push_back(random.below(vocab));
  return ids;
}

}  // namespace puna::test
