// picture.h -- pictures as rows of 8-bit RGB, from the top, left to right: what decoders make and what is cut into
// tiles.
#pragma once
#include <cstdint>

#include "puna/base/allocator.h"

namespace puna {

// What a picture may be at most; larger ones are Error{unsupported} before anything is allocated for them. Resizing
// needs at most as much memory again as the picture has (3 bytes a pixel).
inline constexpr int64_t kMaxPictureSide = 65535, kMaxPicturePixels = int64_t(1) << 26;

// Borrowed. `stride`: bytes from one row to the next, at least 3 * width.
struct PictureView {
  const uint8_t* data = nullptr;
  int64_t width = 0, height = 0, stride = 0;
  const uint8_t* row(int64_t y) const noexcept { return data + y * stride; }
};

struct Picture {
  Buffer data;  // [height][width][3]
  int64_t width = 0, height = 0;
  PictureView view() const noexcept {
    return {reinterpret_cast<const uint8_t*>(data.data()), width, height, 3 * width};
  }
};

void require_picture_size(int64_t width, int64_t height);  // Error{unsupported} naming the size and the limit

}  // namespace puna
