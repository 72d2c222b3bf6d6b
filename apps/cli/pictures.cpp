#include "pictures.h"

#include <algorithm>

#include "npy.h"
#include "puna/base/error.h"
#ifdef PUNA_HAVE_DECODERS
#include "puna/image/decode.h"
#endif

namespace puna::cli {

void ImageFlags::add(const Verb& verb) {
  const Option image = verb.option("--image", files, "a picture (PNG, JPEG, WebP, BMP) for each <|image|>, in order");
  verb.option("--pixels", pixels,
              "prepared pixels instead: a float32 .npy [tiles, 3, H, W] that fills the <|patch|> tokens")
      .excludes(image);
}

ImagePtr open_image(const ModelPtr& model, const std::string& file) {
#ifdef PUNA_HAVE_DECODERS
  model->require_vision();
  return Image::from_picture(model, decode_picture_file(model->context(), file.c_str()).view());
#else
  fail(Status::unsupported, "%s: this program was built without picture decoders", file.c_str());
#endif
}

std::vector<ImagePtr> ImageFlags::open(const ModelPtr& model) const {
  std::vector<ImagePtr> images;
  for (const std::string& file : files) images.push_back(open_image(model, file));
  if (pixels.empty()) return images;
  const VisionConfig& c = model->require_vision().config;
  const Array a = read_tiles(pixels, c.tile);
  for (int64_t t = 0; t < a.shape[0]; ++t)
    images.push_back(
        Image::from_pixels(model, std::span(a.values).subspan(size_t(t * c.pixels()), size_t(c.pixels())), 1, 1));
  return images;
}

Prompt ImageFlags::prompt(const Model& model, const std::vector<int32_t>& tokens, const std::vector<ImagePtr>& images) {
  return prompt_with_images(model, tokens, images);
}

}  // namespace puna::cli
