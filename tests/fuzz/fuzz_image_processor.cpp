// fuzz_image_processor.cpp -- any bytes as an image processor's JSON: an Error and the settings of before, or settings
// by which a picture becomes finite numbers.
#include <cmath>
#include <vector>

#include "expect_error.h"
#include "puna/image/tiles.h"
#include "runtime/opening/image_settings.h"
#include "scratch_folder.h"
#include "target.h"
#include "touch.h"

FUZZ_TARGET(image_processor) {
  using namespace puna;
  using test::require;
  TileSettings settings;
  settings.tile = 14;
  if (!test::expect_error_only([&] { read_tile_settings(settings, test::text_of(data, size)); })) {
    require(settings.max_tiles == TileSettings().max_tiles && settings.rescale == TileSettings().rescale);
    return 0;
  }
  require(settings.tile == 14 && settings.max_tiles >= 1 && settings.max_tiles <= 64);
  std::vector<uint8_t> bytes(size_t(3 * 40 * 21));
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = uint8_t(i * 7);
  const PictureView picture{bytes.data(), 40, 21, 3 * 40};
  const TileLayout layout = choose_layout(picture.width, picture.height, settings);
  require(layout.tiles() <= settings.max_tiles + 1);
  std::vector<float> pixels(size_t(layout.tiles() * 3 * settings.tile * settings.tile));
  cut_tiles(test::fuzz_context(), pixels.data(), picture, layout, settings);
  for (const float p : pixels) require(std::isfinite(p));
  return 0;
}
