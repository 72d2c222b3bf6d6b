// image.h -- a picture prepared for one model: cut into tiles and, when first needed, encoded into the rows that take
// the places of its <|patch|> tokens. Immutable to its users and shared by threads and sessions; encodings
// are found again by content.
#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "puna/image/picture.h"
#include "puna/runtime/model.h"
#include "puna/runtime/prompt.h"

namespace puna {

// A hash of the pixels, the grid and the encoder. It is not cryptographic: where it decides, pixels are compared too.
struct ImageId {
  uint64_t word[2] = {0, 0};
  bool operator==(const ImageId&) const = default;
};

class Image {
 public:
  // Error{unsupported} when the model has no vision, or the picture is too large (picture.h).
  static ImagePtr from_picture(ModelPtr model, const PictureView& picture);
  // Pixels that were prepared already: [tiles, 3, tile, tile], the grid's tiles row by row and, when there are several,
  // the global tile.
  static ImagePtr from_pixels(ModelPtr model, std::span<const float> pixels, int64_t rows, int64_t cols);
  // What a snapshot keeps: features [count, hidden] without pixels.
  static ImagePtr from_features(ModelPtr model, const ImageId& id, int64_t rows, int64_t cols,
                                std::span<const float> features);

  const Model& model() const noexcept { return *model_; }
  int64_t rows() const noexcept { return rows_; }
  int64_t cols() const noexcept { return cols_; }
  int64_t tiles() const noexcept { return rows_ * cols_ + (rows_ * cols_ > 1); }
  int64_t features() const noexcept { return tiles() * model_->require_vision().config.features(); }  // rows it gives
  const ImageId& id() const noexcept { return id_; }
  std::span<const float> pixels() const noexcept;  // empty after from_features
  std::vector<int32_t> tokens() const;             // what <|image|> expands to

  // The rows [features(), hidden], or NULL before they were computed.
  const float* encoded() const;
  // Computes them, unless they are there, in f32 whatever the sessions' mode.
  void encode() const;

 private:
  friend class ImageEncoding;
  Image(ModelPtr model, int64_t rows, int64_t cols) : model_(std::move(model)), rows_(rows), cols_(cols) {}
  void identify();

  ModelPtr model_;
  int64_t rows_, cols_;
  ImageId id_;
  std::shared_ptr<const Buffer> pixels_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const Buffer> features_;
};

}  // namespace puna
