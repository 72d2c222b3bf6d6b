// The vision encoder against Hugging Face's numbers, block by block, from the golden pixels.
#include "puna/model/vision.h"

#include "support/catch.h"
#include "support/golden.h"
#include "support/run_vision.h"

using namespace puna;
using namespace puna::test;

namespace {

bool has_vision(const Golden& g) { return g.has("pixel_values_hf") && g.has("projected_features"); }

struct LoadedTower {
  ContextPtr context;
  VisionTower tower;
};

LoadedTower load_tower(const Golden& g, ContextPtr context = context_with()) {
  const Checkpoint c = load_checkpoint(*context, g.folder());
  const int64_t hidden = c.metadata.integer("text_config.hidden_size", 1, 1 << 20);
  return {context, VisionTower::from_huggingface(*context, c.metadata, c.tensors, hidden)};
}

}  // namespace

TEST_CASE("the vision encoder gives the reference's numbers after every block", "[model][golden]") {
  for (const Golden& g : goldens(has_vision))
    for (const bool exact : {true, false}) {
      CAPTURE(g.folder(), exact);
      const LoadedTower m = load_tower(g);
      const VisionConfig& c = m.tower.config;
      const std::vector<float> pixels = g.array("pixel_values_hf").f32();
      const int64_t T = int64_t(pixels.size()) / c.pixels(), N = c.positions(), D = c.hidden;
      std::vector<float> patches(size_t(T * c.patches() * D)), pre(size_t(T * N * D)),
          layers(size_t(c.layers) * pre.size()), post(pre.size()), adapted(size_t(T * c.features() * c.adapter));
      const VisionTaps taps = {patches.data(), pre.data(), layers.data(), post.data(), adapted.data()};
      const std::vector<float> features = run_vision(*m.context, m.tower, pixels, exact, &taps);
      g.check("patch_embedding", patches);
      g.check("ln_pre", pre);
      g.check("vision_layers", layers);
      g.check("ln_post", post);
      g.check("image_features", adapted);
      g.check("projected_features", features);
    }
}

TEST_CASE("a tile's features do not depend on the tiles beside it, the ISA or the threads", "[model]") {
  for (const Golden& g : goldens(has_vision)) {
    const std::vector<float> pixels = g.array("pixel_values_hf").f32();
    std::vector<float> want;
    for (const std::string& isa : supported_isas())
      for (const int threads : {1, 3}) {
        const LoadedTower m = load_tower(g, context_with(isa, threads));
        const size_t tile = size_t(m.tower.config.pixels());
        const std::vector<float> together = run_vision(*m.context, m.tower, pixels);
        if (want.empty()) want = together;
        std::vector<float> alone;
        for (size_t t = 0; t < pixels.size(); t += tile) {
          const std::vector<float> one = run_vision(*m.context, m.tower, std::span(pixels).subspan(t, tile));
          alone.insert(alone.end(), one.begin(), one.end());
        }
        CAPTURE(isa, threads);
        CHECK(together == want);
        CHECK(alone == want);
      }
  }
}

TEST_CASE("a tensor beside those of the vision encoder refuses the encoder by its name", "[model]") {
  for (const Golden& g : goldens(has_vision)) {
    const ContextPtr context = context_with();
    const Checkpoint c = load_checkpoint(*context, g.folder());
    const int64_t hidden = c.metadata.integer("text_config.hidden_size", 1, 1 << 20);
    const float one = 1;
    for (const char* name :
         {"multi_modal_projector.linear_1.bias", "vision_model.model.layers.0.self_attn.q_norm.weight",
          "vision_model.never_seen", "language_model.x", "extra"}) {
      TensorMap tensors;
      for (const TensorEntry& t : c.tensors.entries()) tensors.add(t);
      tensors.add({name, DType::f32, {1}, reinterpret_cast<const std::byte*>(&one), 4});
      const auto load = [&] { VisionTower::from_huggingface(*context, c.metadata, tensors, hidden); };
      if (std::string(name).starts_with("vision") || std::string(name).starts_with("multi"))
        CHECK_THROWS_WITH(load(), Catch::Contains(name));
      else
        CHECK_NOTHROW(load());
    }
  }
}
