// image_settings.h -- how pictures are cut and scaled for a vision encoder, as the file beside its weights says: the
// image processor's JSON of a Hugging Face folder, or the metadata of an mmproj GGUF. The same bounds for both.
#pragma once
#include <string>
#include <string_view>

#include "puna/base/watch.h"
#include "puna/image/tiles.h"
#include "puna/tensor/metadata.h"

namespace puna {

// preprocessor_config.json, or processor_config.json with an "image_processor". settings.tile is the encoder's and
// stays. Error{bad_file} or {unsupported} naming the field; the settings are then as before.
void read_tile_settings(TileSettings& settings, std::string_view json, const Watch& watch = Watch());
// clip.vision.image_mean and clip.vision.image_std. Error{bad_file} naming file and key.
void read_tile_settings(TileSettings& settings, const Metadata& projector, const std::string& file);

}  // namespace puna
