// model_vision.cpp -- a model's vision encoder and the tokens that an image is written with.
#include <utility>

#include "puna/base/error.h"
#include "puna/runtime/model.h"

namespace puna {
const VisionTower& Model::require_vision() const {
  if (!vision_)
    fail(Status::unsupported, "%s", vision_error_.empty() ? "the model has no vision encoder" : vision_error_.c_str());
  return *vision_;
}

const ImageTokens& Model::require_image_tokens() const {
  require_vision();
  const ImageTokens& t = image_tokens_;
  const std::pair<int32_t, const char*> all[] = {{t.start, "<|image_start|>"},
                                                 {t.end, "<|image_end|>"},
                                                 {t.image, "<|image|>"},
                                                 {t.patch, "<|patch|>"},
                                                 {t.column_separator, "<|tile_x_separator|>"},
                                                 {t.row_separator, "<|tile_y_separator|>"}};
  for (const auto& [id, name] : all)
    if (id < 0) fail(Status::unsupported, "the model's tokenizer has no %s", name);
  return t;
}

}  // namespace puna
