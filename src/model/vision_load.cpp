// vision_load.cpp -- the configuration and the tensors of a vision encoder: from a Hugging Face checkpoint, or from the
// "mmproj" GGUF that llama.cpp's converter writes beside a text model. The two differ in names alone.
#include <string>

#include "model/config_common.h"
#include "model/leftovers.h"
#include "model/weight_reader.h"
#include "puna/base/error.h"
#include "puna/model/vision.h"

namespace puna {
namespace {

constexpr int64_t kMaxTile = 4096, kMaxPatch = 256, kMaxPositions2d = 1 << 16;

void check(const VisionConfig& c) {
  if (c.hidden % c.heads != 0 || c.head_dim() % 4 != 0 || c.head_dim() > kMaxHeadDim)
    fail(Status::bad_file, "vision: %jd heads in %jd dimensions, expected heads of a multiple of 4, at most %jd",
         c.heads, c.hidden, kMaxHeadDim);
  if (c.tile % c.patch != 0 || c.side() % c.shuffle != 0)
    fail(Status::bad_file,
         "vision: tiles of %jd pixels do not divide into patches of %jd and squares of %jd x %jd of them", c.tile,
         c.patch, c.shuffle, c.shuffle);
  if (c.positions() > kMaxPositions2d)
    fail(Status::unsupported, "vision: %jd patches a tile, expected at most %jd", c.patches(), kMaxPositions2d - 1);
}

// What tensors and groups of tensors are called; "%" stands for the layer.
struct VisionNames {
  std::string patch, class_token, positions, pre, post, adapter_in, adapter_out, projector;
  std::string q, k, v, o, attn_norm, ffn_norm, up, down;
};

VisionNorm read_norm(const WeightReader& r, const std::string& name, int64_t size) {
  return {r.vector(name + ".weight", size), r.vector(name + ".bias", size)};
}

VisionLinear read_linear(const WeightReader& r, const std::string& name, int64_t rows, int64_t cols) {
  return {r.matrix(name + ".weight", rows, cols), r.vector(name + ".bias", rows)};
}

VisionLayer read_layer(const WeightReader& r, const VisionConfig& c, const VisionNames& names, int64_t l) {
  const auto of = [&](std::string name) { return name.replace(name.find('%'), 1, std::to_string(l)); };
  const int64_t D = c.hidden;
  VisionLayer L;
  L.attn_norm = read_norm(r, of(names.attn_norm), D);
  L.wq = read_linear(r, of(names.q), D, D);
  L.wk = read_linear(r, of(names.k), D, D);
  L.wv = read_linear(r, of(names.v), D, D);
  L.wo = read_linear(r, of(names.o), D, D);
  L.ffn_norm = read_norm(r, of(names.ffn_norm), D);
  L.up = read_linear(r, of(names.up), c.ffn, D);
  L.down = read_linear(r, of(names.down), D, c.ffn);
  return L;
}

VisionWeights read_weights(const Context& context, const TensorMap& tensors, const VisionConfig& c,
                           const VisionNames& names, bool mapped, VisionTower::Progress progress,
                           std::initializer_list<std::string_view> roots) {
  LlamaWeights owner;  // the reader keeps what it packs there
  const WeightReader r(context, tensors, owner, mapped, progress, /*store=*/nullptr);
  VisionWeights w;
  w.patch = r.matrix(names.patch, c.hidden, 3 * c.patch * c.patch);
  w.class_token = r.vector(names.class_token, c.hidden);
  w.positions = r.matrix(names.positions, c.positions(), c.hidden);
  w.pre = read_norm(r, names.pre, c.hidden);
  for (int64_t l = 0; l < c.layers; ++l) w.layers.push_back(read_layer(r, c, names, l));
  w.post = read_norm(r, names.post, c.hidden);
  w.adapter_in = r.matrix(names.adapter_in, c.adapter, c.shuffle * c.shuffle * c.hidden);
  w.adapter_out = r.matrix(names.adapter_out, c.adapter, c.adapter);
  w.projector = r.matrix(names.projector, c.text_hidden, c.adapter);
  judge_unread(tensors, [&](std::string_view name) -> std::string {
    for (const std::string_view root : roots)
      if (name.starts_with(root) && name.find("rotary") == name.npos)
        return "would change what the vision encoder computes, and is not supported";
    return "";
  });
  r.finish();
  w.owned = std::move(owner.owned);
  return w;
}

}  // namespace

VisionConfig vision_config_from_huggingface(const Metadata& m, int64_t text_hidden) {
  const std::string group = "vision_config.";
  const auto integer = [&](const char* key, int64_t high, std::optional<int64_t> usual = {}) {
    return m.integer(group + key, 1, high, usual);
  };
  VisionConfig c;
  c.layers = integer("num_hidden_layers", kMaxLayers);
  c.hidden = integer("hidden_size", kMaxHidden);
  c.heads = integer("num_attention_heads", kMaxHeads);
  c.tile = integer("image_size", kMaxTile);
  c.patch = integer("patch_size", kMaxPatch);
  c.adapter = integer("projector_output_dim", kMaxHidden);
  c.text_hidden = text_hidden;
  const double ratio = m.number(group + "pixel_shuffle_ratio", 1.0 / 64, 1.0, 0.5);
  c.shuffle = int64_t(1 / ratio + 0.5);
  const auto expect = [&](const char* key, int64_t wanted, const char* why) {
    const int64_t got = integer(key, kMaxFfn, wanted);
    if (got != wanted)
      fail(Status::unsupported, "config.json: vision_config.%s is %jd, expected %jd (%s)", key, got, wanted, why);
  };
  if (double(c.shuffle) * ratio != 1)
    fail(Status::unsupported, "config.json: vision_config.pixel_shuffle_ratio is %g, expected 1 / a whole number",
         ratio);
  expect("num_channels", 3, "red, green, blue");
  expect("projector_input_dim", c.adapter, "projector_output_dim");
  expect("vision_output_dim", c.adapter, "projector_output_dim");
  c.ffn = integer("intermediate_size", kMaxFfn);
  expect("intermediate_size", c.hidden * c.shuffle * c.shuffle,
         "hidden_size / pixel_shuffle_ratio^2, which the adapter reads");
  if (const std::string act = m.string(group + "hidden_act", std::string("gelu")); act != "gelu")
    fail(Status::unsupported, "config.json: vision_config.hidden_act is '%.40s', expected 'gelu'", act.c_str());
  if (m.boolean(group + "multi_modal_projector_bias", false))
    fail(Status::unsupported, "config.json: vision_config.multi_modal_projector_bias is true, which is not supported");
  const std::vector<NeutralKey> keys = {{"vision_feature_select_strategy", {std::string("default")}},
                                        {"attention_bias", {true}},
                                        {"vision_feature_layer", {int64_t{-1}}}};
  require_neutral(m, group, keys);
  const bool v5 = m.has(group + "rope_parameters.rope_theta");
  c.rope_theta = m.number(group + (v5 ? "rope_parameters.rope_theta" : "rope_theta"), 1, 1e12, 10000.0);
  check(c);
  return c;
}

VisionConfig vision_config_from_mmproj(const Metadata& m, int64_t text_hidden) {
  const std::string kind =
      m.string("clip.projector_type", m.string("clip.vision.projector_type", std::string("unknown")));
  if (kind != "llama4")
    fail(Status::unsupported, "metadata 'clip.projector_type' is '%.40s', which is not supported; known: llama4",
         kind.c_str());
  const auto integer = [&](const char* key, int64_t high, std::optional<int64_t> usual = {}) {
    return m.integer(std::string("clip.vision.") + key, 1, high, usual);
  };
  VisionConfig c;
  c.layers = integer("block_count", kMaxLayers);
  c.hidden = integer("embedding_length", kMaxHidden);
  c.heads = integer("attention.head_count", kMaxHeads);
  c.ffn = integer("feed_forward_length", kMaxFfn);
  c.tile = integer("image_size", kMaxTile);
  c.patch = integer("patch_size", kMaxPatch);
  c.shuffle = integer("projector.scale_factor", 64, 2);
  c.text_hidden = text_hidden;
  c.norm_eps = float(m.number("clip.vision.attention.layer_norm_epsilon", kMinNormEps, 1.0, 1e-5));
  const std::vector<NeutralKey> keys = {{"use_gelu", {true}}, {"use_silu", {false}}};
  require_neutral(m, "clip.", keys);
  require_neutral(m, "clip.vision.", keys);
  check(c);
  return c;
}

VisionTower VisionTower::from_huggingface(const Context& context, const Metadata& metadata, const TensorMap& tensors,
                                          int64_t text_hidden, bool mapped, Progress progress) {
  const std::string root = "vision_model.", layer = root + "model.layers.%.", attn = layer + "self_attn.",
                    mlp = layer + "mlp.", adapter = root + "vision_adapter.mlp.";
  const VisionNames names = {root + "patch_embedding.linear.weight",
                             root + "class_embedding",
                             root + "positional_embedding_vlm",
                             root + "layernorm_pre",
                             root + "layernorm_post",
                             adapter + "fc1.weight",
                             adapter + "fc2.weight",
                             "multi_modal_projector.linear_1.weight",
                             attn + "q_proj",
                             attn + "k_proj",
                             attn + "v_proj",
                             attn + "o_proj",
                             layer + "input_layernorm",
                             layer + "post_attention_layernorm",
                             mlp + "fc1",
                             mlp + "fc2"};
  VisionTower tower;
  tower.config = vision_config_from_huggingface(metadata, text_hidden);
  tower.weights = read_weights(context, tensors, tower.config, names, mapped, progress,
                               {"vision_model.", "multi_modal_projector."});
  return tower;
}

VisionTower VisionTower::from_mmproj(const Context& context, const Metadata& metadata, const TensorMap& tensors,
                                     int64_t text_hidden, bool mapped, Progress progress) {
  const std::string layer = "v.blk.%.";
  // The second norm has had two names.
  const std::string ffn_norm = layer + (tensors.find("v.blk.0.ln2.weight") ? "ln2" : "attn_post_norm");
  const VisionNames names = {"v.patch_embd.weight",
                             "v.class_embd",
                             "v.position_embd.weight",
                             "v.pre_ln",
                             "v.post_ln",
                             "mm.model.mlp.1.weight",
                             "mm.model.mlp.2.weight",
                             "mm.model.fc.weight",
                             layer + "attn_q",
                             layer + "attn_k",
                             layer + "attn_v",
                             layer + "attn_out",
                             layer + "ln1",
                             ffn_norm,
                             layer + "ffn_up",
                             layer + "ffn_down"};
  VisionTower tower;
  VisionConfig& c = tower.config;
  c = vision_config_from_mmproj(metadata, text_hidden);
  const TensorEntry* adapter = tensors.find(names.adapter_out);  // no key tells its width
  if (!adapter || adapter->shape.rank != 2 || adapter->shape[0] < 1 || adapter->shape[0] > kMaxHidden)
    fail(Status::bad_file, "tensor '%s' is missing or no square matrix", names.adapter_out.c_str());
  c.adapter = adapter->shape[0];
  tower.weights = read_weights(context, tensors, c, names, mapped, progress, {"v.", "mm."});
  return tower;
}

}  // namespace puna
