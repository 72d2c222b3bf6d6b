// decode.cpp -- which decoder a file belongs to, and rotating its pixels as the EXIF orientation says.
#include "puna/image/decode.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "base/os.h"
#include "optional/decoders/codec.h"

namespace puna {
namespace {

Bytes bytes_of(std::span<const std::byte> file) { return {reinterpret_cast<const uint8_t*>(file.data()), file.size()}; }

// The name of a known format without a decoder; NULL for other bytes.
const char* other_format(Bytes file) {
  struct Known {
    const char* name;
    std::string_view magic;
    size_t at;
  };
  constexpr Known kKnown[] = {{"GIF", "GIF8", 0},
                              {"TIFF", {"II*\0", 4}, 0},
                              {"TIFF", {"MM\0*", 4}, 0},
                              {"AVIF", "ftypavif", 4},
                              {"HEIC", "ftyphei", 4},
                              {"HEIC", "ftypmif1", 4},
                              {"JPEG XL", "\xff\x0a", 0},
                              {"JPEG XL", {"\0\0\0\x0cJXL ", 8}, 0},
                              {"JPEG 2000", {"\0\0\0\x0cjP  ", 8}, 0},
                              {"PDF", "%PDF", 0},
                              {"PSD", "8BPS", 0},
                              {"ICO", {"\0\0\1\0", 4}, 0},
                              {"SVG", "<svg", 0}};
  for (const Known& k : kKnown)
    if (begins_with(file, k.magic, k.at)) return k.name;
  return nullptr;
}

const Codec& codec_of(Bytes file) {
  for (const Codec* codec : {&kPng, &kJpeg, &kWebp, &kBmp}) {
    if (!codec->recognises(file)) continue;
    if (!codec->header)
      fail(Status::unsupported, "this build cannot decode %s: its library was not there when it was built",
           codec->name);
    return *codec;
  }
  if (const char* other = other_format(file))
    fail(Status::unsupported, "%s is not supported; known: PNG, JPEG, WebP, BMP", other);
  fail(Status::unsupported, "the picture is of no known format (PNG, JPEG, WebP, BMP)");
}

CodecHeader checked_header(const Codec& codec, Bytes file) {
  const CodecHeader header = codec.header(file);
  require_picture_size(header.width, header.height);
  return header;
}

// 5 to 8 show what is stored as a column as a row.
bool swaps_axes(int orientation) { return orientation >= 5; }

// Of EXIF's eight orientations: where pixel (x, y) of the shown picture (width x height) is stored.
void reorient(uint8_t* to, const uint8_t* from, int64_t width, int64_t height, int orientation) {
  const bool swapped = swaps_axes(orientation);
  // columns count down
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_below = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const int64_t stored_width = swapped ? height : width, stored_height = swapped ? width : height;
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x, to += 3) {
      int64_t column = swapped ? y : x, row = swapped ? x : y;
      if (from_right) column = stored_width - 1 - column;
      if (from_below) row = stored_height - 1 - row;
      memcpy(to, from + (row * stored_width + column) * 3, 3);
    }
}

}  // namespace

PictureInfo picture_info(std::span<const std::byte> file) {
  const Codec& codec = codec_of(bytes_of(file));
  const CodecHeader header = checked_header(codec, bytes_of(file));
  PictureInfo info{codec.name, header.width, header.height, header.orientation};
  if (swaps_axes(info.orientation)) std::swap(info.width, info.height);
  return info;
}

void decode_picture(uint8_t* rgb, std::span<const std::byte> file) {
  const Codec& codec = codec_of(bytes_of(file));
  const CodecHeader header = checked_header(codec, bytes_of(file));
  if (header.orientation == 1) return codec.decode(rgb, bytes_of(file), header);
  std::vector<uint8_t> stored(size_t(header.width * header.height * 3));
  codec.decode(stored.data(), bytes_of(file), header);
  const bool swapped = swaps_axes(header.orientation);
  reorient(rgb, stored.data(), swapped ? header.height : header.width, swapped ? header.width : header.height,
           header.orientation);
}

Picture decode_picture(const Context& context, std::span<const std::byte> file) {
  const PictureInfo info = picture_info(file);
  Picture picture{context.allocate(size_t(info.width * info.height * 3), "a picture"), info.width, info.height};
  decode_picture(reinterpret_cast<uint8_t*>(picture.data.data()), file);
  return picture;
}

Picture decode_picture_file(const Context& context, const char* path) {
  const std::string file = os::read_file(path, uint64_t(1) << 30);
  try {
    return decode_picture(context, std::as_bytes(std::span(file)));
  } catch (const Error& e) {
    if (e.status() == Status::out_of_memory) throw;
    fail(e.status(), "%s: %s", path, e.what());
  }
}

}  // namespace puna
