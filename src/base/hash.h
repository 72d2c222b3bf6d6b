// hash.h -- a quick 64-bit hash: for equality of bytes, not cryptographic. Defined on little-endian
// words.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace puna {

class Hash {
 public:
  void add(const void* data, size_t bytes) noexcept {
    const auto* p = static_cast<const unsigned char*>(data);
    for (; bytes >= 8; p += 8, bytes -= 8) mix(word(p, 8));
    mix(word(p, bytes) ^ uint64_t(bytes) << 56);  // the rest, and where it ended: "ab","c" is not "a","bc"
  }
  void add(std::string_view text) noexcept { add(text.data(), text.size()); }
  template <class T>
  void add_value(const T& value) noexcept {
    add(&value, sizeof value);
  }
  uint64_t value() const noexcept { return state_ ^ state_ >> 29; }

 private:
  static uint64_t word(const unsigned char* p, size_t n) noexcept {
    uint64_t w = 0;
    if (n != 0) memcpy(&w, p, n);  // nothing may have no address, which memcpy does not take
    return w;
  }
  // An odd multiplier and a shift down: every bit of the input reaches the high bits, and those come back to the low
  // ones.
  void mix(uint64_t w) noexcept {
    state_ = (state_ ^ w) * 0x9E3779B97F4A7C15u;
    state_ ^= state_ >> 32;
  }
  uint64_t state_ = 0x243F6A8885A308D3u;
};

inline uint64_t hash_of(std::string_view text) noexcept {
  Hash hash;
  hash.add(text);
  return hash.value();
}
std::string hex_of(uint64_t hash);  // 16 digits

}  // namespace puna
