// bench_vision.cpp -- tiles a second through a vision encoder of 29 M parameters (hidden 512, 8 layers, 8 heads, 336
// px, patch 14) with random weights.
#include <memory>
#include <string>

#include "kernels/kernel_table.h"
#include "puna/model/vision.h"
#include "support/catch.h"
#include "support/run_vision.h"

namespace puna::test {
namespace {

struct Made {
  Metadata metadata;
  TensorMap tensors;
  std::vector<std::unique_ptr<std::vector<float>>> values;

  void add(const std::string& name, const Shape& shape, float scale) {
    auto v = std::make_unique<std::vector<float>>(size_t(shape.count()));
    uint32_t state = uint32_t(values.size()) + 1;
    for (float& x : *v) {
      state = state * 1664525u + 1013904223u;
      x = scale * (float(state >> 8) / 8388608.0f - 1);
    }
    tensors.add({name, DType::f32, shape, reinterpret_cast<const std::byte*>(v->data()), v->size() * 4});
    values.push_back(std::move(v));
  }
};

Made make_tower(int64_t D, int64_t layers, int64_t heads, int64_t adapter, int64_t text) {
  Made m;
  const std::pair<const char*, int64_t> keys[] = {{"num_hidden_layers", layers},
                                                  {"hidden_size", D},
                                                  {"num_attention_heads", heads},
                                                  {"image_size", 336},
                                                  {"patch_size", 14},
                                                  {"intermediate_size", 4 * D},
                                                  {"projector_output_dim", adapter},
                                                  {"projector_input_dim", adapter},
                                                  {"vision_output_dim", adapter}};
  for (const auto& [key, value] : keys) m.metadata.set(std::string("vision_config.") + key, value);
  const float scale = 1.0f / 16;
  const auto linear = [&](const std::string& name, int64_t rows, int64_t cols) {
    m.add(name + ".weight", {rows, cols}, scale);
    m.add(name + ".bias", {rows}, scale);
  };
  const auto norm = [&](const std::string& name) {
    m.add(name + ".weight", {D}, 1);
    m.add(name + ".bias", {D}, scale);
  };
  m.add("vision_model.patch_embedding.linear.weight", {D, 588}, scale);
  m.add("vision_model.class_embedding", {D}, 1);
  m.add("vision_model.positional_embedding_vlm", {577, D}, 1);
  norm("vision_model.layernorm_pre");
  norm("vision_model.layernorm_post");
  for (int64_t l = 0; l < layers; ++l) {
    const std::string p = "vision_model.model.layers." + std::to_string(l) + ".";
    norm(p + "input_layernorm");
    norm(p + "post_attention_layernorm");
    for (const char* w : {"q_proj", "k_proj", "v_proj", "o_proj"}) linear(p + "self_attn." + w, D, D);
    linear(p + "mlp.fc1", 4 * D, D);
    linear(p + "mlp.fc2", D, 4 * D);
  }
  m.add("vision_model.vision_adapter.mlp.fc1.weight", {adapter, 4 * D}, scale);
  m.add("vision_model.vision_adapter.mlp.fc2.weight", {adapter, adapter}, scale);
  m.add("multi_modal_projector.linear_1.weight", {text, adapter}, scale);
  return m;
}

}  // namespace

TEST_CASE("tiles through the vision encoder", "[vision]") {
  const Made made = make_tower(512, 8, 8, 1024, 512);
  for (const int threads : {1, 2}) {
    const ContextPtr context = context_with("", threads);
    const VisionTower tower = VisionTower::from_huggingface(*context, made.metadata, made.tensors, 512);
    const std::vector<float> pixels(size_t(2 * tower.config.pixels()), 0.25f);
    BENCHMARK("2 tiles of 336 px, 29 M parameters, threads: " + std::to_string(threads)) {
      return run_vision(*context, tower, pixels)[0];
    };
  }
}

}  // namespace puna::test
