// fuzz_mmproj.cpp -- any bytes as the GGUF file of a vision encoder beside a text model: an Error, or a model that
// sees.
#include "expect_error.h"
#include "puna/runtime/image.h"
#include "scratch_folder.h"
#include "target.h"
#include "tiny_vision.h"

FUZZ_TARGET(mmproj) {
  using namespace puna;
  static const test::ScratchFolder folder;
  static const std::string model = [] {
    save_gguf(*test::tiny_model(), folder / "model.gguf");
    return folder / "model.gguf";
  }();
  ModelOptions options;
  options.vision.projector_path = folder.write("mmproj.gguf", test::text_of(data, size));
  test::expect_error_only([&] {
    const ModelPtr seeing = Model::open(test::tiny_context(), model, {}, options);
    const uint8_t bytes[3 * 6 * 5] = {200, 100, 50};
    const ImagePtr image = Image::from_picture(seeing, {bytes, 6, 5, 3 * 6});
    for (const float pixel : image->pixels()) test::require(pixel == pixel);
    image->encode();
  });
  return 0;
}
