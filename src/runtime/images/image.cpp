#include "puna/runtime/image.h"

#include <cstring>

#include "base/fp_env.h"
#include "base/hash.h"
#include "puna/base/error.h"
#include "puna/image/tiles.h"
#include "runtime/images/image_encoding.h"

namespace puna {

void Image::identify() {
  for (uint64_t i = 0; i < 2; ++i) {
    Hash h;
    h.add_value(i);
    h.add_value(model_->vision_id());
    h.add_value(rows_);
    h.add_value(cols_);
    h.add(pixels_->data(), pixels_->size());
    id_.word[i] = h.value();
  }
}

ImagePtr Image::from_picture(ModelPtr model, const PictureView& picture) {
  const FpEnv fp;
  PUNA_REQUIRE(model != nullptr, "model is NULL");
  const VisionTower& tower = model->require_vision();
  require_picture_size(picture.width, picture.height);
  PUNA_REQUIRE(picture.data != nullptr, "the picture's data is NULL");
  PUNA_REQUIRE(picture.stride >= 3 * picture.width, "stride is %jd, expected at least 3 x %jd", picture.stride,
               picture.width);
  PUNA_REQUIRE(picture.stride <= INT64_MAX / picture.height, "stride is %jd: %jd rows of it are more than any memory",
               picture.stride, picture.height);
  const Context& context = model->context();
  const TileSettings& settings = model->tile_settings();
  const TileLayout layout = choose_layout(picture.width, picture.height, settings);
  Buffer pixels = context.allocate(size_t(layout.tiles() * tower.config.pixels()) * sizeof(float), "an image's pixels");
  cut_tiles(context, reinterpret_cast<float*>(pixels.data()), picture, layout, settings);
  const std::shared_ptr<Image> image(new Image(std::move(model), layout.rows, layout.cols));
  image->pixels_ = std::make_shared<Buffer>(std::move(pixels));
  image->identify();
  return image;
}

ImagePtr Image::from_pixels(ModelPtr model, std::span<const float> pixels, int64_t rows, int64_t cols) {
  PUNA_REQUIRE(model != nullptr, "model is NULL");
  const VisionTower& tower = model->require_vision();
  const int64_t most = model->tile_settings().max_tiles;
  PUNA_REQUIRE(rows >= 1 && cols >= 1 && rows <= most && cols <= most && rows * cols <= most,
               "a grid of %jd x %jd tiles, expected 1 to %jd tiles", rows, cols, most);
  const std::shared_ptr<Image> image(new Image(std::move(model), rows, cols));
  PUNA_REQUIRE(int64_t(pixels.size()) == image->tiles() * tower.config.pixels(),
               "%zu floats, expected %jd tiles of 3 x %jd x %jd", pixels.size(), image->tiles(), tower.config.tile,
               tower.config.tile);
  Buffer copy = image->model_->context().allocate(pixels.size_bytes(), "an image's pixels");
  memcpy(copy.data(), pixels.data(), pixels.size_bytes());
  image->pixels_ = std::make_shared<Buffer>(std::move(copy));
  image->identify();
  return image;
}

ImagePtr Image::from_features(ModelPtr model, const ImageId& id, int64_t rows, int64_t cols,
                              std::span<const float> features) {
  const std::shared_ptr<Image> image(new Image(std::move(model), rows, cols));
  Buffer copy = image->model_->context().allocate(features.size_bytes(), "an image's features");
  memcpy(copy.data(), features.data(), features.size_bytes());
  image->features_ = std::make_shared<Buffer>(std::move(copy));
  image->id_ = id;
  return image;
}

std::span<const float> Image::pixels() const noexcept {
  if (!pixels_) return {};
  return {reinterpret_cast<const float*>(pixels_->data()), pixels_->size() / sizeof(float)};
}

std::vector<int32_t> Image::tokens() const {
  const ImageTokens& t = model_->require_image_tokens();
  const int64_t patches = model_->require_vision().config.features();
  std::vector<int32_t> ids;
  write_image(rows_, cols_, patches,
              [&](ImageToken token, int64_t times) { ids.insert(ids.end(), size_t(times), t[token]); });
  return ids;
}

const float* Image::encoded() const {
  const std::lock_guard lock(mutex_);
  return features_ ? reinterpret_cast<const float*>(features_->data()) : nullptr;
}

void Image::encode() const {
  // Not an owner, only a name for ourselves: the encoding does not outlive this call.
  ImageEncoding(ImagePtr(ImagePtr(), this)).run({});
}

}  // namespace puna
