// unicode.h -- character properties for the splitters: the general categories that published pre-tokenizer patterns
// use (\p{L}, \p{N}, \s, ...), one byte of bits a character.
// Tables: unicode_tables.inc, Unicode 16.0, written by generate_unicode.py.
#pragma once
#include <cstdint>

#include "base/utf8.h"

namespace puna::text {

enum CharClass : uint8_t {
  kUpper = 1,         // Lu Lt
  kLower = 2,         // Ll
  kOtherLetter = 4,   // Lm Lo
  kMark = 8,          // M*
  kNumber = 16,       // N*
  kPunctuation = 32,  // P*
  kSymbol = 64,       // S*
  kSpace = 128,       // White_Space, which is \s
  kLetter = kUpper | kLower | kOtherLetter,
};

extern const uint8_t kClassBlocks[];         // starts with ASCII
uint8_t char_class(uint32_t code) noexcept;  // 0 above U+10FFFF
bool is_word(uint32_t code) noexcept;        // \w

// One step of a splitter: classes and bytes. A malformed byte is a character of its own, without any class.
struct Char {
  uint8_t classes, size;
  bool is(uint8_t mask) const noexcept { return (classes & mask) != 0; }
};
Char decode_class(const char* p, const char* end) noexcept;
inline Char char_at(const char* p, const char* end) noexcept {
  const auto c = static_cast<unsigned char>(*p);
  return c < 128 ? Char{kClassBlocks[c], 1} : decode_class(p, end);
}

}  // namespace puna::text
