// decode.h -- PNG, JPEG, WebP and BMP files to RGB, by the usual libraries (libpng, libjpeg,
// libwebp, stb_image). They are linked into programs that ask for the CMake target puna_decoders, never into libpuna:
// it has no dependencies, and these libraries may read the environment or end the process.
//
// What comes out is what Pillow's open(), ImageOps.exif_transpose() and convert("RGB") give: EXIF orientation is
// applied, alpha is dropped, of 16 bits the upper 8 are kept, palettes and grey become RGB, CMYK is multiplied out,
// colour profiles are not applied. Files are untrusted: sizes are checked (picture.h) before
// memory is taken, and a decoder takes at most 16 bytes a pixel and 8 MB while it works, the picture itself not
// counted.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "puna/base/context.h"
#include "puna/image/picture.h"

namespace puna {

struct PictureInfo {
  const char* format = "";        // "PNG", "JPEG", "WebP", "BMP"
  int64_t width = 0, height = 0;  // as it is to be shown: after orientation
  int orientation = 1;            // EXIF's 1 to 8
};

// Reads the header. Error{bad_file} when it is damaged, {unsupported} for formats that are unknown, not in this build,
// animated or too large.
PictureInfo picture_info(std::span<const std::byte> file);
// rgb: [height][width][3] of picture_info. Error{bad_file} when the file is damaged or ends early.
void decode_picture(uint8_t* rgb, std::span<const std::byte> file);
Picture decode_picture(const Context& context, std::span<const std::byte> file);
Picture decode_picture_file(const Context& context, const char* path);  // at most 1 GiB of it

}  // namespace puna
