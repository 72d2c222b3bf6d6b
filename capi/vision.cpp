// vision.cpp -- puna_image_*, and sessions that take images: puna_vision.h.
#include "puna_vision.h"

#include <algorithm>

#include "handles.h"
#include "translate.h"

using namespace puna;
using namespace puna::capi;

namespace {

const Image& use(const puna_image* image) {
  PUNA_REQUIRE(image != nullptr, "image is NULL");
  image->impl->model().context().require_same_process();
  return *image->impl;
}

Prompt prompt_of(const Session& session, const int32_t* tokens, size_t count, const puna_image* const* images, size_t image_count) {
  return prompt_with_images(session.model(), array_view(tokens, count, "tokens"), images_from_c(images, image_count));
}

void write_floats(std::span<const float> content, float* to, size_t capacity, size_t* count) {
  PUNA_REQUIRE(count != nullptr, "count is NULL");
  *count = content.size();
  if (to == nullptr) return;
  PUNA_REQUIRE(capacity >= content.size(), "the buffer holds %zu floats, %zu are needed", capacity, content.size());
  std::copy(content.begin(), content.end(), to);
}

}  // namespace

std::vector<ImagePtr> puna::capi::images_from_c(const puna_image* const* images, uint64_t count) {
  std::vector<ImagePtr> list;
  for (const puna_image* image : array_view(images, count, "images")) {
    PUNA_REQUIRE(image != nullptr, "images[%zu] is NULL", list.size());
    list.push_back(image->impl);
  }
  return list;
}

puna_status puna_image_from_rgb(const puna_model* model, const uint8_t* rgb, int64_t width, int64_t height, int64_t stride, puna_image** image) {
  return guard([&] {
    use(model);
    PUNA_REQUIRE(rgb != nullptr, "rgb is NULL");
    PUNA_REQUIRE(image != nullptr, "image is NULL");
    require_picture_size(width, height);
    *image = new puna_image{Image::from_picture(model->impl, {rgb, width, height, stride == 0 ? 3 * width : stride})};
  });
}

puna_status puna_image_from_pixels(const puna_model* model, const float* pixels, size_t count, int32_t rows, int32_t columns, puna_image** image) {
  return guard([&] {
    use(model);
    PUNA_REQUIRE(pixels != nullptr, "pixels is NULL");
    PUNA_REQUIRE(image != nullptr, "image is NULL");
    *image = new puna_image{Image::from_pixels(model->impl, array_view(pixels, count, "pixels"), rows, columns)};
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

puna_status puna_image_pixels(const puna_image* image, float* pixels, size_t capacity, size_t* count) {
  return guard([&] { write_floats(use(image).pixels(), pixels, capacity, count); });
}

puna_status puna_image_tokens(const puna_image* image, int32_t* tokens, size_t capacity, size_t* count) {
  return guard([&] { write_tokens(use(image).tokens(), tokens, capacity, count); });
}

puna_status puna_image_encode(const puna_image* image, float* features, size_t capacity) {
  return guard([&] {
    const Image& i = use(image);
    const size_t floats = size_t(i.features() * i.model().config().hidden);
    PUNA_REQUIRE(features == nullptr || capacity >= floats, "the buffer holds %zu floats, %zu are needed", capacity, floats);
    i.encode();
    if (features) std::copy(i.encoded(), i.encoded() + floats, features);
  });
}

puna_status puna_session_append_images(puna_session* session, const int32_t* tokens, size_t count, const puna_image* const* images, size_t image_count,
                                       float* logits, size_t capacity) {
  return guard([&] {
    Session& s = use(session);
    const Prompt prompt = prompt_of(s, tokens, count, images, image_count);
    if (!logits) return s.append(prompt);
    const size_t vocabulary = size_t(s.model().config().vocab), rows = prompt.tokens.size();
    PUNA_REQUIRE(rows <= capacity / vocabulary, "the buffer holds %zu floats, %zu x %zu are needed", capacity, rows, vocabulary);
    s.append(prompt, logits);
  });
}

puna_status puna_session_begin_images(puna_session* session, const int32_t* tokens, size_t count, const puna_image* const* images, size_t image_count) {
  return guard([&] {
    Session& s = use(session);
    s.begin(prompt_of(s, tokens, count, images, image_count));
  });
}

puna_status puna_session_shared_images(const puna_session* session, const int32_t* tokens, size_t count, const puna_image* const* images,
                                       size_t image_count, int64_t* length, int64_t* expanded) {
  return guard([&] {
    const Session& s = use(session);
    PUNA_REQUIRE(length != nullptr, "length is NULL");
    const Prompt prompt = prompt_of(s, tokens, count, images, image_count);
    *length = whole_images(prompt.view(), shared_prefix(prompt.view(), s.held()));
    if (expanded) *expanded = int64_t(prompt.tokens.size());
  });
}

puna_status puna_session_append_rest_images(puna_session* session, const int32_t* tokens, size_t count, const puna_image* const* images,
                                            size_t image_count, int64_t* computed) {
  return guard([&] {
    Session& s = use(session);
    const Prompt prompt = prompt_of(s, tokens, count, images, image_count);
    const int64_t size = int64_t(prompt.tokens.size());
    PUNA_REQUIRE(size > 0, "no tokens to append");
    const int64_t kept = std::min(shared_prefix(prompt.view(), s.held()), size - 1);
    s.replace(kept, slice(prompt.view(), kept, size));
    if (computed) *computed = size - kept;
  });
}
