// tiny_gguf.cpp -- a dense two-layer model with random weights, written by our own writer.
#include <cstdlib>
#include <filesystem>
#include <random>

#include "capi/fixture.h"
#include "puna/io/gguf.h"
#include "puna/model/config.h"

namespace puna::test {
namespace {

LlamaConfig tiny_config() {
  LlamaConfig c;
  c.architecture = "llama";
  c.layers = 2;
  c.hidden = 64;
  c.heads = 4;
  c.kv_heads = 2;
  c.head_dim = 16;
  c.vocab = 96;
  c.ffn = 128;
  c.max_positions = 128;
  c.norm_eps = 1e-5f;
  c.inverse_frequency = rope_inverse_frequency(c.head_dim, 10000, {});
  c.uses_rope.assign(size_t(c.layers), 1);
  c.is_moe.assign(size_t(c.layers), 0);
  return c;
}

std::string build() {
  const LlamaConfig c = tiny_config();
  std::vector<OutputTensor> tensors;
  std::vector<std::vector<float>> values;
  std::mt19937 random(7);
  const auto add = [&](const std::string& name, const Shape& shape) {
    std::normal_distribution<float> normal(shape.rank == 1 ? 1.f : 0.f, 0.08f);
    values.emplace_back(size_t(shape.count()));
    for (float& v : values.back()) v = normal(random);
    tensors.push_back({name, DType::f32, shape, nullptr});
  };
  add("token_embd.weight", {c.vocab, c.hidden});
  add("output.weight", {c.vocab, c.hidden});
  add("output_norm.weight", {c.hidden});
  for (int l = 0; l < c.layers; ++l) {
    const std::string layer = "blk." + std::to_string(l) + ".";
    add(layer + "attn_norm.weight", {c.hidden});
    add(layer + "attn_q.weight", {c.heads * c.head_dim, c.hidden});
    add(layer + "attn_k.weight", {c.kv_heads * c.head_dim, c.hidden});
    add(layer + "attn_v.weight", {c.kv_heads * c.head_dim, c.hidden});
    add(layer + "attn_output.weight", {c.hidden, c.heads * c.head_dim});
    add(layer + "ffn_norm.weight", {c.hidden});
    add(layer + "ffn_gate.weight", {c.ffn, c.hidden});
    add(layer + "ffn_up.weight", {c.ffn, c.hidden});
    add(layer + "ffn_down.weight", {c.hidden, c.ffn});
  }
  for (size_t i = 0; i < tensors.size(); ++i) tensors[i].data = values[i].data();
  const std::string folder = (std::filesystem::temp_directory_path() / "puna_capi_XXXXXX").string();
  std::string name = folder;
  REQUIRE(mkdtemp(name.data()) != nullptr);
  const std::string bytes = read_text(write_gguf(name + "/tiny.gguf", gguf_metadata(c), tensors)[0]);
  std::filesystem::remove_all(name);
  return bytes;
}

}  // namespace

const std::string& tiny_gguf() {
  static const std::string bytes = build();
  return bytes;
}

}  // namespace puna::test
