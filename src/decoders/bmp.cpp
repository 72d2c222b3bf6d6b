// bmp.cpp -- stb_image, of which only the BMP reader is compiled.
#include "decoders/codec.h"

namespace {
bool recognises(puna::Bytes file) { return puna::begins_with(file, "BM"); }
}  // namespace

#ifdef PUNA_HAVE_STB
#include <climits>
#include <cstring>
#include <memory>

#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#define STBI_NO_FAILURE_STRINGS_GLOBAL
#define STBI_ASSERT(x) ((void)0)
#define STBI_MAX_DIMENSIONS 65535
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb_image.h>
#pragma GCC diagnostic pop

namespace puna {
namespace {

CodecHeader header_of(Bytes file) {
  if (file.size() > INT_MAX) fail(Status::unsupported, "BMP: %zu bytes are more than its decoder takes", file.size());
  int width = 0, height = 0, channels = 0;
  if (!stbi_info_from_memory(file.data(), int(file.size()), &width, &height, &channels))
    fail(Status::bad_file, "BMP: the header is damaged, or of a kind that is not supported (run-length coded?)");
  return {width, height, 1};
}

void decode(uint8_t* rgb, Bytes file, const CodecHeader& header) {
  int width = 0, height = 0, channels = 0;
  const std::unique_ptr<stbi_uc, decltype(&stbi_image_free)> pixels(
      stbi_load_from_memory(file.data(), int(file.size()), &width, &height, &channels, 3), stbi_image_free);
  if (!pixels || width != header.width || height != header.height) fail(Status::bad_file, "BMP: the file is damaged, or of a kind that is not supported");
  memcpy(rgb, pixels.get(), size_t(width) * size_t(height) * 3);
}

}  // namespace

const Codec kBmp = {"BMP", recognises, header_of, decode};

}  // namespace puna
#else
const puna::Codec puna::kBmp = {"BMP", recognises, nullptr, nullptr};
#endif
