// fuzz_reference.cpp -- any bytes as the folder of reference numbers that `puna verify` reads: manifest.json up to the
// first zero byte, the table of layouts up to the second, the token ids (.npy) behind it. The target's own arrays of
// floats lie beside them. An Error, or a comparison that ends.
#include "expect_error.h"
#include "npy.h"
#include "scratch_folder.h"
#include "target.h"
#include "tiny_vision.h"
#include "verifier.h"

namespace {

using namespace puna;

// Every array of floats that the command knows, of a tile and of 6 tokens.
void write_arrays(const test::ScratchFolder& folder, const Model& model) {
  const VisionConfig& v = model.require_vision().config;
  const LlamaConfig& t = model.config();
  const std::pair<const char*, std::vector<int64_t>> arrays[] = {
      {"pixel_values_hf", {1, 3, v.tile, v.tile}},
      {"patch_embedding", {1, v.patches(), v.hidden}},
      {"ln_pre", {1, v.positions(), v.hidden}},
      {"vision_layers", {v.layers, 1, v.positions(), v.hidden}},
      {"ln_post", {1, v.positions(), v.hidden}},
      {"image_features", {1, v.features(), v.adapter}},
      {"projected_features", {v.features(), v.text_hidden}},
      {"logits", {1, 6, t.vocab}},
      {"hidden_states", {t.layers, 1, 6, t.hidden}},
      {"embeddings", {1, 6, t.hidden}},
      {"attn_out", {t.layers, 1, 6, t.hidden}},
      {"ffn_out", {t.layers, 1, 6, t.hidden}},
      {"final_norm", {1, 6, t.hidden}},
      {"rope_inv_freq", {t.head_dim / 2}},
  };
  for (const auto& [name, shape] : arrays) {
    size_t count = 1;
    for (const int64_t n : shape) count *= size_t(n);
    const std::vector<float> values(count, 0.5f);
    cli::write_npy(folder / (std::string(name) + ".npy"), shape, values.data());
  }
}

}  // namespace

FUZZ_TARGET(reference) {
  static const test::ScratchFolder folder;
  static const ModelPtr model = [] {
    ModelPtr made = test::tiny_seeing_model(folder.path());
    write_arrays(folder, *made);
    return made;
  }();
  std::string_view parts[3];
  test::split_at_zeros(test::text_of(data, size), parts);
  folder.write("manifest.json", parts[0]);
  folder.write("layout_table.json", parts[1]);
  folder.write("input_ids.npy", parts[2]);
  test::expect_error_only([&] {
    int lines = 0;
    cli::verify(model, folder.path(), [&](const std::string& line) {
      test::require(line.ends_with('\n'));
      ++lines;
    });
    test::require(lines >= 2);
  });
  return 0;
}
