#include "base/utf8.h"

#include <algorithm>

namespace puna {

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

namespace {

// Where [p, stop) first has what is_bad(p) or what is no UTF-8; a character that begins before `stop` may end behind
// it. NULL: nowhere; p is then behind.
template <class Bad>
const char* find_bad(const char*& p, const char* stop, const char* end, Bad is_bad) noexcept {
  while (p < stop) {
    if (static_cast<unsigned char>(*p) < 0x80) {
      if (is_bad(*p)) return p;
      ++p;
      continue;
    }
    const Utf8 c = decode_utf8(p, end);
    if (c.status != Utf8::valid) return p;
    p += c.size;
  }
  return nullptr;
}

}  // namespace

bool is_utf8(std::string_view text) noexcept {
  const char* p = text.data();
  const char* const end = p + text.size();
  return !find_bad(p, end, end, [](char) { return false; });
}

size_t find_non_text(std::string_view bytes, const Watch& watch) {
  constexpr ptrdiff_t kStride = 4096;
  const char* p = bytes.data();
  const char* const end = p + bytes.size();
  while (p < end) {
    watch.tick(kStride / 64);
    if (const char* const bad = find_bad(p, p + std::min(kStride, end - p), end, [](char c) { return c == '\0'; }))
      return size_t(bad - bytes.data());
  }
  return std::string_view::npos;
}

}  // namespace puna
