// tiny_vision.h -- for fuzz targets: the tiny model as a GGUF file, and a vision encoder of one layer for it in another
// (mmproj).
#pragma once
#include <memory>

#include "puna/io/gguf.h"
#include "puna/runtime/save.h"
#include "tiny_model.h"

namespace puna::test {

// 8 dimensions, 2 heads, tiles of 4 x 4 pixels in patches of 2 x 2: one feature a tile.
inline void write_tiny_mmproj(const std::string& path) {
  constexpr int64_t kHidden = 8, kText = 16;
  Metadata m;
  m.set("general.architecture", std::string("clip"));
  m.set("clip.has_vision_encoder", true);
  m.set("clip.projector_type", std::string("llama4"));
  m.set("clip.use_gelu", true);
  const std::pair<const char*, int64_t> sizes[] = {
      {"image_size", 4},  {"patch_size", 2},           {"embedding_length", kHidden}, {"feed_forward_length", kHidden},
      {"block_count", 1}, {"attention.head_count", 2}, {"projector.scale_factor", 2}};
  for (const auto& [key, value] : sizes) m.set(std::string("clip.vision.") + key, value);
  m.set("clip.vision.attention.layer_norm_epsilon", 1e-5);
  m.set("clip.vision.image_mean", std::vector<double>{0.5, 0.5, 0.5});
  m.set("clip.vision.image_std", std::vector<double>{0.5, 0.5, 0.5});
  std::vector<std::pair<std::string, Shape>> shapes = {
      {"v.patch_embd.weight", {kHidden, 12}},        {"v.class_embd", {kHidden}},
      {"v.position_embd.weight", {5, kHidden}},      {"mm.model.mlp.1.weight", {kHidden, 4 * kHidden}},
      {"mm.model.mlp.2.weight", {kHidden, kHidden}}, {"mm.model.fc.weight", {kText, kHidden}}};
  for (const char* norm : {"v.pre_ln", "v.post_ln", "v.blk.0.ln1", "v.blk.0.ln2"})
    for (const char* part : {".weight", ".bias"}) shapes.emplace_back(std::string(norm) + part, Shape{kHidden});
  for (const char* linear : {"attn_q", "attn_k", "attn_v", "attn_out", "ffn_up", "ffn_down"}) {
    shapes.emplace_back(std::string("v.blk.0.") + linear + ".weight", Shape{kHidden, kHidden});
    shapes.emplace_back(std::string("v.blk.0.") + linear + ".bias", Shape{kHidden});
  }
  std::vector<float> values(1024);
  for (size_t i = 0; i < values.size(); ++i) values[i] = float(i % 17) / 16 - 0.5f;
  std::vector<OutputTensor> tensors;
  for (const auto& [name, shape] : shapes) tensors.push_back({name, DType::f32, shape, values.data(), {}});
  write_gguf(path, m, tensors);
}

// The folder gets both files.
inline ModelPtr tiny_seeing_model(const std::string& folder) {
  save_gguf(*tiny_model(), folder + "/model.gguf");
  write_tiny_mmproj(folder + "/mmproj.gguf");
  ModelOptions options;
  options.vision.projector_path = folder + "/mmproj.gguf";
  return Model::open(tiny_context(), folder + "/model.gguf", {}, options);
}

}  // namespace puna::test
