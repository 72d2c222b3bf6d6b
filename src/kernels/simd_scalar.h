// simd_scalar.h -- the sixteen virtual lanes in plain C++: the meaning that every other simd_<isa>.h must reproduce bit
// for bit.
//   V  = 16 floats, VI = 16 int32, VB = 64 bytes, four a lane. sum(): lanes i and i+8, then i+4, i+2, i+1. fma is one
//      rounding.
#pragma once
#include <stdint.h>

#define PUNA_INLINE static inline __attribute__((always_inline))

namespace puna::PUNA_ISA {

struct V {
  float f[16];
};
struct VI {
  int32_t i[16];
};
struct VB {
  uint8_t b[64];
};

// Rows of activations and panels that a product keeps in registers at once.
constexpr int kRegisterRows = 2, kRegisterPanels = 1;
constexpr int kRowsAtOnce = 1, kFewRows = 1;
constexpr bool kPairSums = false;
// Quants of eight bits lie with 128 added. What of it is left to take off after dot4: 0 where signed bytes are dotted.
constexpr int kByteOffset = 128;

#define PUNA_EACH(expr)                         \
  V r;                                          \
  for (int n = 0; n < 16; ++n) r.f[n] = (expr); \
  return r
PUNA_INLINE V splat(float x) { PUNA_EACH(x); }
PUNA_INLINE V load(const float* p) { PUNA_EACH(p[n]); }
PUNA_INLINE V load_n(const float* p, int64_t count) { PUNA_EACH(n < count ? p[n] : 0.0f); }
PUNA_INLINE void store(float* p, V a) {
  for (int n = 0; n < 16; ++n) p[n] = a.f[n];
}
PUNA_INLINE void store_n(float* p, V a, int64_t count) {
  for (int n = 0; n < 16 && n < count; ++n) p[n] = a.f[n];
}
PUNA_INLINE V add(V a, V b) { PUNA_EACH(a.f[n] + b.f[n]); }
PUNA_INLINE V sub(V a, V b) { PUNA_EACH(a.f[n] - b.f[n]); }
PUNA_INLINE V mul(V a, V b) { PUNA_EACH(a.f[n] * b.f[n]); }
PUNA_INLINE V div(V a, V b) { PUNA_EACH(a.f[n] / b.f[n]); }
PUNA_INLINE V fma(V a, V b, V c) { PUNA_EACH(__builtin_fmaf(a.f[n], b.f[n], c.f[n])); }
PUNA_INLINE V max(V a, V b) { PUNA_EACH(a.f[n] > b.f[n] ? a.f[n] : b.f[n]); }
PUNA_INLINE V min(V a, V b) { PUNA_EACH(a.f[n] < b.f[n] ? a.f[n] : b.f[n]); }
PUNA_INLINE V abs(V a) { PUNA_EACH(__builtin_fabsf(a.f[n])); }

PUNA_INLINE uint32_t bits(float x) {
  uint32_t u;
  __builtin_memcpy(&u, &x, 4);
  return u;
}
PUNA_INLINE float from_bits(uint32_t u) {
  float x;
  __builtin_memcpy(&x, &u, 4);
  return x;
}
// a * 2^k where t = 1.5 * 2^23 + k: the exponent field is added to.
PUNA_INLINE V scale_by_power(V a, V t) { PUNA_EACH(from_bits(bits(a.f[n]) + (bits(t.f[n]) << 23))); }

PUNA_INLINE float sum(V a) {
  for (int width = 8; width > 0; width /= 2)
    for (int n = 0; n < width; ++n) a.f[n] = a.f[n] + a.f[n + width];
  return a.f[0];
}
PUNA_INLINE float max_all(V a) {
  for (int width = 8; width > 0; width /= 2)
    for (int n = 0; n < width; ++n) a.f[n] = a.f[n] > a.f[n + width] ? a.f[n] : a.f[n + width];
  return a.f[0];
}

// f16 is widened exactly (denormals too): the exponent is rebiased by a multiplication, which the hardware does
// exactly.
PUNA_INLINE float from_f16(uint16_t h) {
  const uint32_t magnitude = uint32_t(h & 0x7FFFu) << 13, sign = uint32_t(h & 0x8000u) << 16;
  if (magnitude >= 0x0F800000u)
    return from_bits(sign | (magnitude + 0x70000000u) | (magnitude > 0x0F800000u ? 0x00400000u : 0u));
  return from_bits(sign | bits(from_bits(magnitude) * 0x1p112f));
}
PUNA_INLINE uint16_t to_f16(float x) {  // round to nearest even; overflow is infinity
  const uint32_t sign = (bits(x) >> 16) & 0x8000u;
  const uint32_t u = bits(x) & 0x7FFFFFFFu;
  if (u > 0x7F800000u) return uint16_t(sign | 0x7E00u | ((u >> 13) & 0x3FFu));
  if (u >= 0x477FF000u) return uint16_t(sign | 0x7C00u);
  if (u < 0x38800000u)  // below 2^-14: adding 0.5 * 2^-23 * 2^... puts the rounding at the denormal's last bit
    return uint16_t(sign | (bits(from_bits(u) + 0.5f) - bits(0.5f)));
  return uint16_t(sign | ((u + 0x0FFFu + ((u >> 13) & 1u) - 0x38000000u) >> 13));
}
PUNA_INLINE V load_f16(const uint16_t* p) { PUNA_EACH(from_f16(p[n])); }
PUNA_INLINE V load_bf16(const uint16_t* p) { PUNA_EACH(from_bits(uint32_t(p[n]) << 16)); }
PUNA_INLINE V load_f16_n(const uint16_t* p, int64_t count) { PUNA_EACH(n < count ? from_f16(p[n]) : 0.0f); }
PUNA_INLINE void store_f16_n(uint16_t* p, V a, int64_t count) {
  for (int n = 0; n < 16 && n < count; ++n) p[n] = to_f16(a.f[n]);
}
#undef PUNA_EACH

#define PUNA_EACH(expr)                         \
  VI r;                                         \
  for (int n = 0; n < 16; ++n) r.i[n] = (expr); \
  return r
PUNA_INLINE VI isplat(int32_t x) { PUNA_EACH(x); }
PUNA_INLINE VI iload(const int32_t* p) { PUNA_EACH(p[n]); }
PUNA_INLINE VI isub(VI a, VI b) { PUNA_EACH(a.i[n] - b.i[n]); }
PUNA_INLINE VI iload_u8(const uint8_t* p) { PUNA_EACH(p[n]); }
PUNA_INLINE VI iload_i8(const uint8_t* p) { PUNA_EACH(int8_t(p[n])); }
PUNA_INLINE VI iload_u16(const uint8_t* p) { PUNA_EACH(p[2 * n] | p[2 * n + 1] << 8); }
PUNA_INLINE VI iand(VI a, int32_t mask) { PUNA_EACH(a.i[n] & mask); }
PUNA_INLINE VI ior(VI a, VI b) { PUNA_EACH(a.i[n] | b.i[n]); }
PUNA_INLINE VI ixor(VI a, VI b) { PUNA_EACH(a.i[n] ^ b.i[n]); }
PUNA_INLINE VI ishr(VI a, int count) { PUNA_EACH(int32_t(uint32_t(a.i[n]) >> count)); }
PUNA_INLINE VI ishl(VI a, int count) { PUNA_EACH(int32_t(uint32_t(a.i[n]) << count)); }
// Both halves of 16 bits times factor, modulo 2^16.
PUNA_INLINE VI imul_halves(VI a, int32_t factor) {
  PUNA_EACH(
      int32_t((uint32_t(a.i[n]) * uint32_t(factor) & 0xFFFFu) | (uint32_t(a.i[n]) >> 16) * uint32_t(factor) << 16));
}
// acc[r] + sum_j w[4r+j] * x[j], exact; w unsigned, at most `most`; x (four bytes in an int) in -127..127. Quants of
// eight bits (most = 255) count less by 128 - kByteOffset each.
template <int most>
PUNA_INLINE VI dot4(VI acc, VB w, int32_t x4) {
  int8_t x[4];
  __builtin_memcpy(x, &x4, 4);
  PUNA_EACH(acc.i[n] + w.b[4 * n] * x[0] + w.b[4 * n + 1] * x[1] + w.b[4 * n + 2] * x[2] + w.b[4 * n + 3] * x[3]);
}
#undef PUNA_EACH

#define PUNA_EACH(expr)                                \
  VB r;                                                \
  for (int n = 0; n < 64; ++n) r.b[n] = uint8_t(expr); \
  return r
PUNA_INLINE VB bload(const uint8_t* p) { PUNA_EACH(p[n]); }
PUNA_INLINE void bstore(uint8_t* p, VB a) { __builtin_memcpy(p, a.b, 64); }
PUNA_INLINE VB bor(VB a, VB b) { PUNA_EACH(a.b[n] | b.b[n]); }
PUNA_INLINE VB bxor(VB a, uint8_t mask) { PUNA_EACH(a.b[n] ^ mask); }
PUNA_INLINE VB bshr(VB a, int count, uint8_t mask) {
  PUNA_EACH((a.b[n] >> count) & mask);
}  // mask clears what a wider shift drags in
// Every byte's bits moved right by count (left by -count, |count| < 8); which bits come in from outside is not said:
// mask them.
PUNA_INLINE VB bmove(VB a, int count) { PUNA_EACH(uint8_t(count < 0 ? a.b[n] << -count : a.b[n] >> count)); }
PUNA_INLINE VB blookup(VB index, const uint8_t* table) { PUNA_EACH(table[index.b[n]]); }  // index below 16
PUNA_INLINE VB as_bytes(VI a) {
  VB r;
  __builtin_memcpy(r.b, a.i, 64);
  return r;
}
PUNA_INLINE VI as_ints(VB a) {
  VI r;
  __builtin_memcpy(r.i, a.b, 64);
  return r;
}
#undef PUNA_EACH
// table[index] a lane.
PUNA_INLINE VB gather(const uint32_t* table, VI index) {
  VB r;
  for (int n = 0; n < 16; ++n) __builtin_memcpy(r.b + 4 * n, table + index.i[n], 4);
  return r;
}
// Byte b of a lane becomes twice - byte where bit shift + b of the lane's word is set.
PUNA_INLINE VB mirror(VB a, VI bits, int shift, uint8_t twice) {
  for (int n = 0; n < 64; ++n)
    if (uint32_t(bits.i[n / 4]) >> (shift + n % 4) & 1) a.b[n] = uint8_t(twice - a.b[n]);
  return a;
}
// acc[r] + sum_j x[4r+j] * y[4r+j], exact up to the order of lanes (isum's is the same); signed bytes in -127..127.
PUNA_INLINE VI dot4_signed(VI acc, VB x, VB y) {
  for (int n = 0; n < 64; ++n) acc.i[n / 4] += int8_t(x.b[n]) * int8_t(y.b[n]);
  return acc;
}
PUNA_INLINE int32_t isum(VI a) {
  int32_t s = 0;
  for (int n = 0; n < 16; ++n) s += a.i[n];
  return s;
}
PUNA_INLINE V to_float(VI a) {
  V r;
  for (int n = 0; n < 16; ++n) r.f[n] = float(a.i[n]);
  return r;
}
PUNA_INLINE V as_floats(VI a) {
  V r;
  __builtin_memcpy(r.f, a.i, 64);
  return r;
}
// Rounds to nearest even; |a| <= 127 for finite input, low byte of whatever comes out otherwise.
PUNA_INLINE void store_i8(int8_t* p, V a) {
  for (int n = 0; n < 16; ++n) p[n] = int8_t(uint8_t(bits(a.f[n] + 12582912.0f)));
}
PUNA_INLINE int32_t isum16(const int8_t* p) {
  int32_t s = 0;
  for (int n = 0; n < 16; ++n) s += p[n];
  return s;
}

// to[c][r] = from[r][c] of 16 x 16 values that lie in one piece.
PUNA_INLINE void transpose16(float* to, int64_t to_row, const float* from) {
  for (int c = 0; c < 16; ++c)
    for (int r = 0; r < 16; ++r) to[c * to_row + r] = from[r * 16 + c];
}

}  // namespace puna::PUNA_ISA
