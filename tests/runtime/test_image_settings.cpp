// How pictures are scaled: the same bounds wherever it stands, and settings that are refused change nothing.
#include <limits>

#include "puna/base/error.h"
#include "runtime/opening/image_settings.h"
#include "support/catch.h"
#include "support/status.h"

using namespace puna;
using namespace puna::test;

TEST_CASE("an image processor's numbers are within bounds, or an error that leaves the settings as they were",
          "[runtime]") {
  TileSettings settings;
  settings.tile = 14;
  read_tile_settings(
      settings,
      R"({"image_processor": {"max_patches": 4, "image_mean": [0, 0.1, 0.2], "rescale_factor": 1, "size": {"height": 14}}})");
  CHECK(settings.max_tiles == 4);
  CHECK(settings.mean[2] == 0.2);
  CHECK(settings.rescale == 1);
  for (const char* json : {R"({"max_patches": 65})", R"({"max_patches": 0})", R"({"rescale_factor": 0})",
                           R"({"image_std": [0.5, 0, 0.5]})", R"({"image_mean": [0, 0, 1e300]})",
                           R"({"max_patches": 9, "image_std": [1, 1]})", R"({"max_patches": 9, "image_std": 1})"}) {
    CAPTURE(json);
    CHECK(status_of([&] { read_tile_settings(settings, json); }) == Status::bad_file);
  }
  CHECK(status_of([&] { read_tile_settings(settings, R"({"max_patches": 9, "size": {"height": 15}})"); }) ==
        Status::unsupported);
  CHECK(settings.max_tiles == 4);
}

// What an image processor's JSON may not say, metadata could.
TEST_CASE("the mean and deviation of an mmproj file have the bounds of an image processor's", "[runtime]") {
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  for (const double wrong : {0.0, nan, infinity, -1.0, 1e300}) {
    CAPTURE(wrong);
    Metadata projector;
    projector.set("clip.vision.image_std", std::vector<double>{0.5, wrong, 0.5});
    TileSettings settings;
    CHECK(status_of([&] { read_tile_settings(settings, projector, "mmproj.gguf"); }) == Status::bad_file);
    CHECK(settings.deviation[1] == 0.5);
  }
  for (const double wrong : {nan, -infinity, 1e300}) {
    CAPTURE(wrong);
    Metadata projector;
    projector.set("clip.vision.image_mean", std::vector<double>{wrong, 0.5, 0.5});
    TileSettings settings;
    CHECK(status_of([&] { read_tile_settings(settings, projector, "mmproj.gguf"); }) == Status::bad_file);
  }
  Metadata projector;
  projector.set("clip.vision.image_mean", std::vector<double>{0.1, 0.2, 0.3});
  TileSettings settings;
  read_tile_settings(settings, projector, "mmproj.gguf");
  CHECK(settings.mean[1] == 0.2);
}
