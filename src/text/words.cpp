#include "text/words.h"

#include "puna/base/error.h"

namespace puna::text {

char letter_of(char c) noexcept {
  const auto u = static_cast<unsigned char>(c);
  if (c >= 'A' && c <= 'Z') return char(c - 'A' + 'a');
  if (u <= ' ' || u == 0x7F) return ' ';
  const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || u >= 0x80;
  return plain ? c : '\0';
}

void PlainWords::set(std::string_view from) {
  if (from.size() > UINT32_MAX / 2)
    fail(Status::unsupported, "a text of %zu bytes, expected at most 2 GB", from.size());
  text.clear();
  begin.clear();
  bool inside = false;
  for (const char raw : from) {
    const char c = letter_of(raw);
    if (c == '\0') continue;
    if (c == ' ') {
      if (inside) text += ' ';
      inside = false;
      continue;
    }
    if (!inside) begin.push_back(uint32_t(text.size()));
    inside = true;
    text += c;
  }
  if (inside) text += ' ';
  begin.push_back(uint32_t(text.size()));
}

}  // namespace puna::text
