// resize.h -- 8-bit RGB, bilinear with antialiasing, bit for bit what torchvision's resize of uint8 tensors gives
// (Pillow's algorithm with 16-bit weights): along rows first, rounded to bytes, then along columns.
#pragma once
#include "puna/base/context.h"
#include "puna/image/picture.h"

namespace puna {

Picture resize_bilinear(const Context& context, const PictureView& from, int64_t width, int64_t height);

}  // namespace puna
