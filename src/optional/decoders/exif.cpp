// exif.cpp -- the one EXIF tag that changes what a picture looks like. TIFF 6.0, section 2; EXIF 2.3, 4.6.4.
#include "optional/decoders/codec.h"

namespace puna {
namespace {

struct Tiff {
  Bytes data;
  bool big_endian;
  bool has(size_t at, size_t count) const noexcept { return at <= data.size() && count <= data.size() - at; }
  uint32_t number(size_t at, size_t count) const noexcept {
    uint32_t value = 0;
    for (size_t i = 0; i < count; ++i) value |= uint32_t(data[at + i]) << 8 * (big_endian ? count - 1 - i : i);
    return value;
  }
};

}  // namespace

int exif_orientation(Bytes file) noexcept {
  constexpr uint32_t kOrientation = 0x0112, kShort = 3;
  constexpr size_t kEntry = 12;
  const bool big = begins_with(file, std::string_view("MM\0*", 4));
  if (!big && !begins_with(file, std::string_view("II*\0", 4))) return 1;
  const Tiff t{file, big};
  if (!t.has(4, 4)) return 1;
  const size_t directory = t.number(4, 4);
  if (!t.has(directory, 2)) return 1;
  const size_t entries = t.number(directory, 2);
  for (size_t i = 0; i < entries; ++i) {
    const size_t at = directory + 2 + i * kEntry;
    if (!t.has(at, kEntry)) return 1;
    if (t.number(at, 2) != kOrientation) continue;
    const uint32_t value = t.number(at + 8, 2);
    return t.number(at + 2, 2) == kShort && value >= 1 && value <= 8 ? int(value) : 1;
  }
  return 1;
}

}  // namespace puna
