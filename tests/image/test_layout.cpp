// Which canvas a picture gets: every row of the golden table, then what must hold for any size at all.
#include "puna/base/error.h"
#include "puna/image/tiles.h"
#include "support/catch.h"
#include "support/golden.h"

using namespace puna;
using namespace puna::test;

namespace {

bool has_layouts(const Golden& g) {
  return g.manifest.contains("groups") && g.manifest["groups"].contains("layout_table");
}

TileSettings settings(int64_t tile, int64_t most) {
  TileSettings s;
  s.tile = tile;
  s.max_tiles = most;
  return s;
}

}  // namespace

TEST_CASE("layouts are those of the reference, for every row of its table", "[image][golden]") {
  for (const Golden& g : goldens(has_layouts)) {
    const nlohmann::json table = g.group("layout_table");
    REQUIRE(table.size() > 0);
    for (const auto& row : table) {
      CAPTURE(row.dump());
      const int64_t tile = row["tile"];
      const TileLayout got = choose_layout(row["width"], row["height"], settings(tile, row["max_tiles"]));
      CHECK(nlohmann::json({got.rows, got.cols}) == row["tiles_hw"]);
      CHECK(nlohmann::json({got.rows * tile, got.cols * tile}) == row["canvas_hw"]);
      CHECK(nlohmann::json({got.height, got.width}) == row["resize_hw"]);
      CHECK(got.tiles() == row["n_tiles_with_global"]);
    }
  }
}

TEST_CASE("any picture keeps its aspect inside its canvas, and none is enlarged beyond a tile", "[image]") {
  constexpr int64_t kSides[] = {1, 2, 3, 55, 56, 57, 335, 336, 337, 1000, 2047, 8191, 65535};
  for (const int64_t most : {1, 4, 16, 63})
    for (const int64_t width : kSides)
      for (const int64_t height : kSides) {
        if (width * height > kMaxPicturePixels) continue;
        CAPTURE(most, width, height);
        const TileSettings s = settings(336, most);
        const TileLayout l = choose_layout(width, height, s);
        CHECK((l.rows >= 1 && l.cols >= 1 && l.rows * l.cols <= most));
        CHECK((l.width >= 1 && l.width <= l.cols * s.tile && l.height >= 1 && l.height <= l.rows * s.tile));
        CHECK((l.width <= std::max(width, s.tile) && l.height <= std::max(height, s.tile)));
        CHECK(l.tiles() == (l.rows * l.cols == 1 ? 1 : l.rows * l.cols + 1));
        // One side fills its frame; the other follows, rounded down by less than a pixel.
        const double across = double(l.width) / double(width), down = double(l.height) / double(height);
        if (l.width > 1 && l.height > 1) {
          const double scale = std::max(across, down);
          CHECK((double(l.width) > double(width) * scale - 1 - 1e-6 &&
                 double(l.height) > double(height) * scale - 1 - 1e-6));
        }
        // The transposed picture has the transposed layout.
        const TileLayout transposed = choose_layout(height, width, s);
        CHECK((transposed.rows == l.cols && transposed.cols == l.rows));
      }
}

TEST_CASE("the largest canvas is used when asked for", "[image]") {
  TileSettings s = settings(336, 16);
  s.to_max_canvas = true;
  const TileLayout square = choose_layout(50, 50, s), wide = choose_layout(100, 50, s);
  CHECK((square.rows == 4 && square.cols == 4 && square.width == 4 * 336 && square.height == 4 * 336));
  CHECK((wide.rows == 3 && wide.cols == 5 && wide.width == 5 * 336 && wide.height == 840));
}

TEST_CASE("pictures without pixels or beyond the limits have no layout", "[image]") {
  for (const auto& [width, height] : {std::pair<int64_t, int64_t>{0, 5},
                                      {5, 0},
                                      {-1, 5},
                                      {65536, 1},
                                      {1, 65536},
                                      {65535, 65535},
                                      {INT64_MAX, INT64_MAX}}) {
    CAPTURE(width, height);
    CHECK_THROWS_AS(choose_layout(width, height, {}), Error);
  }
  CHECK_NOTHROW(choose_layout(65535, 1024, {}));
}
