// puna encode-image: what the text model sees of a picture, as a NumPy file.
#include "base/json.h"
#include "npy.h"
#include "pictures.h"
#include "puna/base/error.h"
#include "verbs.h"

namespace puna::cli {
namespace {

struct EncodeImageFlags {
  ModelFlags model;
  std::string picture, pixels, out, pixels_out;
};

void run_encode_image(const EncodeImageFlags& f) {
  const ModelPtr model = f.model.open();
  ImageFlags where;
  if (!f.picture.empty()) where.files = {f.picture};
  where.pixels = f.pixels;
  const std::vector<ImagePtr> images = where.open(model);
  const double start = seconds_now();
  std::vector<float> features, pixels;
  int64_t tiles = 0;
  for (const ImagePtr& image : images) {
    image->encode();
    features.insert(features.end(), image->encoded(), image->encoded() + image->features() * model->config().hidden);
    pixels.insert(pixels.end(), image->pixels().begin(), image->pixels().end());
    tiles += image->tiles();
  }
  const int64_t tile = model->require_vision().config.tile, rows = int64_t(features.size()) / model->config().hidden;
  if (!f.out.empty()) write_npy(f.out, {rows, model->config().hidden}, features.data());
  if (!f.pixels_out.empty()) write_npy(f.pixels_out, {tiles, 3, tile, tile}, pixels.data());
  nlohmann::ordered_json info = {{"tiles", tiles}, {"features", rows}, {"hidden", model->config().hidden}};
  if (f.pixels.empty()) {
    info["grid"] = {images[0]->rows(), images[0]->cols()};
    info["tokens"] = images[0]->tokens().size();
  }
  info["encode_seconds"] = seconds_now() - start;
  print(json_text(info) + "\n");
}

}  // namespace

void add_encode_image(CLI::App& app) {
  const auto f = std::make_shared<EncodeImageFlags>();
  const Verb verb(app, "encode-image",
                  "Write the features that stand for a picture as a float32 .npy file [patches, hidden]");
  f->model.add(verb);
  const Option picture = verb.option("PICTURE", f->picture, "PNG, JPEG, WebP or BMP");
  const Option pixels = verb.option("--pixels", f->pixels, "prepared pixels instead: a float32 .npy [tiles, 3, H, W]");
  verb.output("--out", f->out, "the file to write");
  verb.output("--pixels-out", f->pixels_out, "also write the prepared pixels [tiles, 3, H, W]");
  verb.run([f, picture, pixels] {
    if (picture.given() == pixels.given()) usage_error_missing("PICTURE or --pixels");
    run_encode_image(*f);
  });
}

}  // namespace puna::cli
