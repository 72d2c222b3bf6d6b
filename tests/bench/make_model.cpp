// make_model.cpp -- random-weight GGUF files of known shapes, for speed: `make_model SHAPE TYPE FILE`.
//   SHAPE  1b   Llama-3.2-1B's: d 2048, 16 layers, 32/8 heads x 64, ffn 8192, vocabulary 128256, tied
//          draft  a tenth of it with the same vocabulary: d 512, 4 layers, 8/2 heads x 64, ffn 2048
//          moe  Llama-4-like, 1.4B: d 1024, 24 layers, 8/2 heads x 128, 16 experts (top 1) + a shared one of ffn 1024,
//               vocabulary 49152
//          chunked  the same with attention chunks of 8192 in every layer: what a prompt costs must not grow with it
//          gemma3-270m, qwen3-0.6b, gpt-oss (gpt-oss-20b's, four of its layers)
//   TYPE   a type of puna::name(), or Q4_K_M: llama.cpp's mixture of Q4_K and Q6_K, or MXFP4_MOE: experts in MXFP4, the
//          rest in Q8_0. Quantised files keep the vocabulary in Q6_K, as llama.cpp's quantiser does (where rows do not
//          fit, and in files of Q8_0, in Q8_0; all of an MXFP4 file is MXFP4).
// Speed does not depend on the weights, so a matrix repeats 61 random rows; only routers are random throughout, to
// spread the tokens.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "io/hf_config.h"
#include "kernels/encode_blocks.h"
#include "model/family.h"
#include "puna/base/error.h"
#include "puna/io/gguf.h"
#include "puna/model/config.h"

namespace puna {
namespace {

// What both shapes have in common.
LlamaConfig finished(LlamaConfig c) {
  c.max_positions = 131072;
  c.norm_eps = 0x1p-17f;
  c.rope_theta = 500000;
  c.inverse_frequency = rope_inverse_frequency(c.head_dim, c.rope_theta, {});
  if (c.is_moe.empty()) c.is_moe.assign(size_t(c.layers), 0);
  return c;
}

LlamaConfig shape_1b() {
  LlamaConfig c;
  c.architecture = "llama";
  c.layers = 16;
  c.hidden = 2048;
  c.heads = 32;
  c.kv_heads = 8;
  c.head_dim = 64;
  c.ffn = 8192;
  c.vocab = 128256;
  c.tied = true;
  return finished(c);
}

LlamaConfig shape_draft() {
  LlamaConfig c = shape_1b();
  c.layers = 4;
  c.is_moe.assign(4, 0);
  c.hidden = 512;
  c.heads = 8;
  c.kv_heads = 2;
  c.ffn = 2048;
  return c;
}

LlamaConfig shape_moe(bool all_chunked) {
  LlamaConfig c;
  c.architecture = "llama4";
  c.layers = 24;
  c.hidden = 1024;
  c.heads = 8;
  c.kv_heads = 2;
  c.head_dim = 128;
  c.ffn = c.expert_ffn = 1024;
  c.vocab = 49152;
  c.experts = 16;
  c.experts_per_token = 1;
  c.chunk = 8192;
  c.qk_norm = QkNorm::after_rope;
  c.temperature = true;
  c.is_moe.assign(size_t(c.layers), 1);
  for (int64_t l = 0; l < c.layers; ++l) c.uses_rope.push_back(all_chunked || (l + 1) % 4 != 0);
  return finished(c);
}

// Shapes of published models, as their config.json says them.
struct Published {
  const char *name, *config;
};
constexpr Published kPublished[] = {
    {"gemma3-270m", R"({"model_type": "gemma3_text", "num_hidden_layers": 18, "hidden_size": 640,
      "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 256, "intermediate_size": 2048,
      "vocab_size": 262144, "max_position_embeddings": 32768, "sliding_window": 512, "sliding_window_pattern": 6,
      "query_pre_attn_scalar": 256, "rope_theta": 1000000.0})"},
    {"qwen3-0.6b", R"({"model_type": "qwen3", "num_hidden_layers": 28, "hidden_size": 1024, "num_attention_heads": 16,
      "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 3072, "vocab_size": 151936,
      "max_position_embeddings": 40960, "tie_word_embeddings": true, "rope_theta": 1000000.0})"},
    {"gpt-oss", R"({"model_type": "gpt_oss", "num_hidden_layers": 4, "hidden_size": 2880, "num_attention_heads": 64,
      "num_key_value_heads": 8, "head_dim": 64, "intermediate_size": 2880, "num_local_experts": 32,
      "num_experts_per_tok": 4, "vocab_size": 201088, "max_position_embeddings": 131072, "sliding_window": 128,
      "swiglu_limit": 7.0, "rope_theta": 150000.0, "rope_scaling": {"rope_type": "yarn", "factor": 32.0,
      "beta_fast": 32.0, "beta_slow": 1.0, "original_max_position_embeddings": 4096, "truncate": false}})"},
};

// A model that saves as `save_gguf` names things: names of the family, norms of ones, small biases.
class RandomTensors {
 public:
  RandomTensors(const LlamaConfig& c, const std::string& mix) : mix_(mix) {
    const int64_t D = c.hidden, Q = c.heads * c.head_dim, KV = c.kv_heads * c.head_dim;
    matrix("token_embd", {c.vocab, D}, vocabulary_type(D));
    if (!c.tied) matrix("output", {c.vocab, D}, vocabulary_type(D));
    ones("output_norm", D);
    for (int64_t l = 0; l < c.layers; ++l) {
      const LayerNames n = gguf_names(c, l);
      const DType better = more_bits(l, c.layers);
      ones(n.attn_norm, D);
      matrix(n.q, {Q, D}, type());
      matrix(n.k, {KV, D}, type());
      matrix(n.v, {KV, D}, better);
      matrix(n.o, {D, Q}, type());
      if (c.qkv_bias) {
        biases(n.q + ".bias", {Q});
        biases(n.k + ".bias", {KV});
        biases(n.v + ".bias", {KV});
      }
      if (c.out_bias) biases(n.o + ".bias", {D});
      if (c.qk_norm == QkNorm::heads) {
        ones(n.q_norm, c.head_dim);
        ones(n.k_norm, c.head_dim);
      }
      if (c.sinks) biases(n.sinks, {c.heads});
      ones(n.post_attn_norm, D);
      ones(n.ffn_norm, D);
      ones(n.post_ffn_norm, D);
      if (c.is_moe[size_t(l)]) experts(c, n, better);
      if (c.is_moe[size_t(l)] && c.architecture != "llama4") continue;
      const char* shared = c.is_moe[size_t(l)] ? "_shexp" : "";
      matrix(n.gate + shared, {c.ffn, D}, type());
      matrix(n.up + shared, {c.ffn, D}, type());
      matrix(n.down + shared, {D, c.ffn}, better);
    }
  }
  const std::vector<OutputTensor>& list() const { return list_; }

 private:
  static DType named(const std::string& name) {
    for (int t = 0; t < kDTypeCount; ++t)
      if (is_weight(DType(t)) && name == puna::name(DType(t))) return DType(t);
    fail(Status::invalid_argument, "there is no weight type '%s'", name.c_str());
  }
  void experts(const LlamaConfig& c, const LayerNames& n, DType down) {
    const int64_t E = c.experts, F = c.expert_ffn, D = c.hidden;
    const bool mxfp4 = mix_ == "MXFP4_MOE";
    router(n.router, {E, D});
    matrix(n.gate + "_exps", {E, F, D}, mxfp4 ? DType::mxfp4 : type());
    matrix(n.up + "_exps", {E, F, D}, mxfp4 ? DType::mxfp4 : type());
    matrix(n.down + "_exps", {E, D, F}, mxfp4 ? DType::mxfp4 : down);
    if (!c.expert_bias) return;
    biases(n.router + ".bias", {E});
    biases(n.gate + "_exps.bias", {E, F});
    biases(n.up + "_exps.bias", {E, F});
    biases(n.down + "_exps.bias", {E, D});
  }
  DType type() const { return mix_ == "Q4_K_M" ? DType::q4_k : mix_ == "MXFP4_MOE" ? DType::q8_0 : named(mix_); }
  DType vocabulary_type(int64_t cols) const {
    if (!is_quantised(type()) || type() == DType::q8_0 || type() == DType::mxfp4) return type();
    return cols % info(DType::q6_k).block == 0 ? DType::q6_k : DType::q8_0;
  }
  // Q4_K_M gives the values and the way down Q6_K in the first and last eighth of the layers and in every third
  // between.
  DType more_bits(int64_t l, int64_t n) const {
    return mix_ == "Q4_K_M" && (l < n / 8 || l >= 7 * n / 8 || (l - n / 8) % 3 == 2) ? DType::q6_k : type();
  }

  void biases(const std::string& name, const Shape& shape) {
    std::vector<float> values = normal(shape.count());
    for (float& x : values) x *= 0.1f;
    list_.push_back({name, DType::f32, shape, nullptr,
                     [values = std::move(values)](auto write) { write(values.data(), values.size() * 4); }});
  }

  void ones(const std::string& name, int64_t n) {  // "" = the family has no such norm
    if (name.empty()) return;
    ones_.resize(size_t(std::max<int64_t>(n, int64_t(ones_.size()))), 1.0f);
    list_.push_back(
        {name + ".weight", DType::f32, {n}, nullptr, [this, n](auto write) { write(ones_.data(), uint64_t(n) * 4); }});
  }

  void router(const std::string& name, const Shape& shape) {
    auto values = normal(shape.count());
    list_.push_back({name + ".weight", DType::f32, shape, nullptr,
                     [values = std::move(values)](auto write) { write(values.data(), values.size() * 4); }});
  }

  void matrix(const std::string& name, const Shape& shape, DType dtype) {
    const int64_t cols = shape[-1], rows = shape.count() / cols;
    list_.push_back({name + ".weight", dtype, shape, nullptr, [this, dtype, cols, rows](auto write) {
                       const std::vector<std::vector<uint8_t>>& pool = rows_of(dtype, cols);
                       for (int64_t r = 0; r < rows; ++r) write(pool[size_t(r) % pool.size()].data(), pool[0].size());
                     }});
  }

  const std::vector<std::vector<uint8_t>>& rows_of(DType dtype, int64_t cols) {
    std::vector<std::vector<uint8_t>>& pool = pools_[{dtype, cols}];
    while (pool.size() < 61) {
      std::vector<float> x = normal(cols);
      for (float& v : x) v /= std::sqrt(float(cols));
      std::vector<uint8_t> bytes(size_t(bytes_of(info(dtype), uint64_t(cols))));
      if (dtype == DType::f32)
        memcpy(bytes.data(), x.data(), bytes.size());
      else
        encoder(dtype)(bytes.data(), x.data(), cols, nullptr);
      pool.push_back(std::move(bytes));
    }
    return pool;
  }

  std::vector<float> normal(int64_t n) {
    std::normal_distribution<float> distribution;
    std::vector<float> x(static_cast<size_t>(n));
    for (float& v : x) v = distribution(random_);
    return x;
  }

  std::string mix_;
  std::mt19937 random_{1};
  std::vector<float> ones_;
  std::map<std::pair<DType, int64_t>, std::vector<std::vector<uint8_t>>> pools_;
  std::vector<OutputTensor> list_;
};

LlamaConfig config_of(const std::string& shape) {
  if (shape == "1b") return shape_1b();
  if (shape == "draft") return shape_draft();
  if (shape == "moe" || shape == "chunked") return shape_moe(shape == "chunked");
  std::string known = "1b, draft, moe, chunked";
  for (const Published& p : kPublished) {
    known += std::string(", ") + p.name;
    if (shape != p.name) continue;
    Metadata m;
    io::flatten_config(p.config, p.name, "", m);
    return config_from_huggingface(m);
  }
  fail(Status::invalid_argument, "there is no shape '%s'; known: %s", shape.c_str(), known.c_str());
}

void make(const std::string& shape, const std::string& type, const std::string& path) {
  const LlamaConfig c = config_of(shape);
  Metadata metadata = gguf_metadata(c);
  metadata.set("general.name", std::string("random weights for speed"));
  metadata.set("tokenizer.ggml.model", std::string("none"));
  write_gguf(path, metadata, RandomTensors(c, type).list());
}

}  // namespace
}  // namespace puna

int main(int argc, char** argv) try {
  if (argc != 4)
    return fprintf(stderr, "usage: make_model SHAPE TYPE FILE (the first lines of make_model.cpp list them)\n"), 2;
  puna::make(argv[1], argv[2], argv[3]);
  return 0;
} catch (const std::exception& e) {
  return fprintf(stderr, "make_model: %s\n", e.what()), 1;
}
