// vision.cpp -- puna_image_*, and sessions that take images: puna_vision.h.
#include "puna_vision.h"

#include "handles.h"
#include "translate.h"

using namespace puna;
using namespace puna::capi;

namespace puna::capi {

static const Image& use(const puna_image* image) {
  PUNA_REQUIRE(image != nullptr, "image is NULL");
  image->impl->model().context().require_same_process();
  return *image->impl;
}

}  // namespace puna::capi

namespace {}  // namespace

std::vector<ImagePtr> puna::capi::images_from_c(const puna_image* const* images, uint64_t count) {
  std::vector<ImagePtr> list;
  for (const puna_image* image : array_view(images, count, "images")) {
    PUNA_REQUIRE(image != nullptr, "images[%zu] is NULL", list.size());
    list.push_back(image->impl);
  }
  return list;
}

puna_status puna_image_create(const puna_model* model, const uint8_t* rgb, int64_t width, int64_t height,
                              int64_t stride, puna_image** image) {
  return guard([&] {
    use(model);
    PUNA_REQUIRE(rgb != nullptr, "rgb is NULL");
    PUNA_REQUIRE(image != nullptr, "image is NULL");
    require_picture_size(width, height);
    *image = new puna_image{
        .impl = Image::from_picture(model->impl, {rgb, width, height, stride == 0 ? 3 * width : stride})};
  });
}

puna_status puna_image_create_from_pixels(const puna_model* model, const float* pixels, size_t count, int32_t rows,
                                          int32_t columns, puna_image** image) {
  return guard([&] {
    use(model);
    PUNA_REQUIRE(pixels != nullptr, "pixels is NULL");
    PUNA_REQUIRE(image != nullptr, "image is NULL");
    *image =
        new puna_image{.impl = Image::from_pixels(model->impl, array_view(pixels, count, "pixels"), rows, columns)};
  });
}

void puna_image_free(puna_image* image) {
  if (image) free_handle(image, image->impl->model().context());
}

puna_status puna_image_get_info(const puna_image* image, puna_image_info* info) {
  return guard([&] {
    const Image& i = use(image);
    puna_image_info o{};
    o.rows = int32_t(i.rows());
    o.columns = int32_t(i.cols());
    o.tiles = int32_t(i.tiles());
    o.tile = int32_t(i.model().require_vision().config.tile);
    o.hidden = int32_t(i.model().config().hidden);
    o.features = i.features();
    o.tokens = i.model().can_write_images() ? int64_t(i.tokens().size()) : 0;
    o.encoded = i.encoded() != nullptr;
    write_info(o, info, "puna_image_info");
  });
}

puna_status puna_image_get_pixels(const puna_image* image, const float** pixels, size_t* count) {
  return guard([&] {
    const std::span<const float> all = use(image).pixels();
    PUNA_REQUIRE(pixels != nullptr, "pixels is NULL");
    PUNA_REQUIRE(count != nullptr, "count is NULL");
    *pixels = all.data();
    *count = all.size();
  });
}

puna_status puna_image_get_tokens(const puna_image* image, const int32_t** tokens, size_t* count) {
  return guard([&] {
    (void)use(image).model().require_image_tokens();
    PUNA_REQUIRE(tokens != nullptr, "tokens is NULL");
    PUNA_REQUIRE(count != nullptr, "count is NULL");
    *tokens = image->tokens.data();
    *count = image->tokens.size();
  });
}

puna_status puna_image_encode(const puna_image* image, const float** features, size_t* count) {
  return guard([&] {
    const Image& i = use(image);
    i.encode();
    if (features) *features = i.encoded();
    if (count) *count = size_t(i.features() * i.model().config().hidden);
  });
}
