// utf8.h -- UTF-8 as RFC 3629 has it: decoding that never reads past the end, and what is not text.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "puna/base/watch.h"

namespace puna {

struct Utf8 {
  enum Status : uint8_t { valid, invalid, incomplete };
  uint32_t code;  // meaningless unless valid
  uint8_t size;   // bytes; of a malformed sequence its "maximal subpart" (Unicode 16.0, section 3.9), at least 1
  Status status;  // incomplete: the text ends where a well-formed character could still go on
};
Utf8 decode_utf8(const char* p, const char* end) noexcept;  // p < end
void append_utf8(std::string& out, uint32_t code);          // code is a scalar value

bool is_utf8(std::string_view text) noexcept;
// A file's text without the byte order mark that some editors begin it with: it is no part of the text.
inline std::string_view without_bom(std::string_view text) noexcept {
  return text.starts_with("\xEF\xBB\xBF") ? text.substr(3) : text;
}
// The first byte that no text has: a NUL, or where UTF-8 ends. npos: there is none.
size_t find_non_text(std::string_view bytes, const Watch& watch = Watch());

}  // namespace puna
