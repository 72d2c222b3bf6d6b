#include "runtime/opening/image_settings.h"

#include <algorithm>

#include "base/json.h"
#include "puna/base/error.h"

namespace puna {
namespace {

constexpr int64_t kMostTiles = 64;

struct Range {
  double low, high;
  bool has(double value) const noexcept { return value >= low && value <= high; }  // NaN is in none
};
constexpr Range kMean{-1e6, 1e6}, kDeviation{1e-6, 1e6}, kRescale{1e-9, 1e9};

void read_fields(TileSettings& s, const Json& json) {
  const auto number = [&](const char* key, Range range, double usual) {
    const auto it = json.find(key);
    if (it == json.end() || it->is_null()) return usual;
    if (!it->is_number() || !range.has(it->get<double>()))
      fail(Status::bad_file, "image processor: '%s' is no number from %g to %g", key, range.low, range.high);
    return it->get<double>();
  };
  const auto flag = [&](const char* key, bool usual) {
    const auto it = json.find(key);
    return it != json.end() && it->is_boolean() ? it->get<bool>() : usual;
  };
  const auto channels = [&](const char* key, double(&values)[3], Range range) {
    const auto it = json.find(key);
    if (it == json.end() || it->is_null()) return;
    if (!it->is_array() || it->size() != 3)
      fail(Status::bad_file, "image processor: '%s' is no list of three numbers", key);
    for (size_t i = 0; i < 3; ++i) {
      const Json& v = (*it)[i];
      if (!v.is_number() || !range.has(v.get<double>()))
        fail(Status::bad_file, "image processor: '%s'[%zu] is no number from %g to %g", key, i, range.low, range.high);
      values[i] = v.get<double>();
    }
  };
  if (const auto size = json.find("size"); size != json.end() && size->is_object())
    for (const char* side : {"height", "width"}) {
      const auto it = size->find(side);
      if (it != size->end() && (!it->is_number_integer() || it->get<int64_t>() != s.tile))
        fail(Status::unsupported, "image processor: size.%s is %.40s, the vision encoder takes %jd", side,
             it->dump().c_str(), s.tile);
    }
  s.max_tiles = int64_t(number("max_patches", {1, double(kMostTiles)}, double(s.max_tiles)));
  s.rescale = number("rescale_factor", kRescale, s.rescale);
  channels("image_mean", s.mean, kMean);
  channels("image_std", s.deviation, kDeviation);
  s.to_max_canvas = flag("resize_to_max_canvas", s.to_max_canvas);
  for (const char* step : {"do_resize", "do_rescale", "do_normalize"})
    if (!flag(step, true)) fail(Status::unsupported, "image processor: '%s' is false, which is not supported", step);
  if (number("resample", {0, 5}, 2) != 2)
    fail(Status::unsupported, "image processor: 'resample' is not 2 (bilinear), which is not supported");
}

}  // namespace

void read_tile_settings(TileSettings& settings, std::string_view text, const Watch& watch) {
  Json json = parse_json(text, "image processor", watch);
  const JsonGuard guard(json);
  const auto nested = json.find("image_processor");
  TileSettings read = settings;
  read_fields(read, nested != json.end() && nested->is_object() ? *nested : json);
  settings = read;
}

void read_tile_settings(TileSettings& settings, const Metadata& projector, const std::string& file) {
  const auto channels = [&](const char* key, double(&values)[3], Range range) {
    const std::vector<double>* list = projector.numbers(key);
    if (!list) return;
    if (list->size() != 3)
      fail(Status::bad_file, "%s: metadata '%s' has %zu values, expected 3", file.c_str(), key, list->size());
    for (const double v : *list)
      if (!range.has(v))
        fail(Status::bad_file, "%s: metadata '%s' has the value %g, expected %g to %g", file.c_str(), key, v, range.low,
             range.high);
    std::copy(list->begin(), list->end(), values);
  };
  TileSettings read = settings;
  channels("clip.vision.image_mean", read.mean, kMean);
  channels("clip.vision.image_std", read.deviation, kDeviation);
  settings = read;
}

}  // namespace puna
