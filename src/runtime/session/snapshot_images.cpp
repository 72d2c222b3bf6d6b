#include "runtime/session/snapshot_images.h"

#include <algorithm>
#include <cstring>

#include "base/span_reader.h"

namespace puna {
namespace {

struct ImageHeader {
  ImageId id;
  int64_t rows, cols;
};
struct Run {
  int64_t position, count, row, image;
};
static_assert(sizeof(ImageHeader) == 32 && sizeof(Run) == 32);

std::vector<const Image*> images_of(std::span<const Patches> patches) {
  std::vector<const Image*> images;
  for (const Patches& p : patches)
    if (std::find(images.begin(), images.end(), p.image.get()) == images.end()) images.push_back(p.image.get());
  return images;
}

uint64_t feature_bytes(const Image& image) {
  return uint64_t(image.features() * image.model().config().hidden) * sizeof(float);
}
uint64_t padded(uint64_t bytes) { return (bytes + 7) / 8 * 8; }

ImagePtr read_image(const ModelPtr& model, SpanReader& reader) {
  const auto header = reader.value<ImageHeader>();
  const int64_t most = model->tile_settings().max_tiles;
  if (header.rows < 1 || header.cols < 1 || header.rows > most || header.cols > most ||
      header.rows * header.cols > most)
    fail(Status::bad_file, "snapshot: an image of %jd x %jd tiles, expected 1 to %jd", header.rows, header.cols, most);
  const int64_t grid = header.rows * header.cols, tiles = grid + (grid > 1);
  const size_t floats = size_t(tiles * model->require_vision().config.features() * model->config().hidden);
  const std::byte* bytes = reader.take(floats * sizeof(float));
  std::vector<float> features(floats);
  memcpy(features.data(), bytes, floats * sizeof(float));
  return Image::from_features(model, header.id, header.rows, header.cols, features);
}

}  // namespace

uint64_t snapshot_images_bytes(std::span<const Patches> patches) {
  uint64_t bytes = 16 + patches.size() * sizeof(Run);
  for (const Image* image : images_of(patches)) bytes += sizeof(ImageHeader) + padded(feature_bytes(*image));
  return bytes;
}

void save_snapshot_images(std::span<const Patches> patches, std::byte* to) {
  const std::vector<const Image*> images = images_of(patches);
  const auto put = [&](const auto& value) {
    memcpy(to, &value, sizeof value);
    to += sizeof value;
  };
  put(uint64_t(images.size()));
  put(uint64_t(patches.size()));
  for (const Image* image : images) {
    put(ImageHeader{image->id(), image->rows(), image->cols()});
    const uint64_t bytes = feature_bytes(*image);
    memset(to + padded(bytes) - 8, 0, 8);
    memcpy(to, image->encoded(), bytes);
    to += padded(bytes);
  }
  for (const Patches& p : patches)
    put(Run{p.position, p.count, p.row, std::find(images.begin(), images.end(), p.image.get()) - images.begin()});
}

std::vector<Patches> restore_snapshot_images(const ModelPtr& model, std::span<const std::byte> from, int64_t tokens) {
  model->require_vision();
  SpanReader reader(from, "snapshot: the part about images");
  const auto image_count = reader.value<uint64_t>(), run_count = reader.value<uint64_t>();
  std::vector<ImagePtr> images;
  while (images.size() < image_count) images.push_back(read_image(model, reader));
  std::vector<Patches> patches;
  int64_t end = 0;
  for (uint64_t i = 0; i < run_count; ++i) {
    const Run r = reader.value<Run>();
    const bool known = r.image >= 0 && uint64_t(r.image) < image_count;
    if (!known || r.position < end || r.count < 1 || r.position > tokens || r.count > tokens - r.position ||
        r.row < 0 || r.row > images[size_t(r.image)]->features() ||
        r.count > images[size_t(r.image)]->features() - r.row)
      fail(Status::bad_file, "snapshot: run %ju of image patches does not fit", i);
    end = r.position + r.count;
    patches.push_back({r.position, r.count, r.row, images[size_t(r.image)]});
  }
  if (reader.left() != 0) fail(Status::bad_file, "snapshot: %zu bytes too many behind the images", reader.left());
  return patches;
}

}  // namespace puna
