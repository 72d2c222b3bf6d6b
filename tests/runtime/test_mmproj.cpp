// A text model in one GGUF and its vision encoder in another, as llama.cpp's converter lays them out: the same features
// and logits as from safetensors.
#include "puna/base/error.h"
#include "puna/io/gguf.h"
#include "puna/runtime/image.h"
#include "puna/runtime/plan.h"
#include "puna/runtime/save.h"
#include "puna/runtime/session.h"
#include "support/catch.h"
#include "support/files.h"
#include "support/golden.h"

using namespace puna;
using namespace puna::test;

namespace test_mmproj {
namespace {

bool sees(const Golden& g) { return g.has("pixel_values_hf") && g.has("projected_features"); }

// Hugging Face's name to the converter's; "" = not part of the vision.
std::string mmproj_name(std::string name) {
  const std::vector<std::pair<std::string, std::string>> renames = {
      {"vision_model.vision_adapter.mlp.fc1", "mm.model.mlp.1"},
      {"vision_model.vision_adapter.mlp.fc2", "mm.model.mlp.2"},
      {"multi_modal_projector.linear_1", "mm.model.fc"},
      {"vision_model.class_embedding", "v.class_embd"},
      {"vision_model.positional_embedding_vlm", "v.position_embd.weight"},
      {"vision_model.patch_embedding.linear", "v.patch_embd"},
      {"vision_model.layernorm_pre", "v.pre_ln"},
      {"vision_model.layernorm_post", "v.post_ln"},
      {"vision_model.model.layers.", "v.blk."},
      {".self_attn.q_proj", ".attn_q"},
      {".self_attn.k_proj", ".attn_k"},
      {".self_attn.v_proj", ".attn_v"},
      {".self_attn.o_proj", ".attn_out"},
      {".mlp.fc1", ".ffn_up"},
      {".mlp.fc2", ".ffn_down"},
      {".input_layernorm", ".ln1"},
      {".post_attention_layernorm", ".ln2"}};
  if (!name.starts_with("vision_model.") && !name.starts_with("multi_modal_projector.")) return "";
  for (const auto& [from, to] : renames)
    if (const size_t at = name.find(from); at != name.npos) name.replace(at, from.size(), to);
  return name;
}

struct Mmproj {
  Metadata metadata;
  std::vector<OutputTensor> tensors;
};

Mmproj mmproj_of(const Checkpoint& c) {
  Mmproj m;
  const auto integer = [&](const char* key) {
    return c.metadata.integer(std::string("vision_config.") + key, 1, 1 << 20);
  };
  m.metadata.set("general.architecture", std::string("clip"));
  m.metadata.set("clip.has_vision_encoder", true);
  m.metadata.set("clip.projector_type", std::string("llama4"));
  m.metadata.set("clip.use_gelu", true);
  m.metadata.set("clip.vision.image_size", integer("image_size"));
  m.metadata.set("clip.vision.patch_size", integer("patch_size"));
  m.metadata.set("clip.vision.embedding_length", integer("hidden_size"));
  m.metadata.set("clip.vision.feed_forward_length", integer("intermediate_size"));
  m.metadata.set("clip.vision.block_count", integer("num_hidden_layers"));
  m.metadata.set("clip.vision.attention.head_count", integer("num_attention_heads"));
  m.metadata.set("clip.vision.attention.layer_norm_epsilon", 1e-5);
  m.metadata.set("clip.vision.projector.scale_factor", int64_t{2});
  m.metadata.set("clip.vision.image_mean", std::vector<double>{0.5, 0.5, 0.5});
  m.metadata.set("clip.vision.image_std", std::vector<double>{0.5, 0.5, 0.5});
  for (const TensorEntry& t : c.tensors.entries()) {
    const std::string name = mmproj_name(t.name);
    if (name.empty()) continue;
    OutputTensor out{name, t.dtype, t.shape};
    out.data = reinterpret_cast<const char*>(t.data);
    m.tensors.push_back(out);
  }
  return m;
}

std::string refusal(const std::string& text_model, const std::string& projector) {
  ModelOptions options;
  options.vision.projector_path = projector;
  try {
    Model::open(make_context({}), text_model, {}, options);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("an mmproj GGUF adds the vision encoder of the same checkpoint to a text GGUF", "[runtime][golden]") {
  const TempFolder folder;
  for (const Golden& g : goldens(sees)) {
    const ContextPtr context = make_context({});
    const ModelPtr whole = Model::open(context, g.folder());
    const std::string text = save_gguf(*whole, folder / "text.gguf", {}).front();
    const Checkpoint checkpoint = load_checkpoint(*context, g.folder());
    const Mmproj mmproj = mmproj_of(checkpoint);
    const std::string projector = write_gguf(folder / "mmproj.gguf", mmproj.metadata, mmproj.tensors).front();
    CHECK(Model::open(context, text)->vision() == nullptr);

    ModelOptions options;
    options.vision.projector_path = projector;
    const ModelPtr joined = Model::open(context, text, {}, options);
    const ContextPtr counting = make_context({});
    const ModelPtr counted = Model::open(counting, text, {}, options);
    PlanOptions plan_options;
    plan_options.positions = 8;
    plan_options.model = options;
    const Plan plan = plan_model(text, plan_options);
    CHECK(plan.weights == counting->allocator()->used());
    CHECK(plan.load_peak == counting->allocator()->peak());
    CHECK(plan.mapped == std::filesystem::file_size(text) + std::filesystem::file_size(projector));
    const std::vector<float> pixels = g.array("pixel_values_hf").f32();
    const auto tile = std::span(pixels).first(size_t(joined->require_vision().config.pixels()));
    const ImagePtr a = Image::from_pixels(whole, tile, 1, 1), b = Image::from_pixels(joined, tile, 1, 1);
    a->encode();
    b->encode();
    const size_t floats = size_t(a->features() * whole->config().hidden);
    CHECK(std::equal(a->encoded(), a->encoded() + floats, b->encoded()));

    SECTION("what does not fit is refused by name") {
      Mmproj other = mmproj_of(checkpoint);
      other.metadata.replace("clip.projector_type", std::string("pixtral"));
      CHECK(refusal(text, write_gguf(folder / "a.gguf", other.metadata, other.tensors).front()).find("'pixtral'") !=
            std::string::npos);
      other = mmproj_of(checkpoint);
      other.metadata.replace("clip.vision.patch_size", int64_t{13});
      CHECK(refusal(text, write_gguf(folder / "b.gguf", other.metadata, other.tensors).front()).find("13") !=
            std::string::npos);
      other = mmproj_of(checkpoint);
      other.tensors.pop_back();
      CHECK(refusal(text, write_gguf(folder / "c.gguf", other.metadata, other.tensors).front()).find("is missing") !=
            std::string::npos);
      CHECK(refusal(text, text).find("clip.projector_type") != std::string::npos);
      CHECK(refusal(g.folder(), projector).find("of its own") != std::string::npos);
      CHECK(refusal(text, folder / "nowhere.gguf").find("nowhere.gguf") != std::string::npos);
    }
  }
}

}  // namespace test_mmproj
