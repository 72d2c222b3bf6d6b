// sha256.h -- SHA-256 (FIPS 180-4) of token ids as little-endian words: how the golden files store long answers.
// The constants are the first 32 bits of the fractional parts of square and cube roots of the first primes.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace puna::test {

inline std::string sha256_of_ids(const std::vector<int32_t>& ids) {
  const auto rotate = [](uint32_t x, int n) { return x >> n | x << (32 - n); };
  const auto fraction = [](long double root) { return uint32_t((root - uint64_t(root)) * 4294967296.0L); };
  uint32_t k[64], h[8];
  for (uint32_t n = 2, found = 0; found < 64; ++n) {
    bool prime = true;
    for (uint32_t d = 2; d * d <= n; ++d) prime = prime && n % d != 0;
    if (!prime) continue;
    if (found < 8) h[found] = fraction(sqrtl(n));
    k[found++] = fraction(cbrtl(n));
  }
  std::string m;
  for (const int32_t id : ids)
    for (int b = 0; b < 4; ++b) m += char(uint32_t(id) >> 8 * b);
  const uint64_t bits = 8 * m.size();
  m += '\x80';
  while (m.size() % 64 != 56) m += '\0';
  for (int b = 7; b >= 0; --b) m += char(bits >> 8 * b);
  for (size_t at = 0; at < m.size(); at += 64) {
    uint32_t w[64], v[8];
    for (size_t i = 0; i < 16; ++i) {
      w[i] = 0;
      for (size_t b = 0; b < 4; ++b) w[i] = w[i] << 8 | static_cast<unsigned char>(m[at + 4 * i + b]);
    }
    for (int i = 16; i < 64; ++i) {
      const uint32_t a = w[i - 15], b = w[i - 2];
      w[i] = w[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[i - 7] + (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
    }
    std::copy(h, h + 8, v);
    for (int i = 0; i < 64; ++i) {
      const uint32_t e = v[4], a = v[0];
      const uint32_t t1 =
          v[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & v[5]) ^ (~e & v[6])) + k[i] + w[i];
      const uint32_t t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
      for (int j = 7; j > 0; --j) v[j] = v[j - 1];
      v[4] += t1, v[0] = t1 + t2;
    }
    for (int j = 0; j < 8; ++j) h[j] += v[j];
  }
  char hex[65];
  for (int j = 0; j < 8; ++j) snprintf(hex + 8 * j, 9, "%08x", h[j]);
  return hex;
}

}  // namespace puna::test
