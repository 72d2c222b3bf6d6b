// tiles.h -- a picture of any size becomes square tiles for the vision encoder, as Hugging Face's fast image processor
// of Llama 4 cuts it: the canvas of at most max_tiles tiles that wastes least, the picture in its top left corner with
// its aspect kept, and, when there are several tiles, the whole picture squeezed into one more ("global") tile at the
// end.
#pragma once
#include <cstdint>

#include "puna/base/context.h"
#include "puna/image/picture.h"

namespace puna {

struct TileSettings {
  int64_t tile = 336;          // pixels a side
  int64_t max_tiles = 16;      // of a canvas, the global tile not counted
  bool to_max_canvas = false;  // enlarge pictures as far as the canvases allow
  double rescale = 1.0 / 255;  // pixel = (byte * rescale - mean) / deviation, each step rounded to bfloat16
  double mean[3] = {0.5, 0.5, 0.5}, deviation[3] = {0.5, 0.5, 0.5};
};

struct TileLayout {
  int64_t rows = 1, cols = 1;     // of the canvas, in tiles
  int64_t width = 0, height = 0;  // the picture inside it, in pixels
  int64_t tiles() const noexcept { return rows * cols + (rows * cols > 1); }
};

// Error{unsupported} for a picture that is larger than picture.h allows or has no pixels.
TileLayout choose_layout(int64_t width, int64_t height, const TileSettings& settings);

// pixels [layout.tiles(), 3, tile, tile]: the canvas row by row, then the global tile. The same bytes for any number of
// threads.
void cut_tiles(const Context& context, float* pixels, const PictureView& picture, const TileLayout& layout,
               const TileSettings& settings);

}  // namespace puna
