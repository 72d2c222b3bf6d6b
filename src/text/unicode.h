// unicode.h -- what the splitters ask about characters: UTF-8 decoding that never reads past the end, and the general
// categories that published pre-tokenizer patterns use (\p{L}, \p{N}, \s, ...), one byte of bits a character.
// Tables: unicode_tables.inc, Unicode 16.0, written by generate_unicode.py.
#pragma once
#include <cstdint>
#include <string>

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

extern const uint8_t kClassBlocks[];        // starts with ASCII
uint8_t char_class(uint32_t code) noexcept;  // 0 above U+10FFFF
bool is_word(uint32_t code) noexcept;        // \w

struct Utf8 {
  enum Status : uint8_t { valid, invalid, incomplete };
  uint32_t code;   // meaningless unless valid
  uint8_t size;    // bytes; of a malformed sequence its "maximal subpart" (Unicode 16.0, section 3.9), at least 1
  Status status;   // incomplete: the text ends where a well-formed character could still go on
};
Utf8 decode_utf8(const char* p, const char* end) noexcept;  // p < end
void append_utf8(std::string& out, uint32_t code);          // code is a scalar value

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
