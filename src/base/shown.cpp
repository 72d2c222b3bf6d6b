#include "base/shown.h"

#include "base/utf8.h"

namespace puna {

std::string shown(std::string_view text) {
  constexpr size_t kMost = 60;
  std::string out;
  const char* const end = text.data() + text.size();
  for (const char* p = text.data(); p < end;) {
    const Utf8 c = decode_utf8(p, end);
    if (out.size() + c.size > kMost) return out + "...";
    const bool plain = c.status == Utf8::valid && c.code >= 32 && c.code != 127;
    out += plain ? std::string(p, c.size) : "?";
    p += c.size;
  }
  return out;
}

}  // namespace puna
