#include "text/formats/base64.h"

namespace puna::text {

bool decode_base64(std::string_view text, std::string& out) {
  const auto value = [](char c) -> int {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
  };
  if (text.empty() || text.size() % 4 != 0) return false;
  for (size_t i = 0; i < text.size(); i += 4) {
    const bool last = i + 4 == text.size();
    const int padding = !last || text[i + 3] != '=' ? 0 : text[i + 2] != '=' ? 1 : 2;
    int bits = 0;
    for (int k = 0; k < 4; ++k) {
      const int v = k < 4 - padding ? value(text[i + size_t(k)]) : 0;
      if (v < 0) return false;
      bits = bits << 6 | v;
    }
    for (int k = 0; k < 3 - padding; ++k) out += char(bits >> (16 - 8 * k) & 0xFF);
    if (bits & ((1 << 8 * padding) - 1)) return false;
  }
  return true;
}

}  // namespace puna::text
