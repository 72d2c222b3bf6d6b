// make_model.cpp -- random-weight GGUF files of known shapes, for speed: `make_model SHAPE TYPE FILE`.
//   SHAPE  1b   Llama-3.2-1B's: d 2048, 16 layers, 32/8 heads x 64, ffn 8192, vocabulary 128256, tied
//          draft  a tenth of it with the same vocabulary: d 512, 4 layers, 8/2 heads x 64, ffn 2048
//          moe  Llama-4-like, 1.4B: d 1024, 24 layers, 8/2 heads x 128, 16 experts (top 1) + a shared one of ffn 1024,
//               vocabulary 49152
//          chunked  the same with attention chunks of 8192 in every layer: what a prompt costs must not grow with it
//   TYPE   a type of puna::name(), or Q4_K_M: llama.cpp's mixture of Q4_K and Q6_K. Quantised files keep the vocabulary
//          in Q6_K (Q8_0 in Q8_0),
//          as llama.cpp's quantiser does.
// Speed does not depend on the weights, so a matrix repeats 61 random rows; only routers are random throughout, to
// spread the tokens.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "kernels/encode_blocks.h"
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

class RandomTensors {
 public:
  RandomTensors(const LlamaConfig& c, const std::string& mix) : mix_(mix) {
    const int64_t D = c.hidden, Q = c.heads * c.head_dim, KV = c.kv_heads * c.head_dim;
    matrix("token_embd", {c.vocab, D}, vocabulary_type());
    if (!c.tied) matrix("output", {c.vocab, D}, vocabulary_type());
    vector("output_norm", D);
    for (int64_t l = 0; l < c.layers; ++l) {
      const std::string b = "blk." + std::to_string(l) + ".";
      const DType better = more_bits(l, c.layers);
      vector(b + "attn_norm", D);
      matrix(b + "attn_q", {Q, D}, type());
      matrix(b + "attn_k", {KV, D}, type());
      matrix(b + "attn_v", {KV, D}, better);
      matrix(b + "attn_output", {D, Q}, type());
      vector(b + "ffn_norm", D);
      if (c.experts) {
        router(b + "ffn_gate_inp", {c.experts, D});
        matrix(b + "ffn_gate_exps", {c.experts, c.expert_ffn, D}, type());
        matrix(b + "ffn_up_exps", {c.experts, c.expert_ffn, D}, type());
        matrix(b + "ffn_down_exps", {c.experts, D, c.expert_ffn}, better);
      }
      const char* shared = c.experts ? "_shexp" : "";
      matrix(b + "ffn_gate" + shared, {c.ffn, D}, type());
      matrix(b + "ffn_up" + shared, {c.ffn, D}, type());
      matrix(b + "ffn_down" + shared, {D, c.ffn}, better);
    }
  }
  const std::vector<OutputTensor>& list() const { return list_; }

 private:
  static DType named(const std::string& name) {
    for (int t = 0; t < kDTypeCount; ++t)
      if (is_weight(DType(t)) && name == puna::name(DType(t))) return DType(t);
    fail(Status::invalid_argument, "there is no weight type '%s'", name.c_str());
  }
  DType type() const { return mix_ == "Q4_K_M" ? DType::q4_k : named(mix_); }
  DType vocabulary_type() const { return !is_quantised(type()) || type() == DType::q8_0 ? type() : DType::q6_k; }
  // Q4_K_M gives the values and the way down Q6_K in the first and last eighth of the layers and in every third
  // between.
  DType more_bits(int64_t l, int64_t n) const {
    return mix_ == "Q4_K_M" && (l < n / 8 || l >= 7 * n / 8 || (l - n / 8) % 3 == 2) ? DType::q6_k : type();
  }

  void vector(const std::string& name, int64_t n) {
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

void make(const std::string& shape, const std::string& type, const std::string& path) {
  if (shape != "1b" && shape != "draft" && shape != "moe" && shape != "chunked")
    fail(Status::invalid_argument, "there is no shape '%s'; known: 1b, draft, moe, chunked", shape.c_str());
  const LlamaConfig c = shape == "1b" ? shape_1b() : shape == "draft" ? shape_draft() : shape_moe(shape == "chunked");
  Metadata metadata = gguf_metadata(c);
  metadata.set("general.name", std::string("random weights for speed"));
  metadata.set("tokenizer.ggml.model", std::string("none"));
  write_gguf(path, metadata, RandomTensors(c, type).list());
}

}  // namespace
}  // namespace puna

int main(int argc, char** argv) try {
  if (argc != 4) return fprintf(stderr, "usage: make_model 1b|moe|chunked TYPE FILE\n"), 2;
  puna::make(argv[1], argv[2], argv[3]);
  return 0;
} catch (const std::exception& e) {
  return fprintf(stderr, "make_model: %s\n", e.what()), 1;
}
