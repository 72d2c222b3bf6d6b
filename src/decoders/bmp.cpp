// bmp.cpp -- stb_image, of which only the BMP reader is compiled.
#include "decoders/codec.h"

namespace {
bool recognises(puna::Bytes file) { return puna::begins_with(file, "BM"); }
}  // namespace

#ifdef PUNA_HAVE_STB
#include <climits>
#include <cstdint>
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

uint32_t number(Bytes file, size_t at, size_t count) {
  if (at + count > file.size()) fail(Status::bad_file, "BMP: the file ends early");
  uint32_t value = 0;
  for (size_t i = 0; i < count; ++i) value |= uint32_t(file[at + i]) << 8 * i;
  return value;
}

// stb_image reads zeros behind the end of a file; here that is an error. Rows are padded to four bytes.
void require_pixels(Bytes file, int64_t width, int64_t height) {
  const bool old = number(file, 14, 4) == 12;  // the size of the information header
  const int64_t row = (width * int64_t(number(file, old ? 24 : 28, 2)) + 31) / 32 * 4, pixels = number(file, 10, 4);
  if (pixels + row * height > int64_t(file.size()))
    fail(Status::bad_file, "BMP: the file ends early: %zu bytes, expected %lld", file.size(), static_cast<long long>(pixels + row * height));
}

CodecHeader header_of(Bytes file) {
  if (file.size() > INT_MAX) fail(Status::unsupported, "BMP: %zu bytes are more than its decoder takes", file.size());
  int width = 0, height = 0, channels = 0;
  if (!stbi_info_from_memory(file.data(), int(file.size()), &width, &height, &channels))
    fail(Status::bad_file, "BMP: the header is damaged, or of a kind that is not supported (run-length coded?)");
  return {width, height, 1};
}

void decode(uint8_t* rgb, Bytes file, const CodecHeader& header) {
  require_pixels(file, header.width, header.height);
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
