#include "text/unicode.h"

#include <algorithm>
#include <iterator>

namespace puna::text {

#include "text/unicode_tables.inc"
static_assert(kClassIndex[0] == 0, "the first block is ASCII, as char_at takes it to be");

uint8_t char_class(uint32_t code) noexcept {
  return code < 0x110000 ? kClassBlocks[kClassIndex[code >> 7] * 128 + (code & 127)] : 0;
}

// Edges alternate: from the first one on \w, from the second one not.
bool is_word(uint32_t code) noexcept {
  return (std::upper_bound(std::begin(kWordEdges), std::end(kWordEdges), code) - std::begin(kWordEdges)) % 2 == 1;
}

Utf8 decode_utf8(const char* p, const char* end) noexcept {
  const auto byte = [&](int i) { return static_cast<unsigned char>(p[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1, Utf8::valid};
  if (lead < 0xC2 || lead > 0xF4) return {0, 1, Utf8::invalid};
  const uint8_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte's range excludes overlong forms, surrogates and what lies above U+10FFFF (Unicode table 3-7).
  uint8_t low = 0x80, high = 0xBF;
  if (lead == 0xE0) low = 0xA0;
  if (lead == 0xED) high = 0x9F;
  if (lead == 0xF0) low = 0x90;
  if (lead == 0xF4) high = 0x8F;
  uint32_t code = lead & (0x7F >> size);
  for (uint8_t i = 1; i < size; ++i) {
    if (p + i == end) return {0, i, Utf8::incomplete};
    if (byte(i) < low || byte(i) > high) return {0, i, Utf8::invalid};
    code = code << 6 | (byte(i) & 0x3F);
    low = 0x80, high = 0xBF;
  }
  return {code, size, Utf8::valid};
}

void append_utf8(std::string& out, uint32_t code) {
  if (code < 0x80) {
    out += char(code);
    return;
  }
  const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  out += char((0xFF00 >> (more + 1) & 0xFF) | code >> 6 * more);
  for (int i = more - 1; i >= 0; --i) out += char(0x80 | (code >> 6 * i & 0x3F));
}

Char decode_class(const char* p, const char* end) noexcept {
  const Utf8 c = decode_utf8(p, end);
  return c.status == Utf8::valid ? Char{char_class(c.code), c.size} : Char{0, 1};
}

}  // namespace puna::text
