#include "text/unicode/unicode.h"

#include <algorithm>
#include <iterator>

namespace puna::text {

#include "text/unicode/unicode_tables.inc"
static_assert(kClassIndex[0] == 0, "the first block is ASCII, as char_at takes it to be");

uint8_t char_class(uint32_t code) noexcept {
  return code < 0x110000 ? kClassBlocks[kClassIndex[code >> 7] * 128 + (code & 127)] : 0;
}

// Edges alternate: from the first one on \w, from the second one not.
bool is_word(uint32_t code) noexcept {
  return (std::upper_bound(std::begin(kWordEdges), std::end(kWordEdges), code) - std::begin(kWordEdges)) % 2 == 1;
}

Char decode_class(const char* p, const char* end) noexcept {
  const Utf8 c = decode_utf8(p, end);
  return c.status == Utf8::valid ? Char{char_class(c.code), c.size} : Char{0, 1};
}

}  // namespace puna::text
