#include "text/byte_level.h"

#include <array>
#include <cstdint>

#include "text/unicode/unicode.h"

namespace puna::text {
namespace {

constexpr int kCharacters = 0x144;
constexpr std::array<int16_t, kCharacters> kByteOf = [] {
  std::array<int16_t, kCharacters> byte_of{};
  for (auto& b : byte_of) b = -1;
  int16_t extra = 0x100;
  for (int16_t b = 0; b < 256; ++b) {
    const bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b != 0xAD);
    byte_of[size_t(printable ? b : extra++)] = b;
  }
  return byte_of;
}();

}  // namespace

bool bytes_of_spelling(std::string_view spelling, std::string& out) {
  out.clear();
  const char* const end = spelling.data() + spelling.size();
  for (const char* p = spelling.data(); p < end;) {
    const Utf8 c = decode_utf8(p, end);
    if (c.status != Utf8::valid || c.code >= kCharacters || kByteOf[c.code] < 0) {
      out.assign(spelling);
      return false;
    }
    out += char(kByteOf[c.code]);
    p += c.size;
  }
  return true;
}

}  // namespace puna::text
