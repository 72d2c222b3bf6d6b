#include "puna/image/tiles.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "image/resize.h"
#include "puna/base/error.h"

namespace puna {
namespace {

struct Canvas {
  int64_t rows, cols;
};

// Every grid of at most `most` tiles, those of one aspect ratio together, ratios in the order in which larger grids
// show them. The order decides between canvases of one scale and one area.
std::vector<Canvas> canvases(int64_t most) {
  std::vector<std::vector<Canvas>> by_ratio;
  for (int64_t n = most; n > 0; --n)
    for (int64_t rows = 1; rows <= n; ++rows) {
      if (n % rows != 0) continue;
      const Canvas c{rows, n / rows};
      const auto same = [&](const std::vector<Canvas>& group) {
        return group[0].rows * c.cols == c.rows * group[0].cols;
      };
      const auto group = std::find_if(by_ratio.begin(), by_ratio.end(), same);
      if (group == by_ratio.end())
        by_ratio.push_back({c});
      else
        group->push_back(c);
    }
  std::vector<Canvas> all;
  for (const auto& group : by_ratio) all.insert(all.end(), group.begin(), group.end());
  return all;
}

// The smallest enlargement that some canvas gives, else the least reduction; of canvases that give it, the smallest. In
// float32, as the reference compares.
Canvas best_canvas(int64_t width, int64_t height, const TileSettings& s) {
  const auto scale = [&](const Canvas& c) {
    return std::min(float(c.rows * s.tile) / float(height), float(c.cols * s.tile) / float(width));
  };
  const auto better = [&](float a, float b) {  // a than b
    if ((a >= 1) != (b >= 1)) return a >= 1;
    return a >= 1 && !s.to_max_canvas ? a < b : a > b;
  };
  const std::vector<Canvas> all = canvases(s.max_tiles);
  Canvas best = all[0];
  for (const Canvas& c : all) {
    const float x = scale(c), y = scale(best);
    if (better(x, y) || (x == y && c.rows * c.cols < best.rows * best.cols)) best = c;
  }
  return best;
}

// The largest size of the same aspect inside a frame, rounded down, at least 1.
void fit(TileLayout& layout, int64_t width, int64_t height, int64_t frame_width, int64_t frame_height) {
  const double across = double(frame_width) / double(width), down = double(frame_height) / double(height);
  if (across < down) {
    layout.width = frame_width;
    layout.height = std::min(int64_t(std::floor(double(height) * across)), frame_height);
  } else {
    layout.height = frame_height;
    layout.width = std::min(int64_t(std::floor(double(width) * down)), frame_width);
  }
  layout.width = std::max<int64_t>(layout.width, 1);
  layout.height = std::max<int64_t>(layout.height, 1);
}

// Rounds to the nearest bfloat16, ties to even. x is finite.
float to_bf16(float x) noexcept {
  uint32_t u;
  memcpy(&u, &x, 4);
  u = (u + 0x7FFFu + (u >> 16 & 1u)) & 0xFFFF0000u;
  memcpy(&x, &u, 4);
  return x;
}

// What each byte becomes in each channel. The reference computes in bfloat16, one rounding an operation.
struct Normalised {
  float value[3][256];
  explicit Normalised(const TileSettings& s) {
    for (int c = 0; c < 3; ++c)
      for (int byte = 0; byte < 256; ++byte) {
        const float x = to_bf16(float(byte) * float(s.rescale));
        value[c][byte] = to_bf16(to_bf16(x - to_bf16(float(s.mean[c]))) / to_bf16(float(s.deviation[c])));
      }
  }
};

// A tile whose top left pixel is (x0, y0) of `picture`; outside of the picture is black.
void fill_tile(float* pixels, const PictureView& picture, int64_t x0, int64_t y0, int64_t tile,
               const Normalised& normal) {
  for (int c = 0; c < 3; ++c)
    for (int64_t y = 0; y < tile; ++y, pixels += tile) {
      const int64_t width = y0 + y < picture.height ? std::clamp<int64_t>(picture.width - x0, 0, tile) : 0;
      const uint8_t* from = width > 0 ? picture.row(y0 + y) + 3 * x0 + c : nullptr;
      for (int64_t x = 0; x < width; ++x) pixels[x] = normal.value[c][from[3 * x]];
      std::fill(pixels + width, pixels + tile, normal.value[c][0]);
    }
}

}  // namespace

void require_picture_size(int64_t width, int64_t height) {
  if (width < 1 || height < 1 || width > kMaxPictureSide || height > kMaxPictureSide ||
      width * height > kMaxPicturePixels)
    fail(Status::unsupported, "the picture has %jd x %jd pixels, expected 1 to %jd a side and at most %jd in all",
         width, height, kMaxPictureSide, kMaxPicturePixels);
}

TileLayout choose_layout(int64_t width, int64_t height, const TileSettings& s) {
  require_picture_size(width, height);
  const Canvas canvas = best_canvas(width, height, s);
  TileLayout layout;
  layout.rows = canvas.rows;
  layout.cols = canvas.cols;
  // Unless asked to, a picture is not enlarged beyond one tile, however large its canvas.
  const auto frame = [&](int64_t size, int64_t tiles) {
    return s.to_max_canvas ? tiles * s.tile : std::min(std::max(size, s.tile), tiles * s.tile);
  };
  fit(layout, width, height, frame(width, canvas.cols), frame(height, canvas.rows));
  return layout;
}

void cut_tiles(const Context& context, float* pixels, const PictureView& picture, const TileLayout& layout,
               const TileSettings& s) {
  const Normalised normal(s);
  const int64_t floats = 3 * s.tile * s.tile;
  const auto resized = [&](int64_t width, int64_t height) { return resize_bilinear(context, picture, width, height); };
  {
    const bool same = layout.width == picture.width && layout.height == picture.height;
    const Picture scaled = same ? Picture() : resized(layout.width, layout.height);
    const PictureView view = same ? picture : scaled.view();
    context.executor().run(layout.rows * layout.cols, [&](int64_t i) {
      fill_tile(pixels + i * floats, view, i % layout.cols * s.tile, i / layout.cols * s.tile, s.tile, normal);
    });
  }
  if (layout.tiles() == 1) return;
  const Picture global = resized(s.tile, s.tile);
  fill_tile(pixels + (layout.tiles() - 1) * floats, global.view(), 0, 0, s.tile, normal);
}

}  // namespace puna
