// bmp.cpp -- stb_image, of which only the BMP reader is compiled.
#include "optional/decoders/codec.h"

namespace {
bool recognises(puna::Bytes file) { return puna::begins_with(file, "BM"); }
}  // namespace

#ifdef PUNA_HAVE_STB
#include <bit>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

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
    fail(Status::bad_file, "BMP: the file ends early: %zu bytes, expected %jd", file.size(), pixels + row * height);
}

// stb_image wants the pixels right behind the first kind of header, or one of Microsoft's later ones; Adobe's, which
// has the masks of the colours inside, and a gap before the pixels are legal too. The same picture with the first
// header and no gap; empty where stb_image reads the file.
constexpr size_t kHeaderSize = 14, kMasks = 54;
std::vector<uint8_t> without_gap(Bytes file) {
  const uint32_t header = number(file, kHeaderSize, 4), pixels = number(file, 10, 4);
  const bool known = header == 40 || header == 56 || header == 108 || header == 124;
  if (!known || number(file, 28, 2) < 16) return {};
  const size_t masks = number(file, 30, 4) == 3 ? 12 : 0;
  if (header != 56 && pixels == kHeaderSize + header + (header == 40 ? masks : 0)) return {};
  if (pixels < kMasks + masks || pixels > file.size())
    fail(Status::bad_file, "BMP: the pixels start at byte %u, inside the header or behind the end", pixels);
  std::vector<uint8_t> plain(file.begin(), file.begin() + int64_t(kMasks + masks));
  plain[10] = uint8_t(plain.size());
  plain[11] = plain[12] = plain[13] = 0;
  plain[kHeaderSize] = 40;  // its other bytes are 0
  plain.insert(plain.end(), file.begin() + int64_t(pixels), file.end());
  return plain;
}

// Of 16 bits a pixel stb_image repeats the upper bits of a colour below it; Pillow stretches n bits to 8:
// value * 255 / (2^n - 1).
void stretch(uint8_t* rgb, Bytes file, int64_t pixels) {
  if (number(file, kHeaderSize, 4) == 12 || number(file, 28, 2) != 16) return;
  const bool masks = number(file, 30, 4) == 3;
  for (int channel = 0; channel < 3; ++channel) {
    const int bits = masks ? std::popcount(number(file, kMasks + 4 * size_t(channel), 4)) : 5;
    if (bits < 1 || bits > 7) continue;
    for (int64_t i = 0; i < pixels; ++i) {
      uint8_t& value = rgb[3 * i + channel];
      value = uint8_t((value >> (8 - bits)) * 255 / ((1 << bits) - 1));
    }
  }
}

CodecHeader header_of(Bytes file) {
  if (const std::vector<uint8_t> plain = without_gap(file); !plain.empty()) return header_of(plain);
  if (file.size() > INT_MAX) fail(Status::unsupported, "BMP: %zu bytes are more than its decoder takes", file.size());
  int width = 0, height = 0, channels = 0;
  if (!stbi_info_from_memory(file.data(), int(file.size()), &width, &height, &channels))
    fail(Status::bad_file, "BMP: the header is damaged, or of a kind that is not supported (run-length coded?)");
  if (height == INT_MIN)  // stb_image would negate it
    fail(Status::bad_file, "BMP: the header is damaged: a height of -2^31");
  const int64_t rows = std::abs(int64_t{height});  // negative: they run from the top, as screenshots have them
  return {width, rows, 1};
}

void decode(uint8_t* rgb, Bytes file, const CodecHeader& header) {
  if (const std::vector<uint8_t> plain = without_gap(file); !plain.empty()) return decode(rgb, plain, header);
  require_pixels(file, header.width, header.height);
  int width = 0, height = 0, channels = 0;
  const std::unique_ptr<stbi_uc, decltype(&stbi_image_free)> pixels(
      stbi_load_from_memory(file.data(), int(file.size()), &width, &height, &channels, 3), stbi_image_free);
  if (!pixels || width != header.width || height != header.height)
    fail(Status::bad_file, "BMP: the file is damaged, or of a kind that is not supported");
  memcpy(rgb, pixels.get(), size_t(width) * size_t(height) * 3);
  stretch(rgb, file, header.width * header.height);
}

}  // namespace

const Codec kBmp = {"BMP", recognises, header_of, decode};

}  // namespace puna
#else
const puna::Codec puna::kBmp = {"BMP", recognises, nullptr, nullptr};
#endif
