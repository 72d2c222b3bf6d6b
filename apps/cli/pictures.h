// pictures.h -- images on the command line: picture files, or pixels that were prepared elsewhere.
#pragma once
#include "common.h"
#include "puna/runtime/image.h"

namespace puna::cli {

struct ImageFlags {
  std::vector<std::string> files;
  std::string pixels;
  void add(const Verb& verb);
  // In order. Prepared pixels [tiles, 3, H, W] become an image a tile: a list of tiles fills patches whatever grids
  // they were cut from.
  std::vector<ImagePtr> open(const ModelPtr& model) const;
  // Ids with each <|image|> still to be expanded, or with all their <|patch|> ids there.
  static Prompt prompt(const Model& model, const std::vector<int32_t>& tokens, const std::vector<ImagePtr>& images);
};

ImagePtr open_image(const ModelPtr& model, const std::string& file);

}  // namespace puna::cli
