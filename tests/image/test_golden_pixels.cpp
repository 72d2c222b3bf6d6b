// From PNG files to the encoder's input, value by value, against the fast image processor of Hugging Face.
#include "image/resize.h"
#include "puna/image/decode.h"
#include "puna/image/tiles.h"
#include "support/catch.h"
#include "support/context.h"
#include "support/golden.h"
#include "support/left_out.h"

using namespace puna;
using namespace puna::test;

namespace {

bool has_pixels(const Golden& g) { return g.has("pixel_values_hf") && g.manifest["facts"].contains("images"); }

TileSettings settings_of(const Golden& g) {
  const nlohmann::json processor =
      nlohmann::json::parse(read_text(g.folder() + "/processor_config.json"))["image_processor"];
  TileSettings s;
  s.tile = processor["size"]["height"];
  s.max_tiles = processor["max_patches"];
  return s;
}

}  // namespace

TEST_CASE("pictures become the reference's pixel values", "[image][golden]") {
  const ContextPtr context = test_context_without_kernels();
  for (const Golden& g : goldens(has_pixels)) {
    const TileSettings s = settings_of(g);
    if (left_out_file(g.folder() + "/" + g.manifest["facts"]["images"][0]["file"].get<std::string>())) continue;
    std::vector<float> pixels;
    size_t index = 0;
    for (const auto& image : g.manifest["facts"]["images"]) {
      const Picture picture =
          decode_picture_file(*context, (g.folder() + "/" + image["file"].get<std::string>()).c_str());
      CHECK((picture.width == image["width"] && picture.height == image["height"]));
      const TileLayout layout = choose_layout(picture.width, picture.height, s);
      CHECK(nlohmann::json({layout.rows, layout.cols}) == g.manifest["facts"]["aspect_ratios_hw"][index++]);
      const size_t at = pixels.size();
      pixels.resize(at + size_t(layout.tiles() * 3 * s.tile * s.tile));
      cut_tiles(*context, pixels.data() + at, picture.view(), layout, s);
    }
    g.check("pixel_values_hf", pixels);
    // The reference ran on a CPU with AVX2, whose resize we follow to the bit: not only within the tolerance.
    const std::vector<float> want = g.array("pixel_values_hf").f32();
    size_t different = 0;
    for (size_t i = 0; i < want.size(); ++i) different += pixels[i] != want[i];
    CHECK(different == 0);
  }
}

TEST_CASE("the global tile is resized as torchvision resizes bytes", "[image][golden]") {
  const ContextPtr context = test_context_without_kernels();
  for (const Golden& g : goldens(has_pixels))
    for (const auto& image : g.manifest["facts"]["images"]) {
      const std::string file = image["file"],
                        name = "resized_global_" + file.substr(6, file.size() - 10) + "_torchvision_u8";
      if (!g.has(name)) continue;
      CAPTURE(name);
      if (left_out_file(g.folder() + "/" + file)) continue;
      const Picture picture = decode_picture_file(*context, (g.folder() + "/" + file).c_str());
      const Npy want = g.array(name);  // [3, height, width]
      const int64_t height = want.shape[1], width = want.shape[2];
      const Picture got = resize_bilinear(*context, picture.view(), width, height);
      int64_t largest = 0;
      for (int64_t i = 0; i < 3 * height * width; ++i) {
        const int64_t c = i / (height * width), y = i / width % height, x = i % width;
        largest = std::max<int64_t>(largest, std::abs(int64_t(want.u8()[size_t(i)]) - got.view().row(y)[3 * x + c]));
      }
      CHECK(double(largest) <= g.tolerance(name).atol);
    }
}
