// fuzz_picture.cpp -- any bytes as a picture file, and any size as a layout: a picture cut into tiles, or a
// puna::Error, nothing else.
#include "puna/base/error.h"
#include "puna/image/decode.h"
#include "puna/image/tiles.h"
#include "target.h"
#include "touch.h"

FUZZ_TARGET(picture) {
  const std::span<const std::byte> file = std::as_bytes(std::span(data, size));
  try {
    const puna::PictureInfo info = puna::picture_info(file);
    if (info.width * info.height > 1 << 20) return 0;  // legal, but slow
    const puna::Context& context = puna::test::fuzz_context();
    const puna::Picture picture = puna::decode_picture(context, file);
    puna::test::accepted = true;
    puna::TileSettings settings;
    settings.tile = 28;
    const puna::TileLayout layout = puna::choose_layout(picture.width, picture.height, settings);
    std::vector<float> pixels(size_t(layout.tiles() * 3 * 28 * 28));
    puna::cut_tiles(context, pixels.data(), picture.view(), layout, settings);
    for (const float p : pixels)
      if (!(p >= -1 && p <= 1)) __builtin_trap();
  } catch (const puna::Error&) {}
  return 0;
}
