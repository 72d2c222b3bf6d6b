// simd_neon.h -- the sixteen virtual lanes as four float32x4_t (ARMv8.2-A with dotprod). Same bits as simd_scalar.h,
// lane for lane: comparisons are written out because vmaxq propagates NaN where x86 does not.
#pragma once
#include <arm_neon.h>
#include <stdint.h>

#define PUNA_INLINE static inline __attribute__((always_inline))

namespace puna::PUNA_ISA {

struct V {
  float32x4_t q[4];
};
struct VI {
  int32x4_t q[4];
};
struct VB {
  uint8x16_t q[4];
};  // 64 bytes, four a lane

constexpr int kRegisterRows = 3, kRegisterPanels = 1;
constexpr int kRowsAtOnce = 2, kFewRows = 6;  // see gemm.inl.h
constexpr bool kPairSums = false;
constexpr int kByteOffset = 0;  // see simd_scalar.h

#define PUNA_EACH(type, expr)                  \
  type r;                                      \
  for (int n = 0; n < 4; ++n) r.q[n] = (expr); \
  return r
PUNA_INLINE V splat(float x) { PUNA_EACH(V, vdupq_n_f32(x)); }
PUNA_INLINE V load(const float* p) { PUNA_EACH(V, vld1q_f32(p + 4 * n)); }
PUNA_INLINE V load_n(const float* p, int64_t count) {
  if (count >= 16) return load(p);
  float t[16] = {};
  for (int64_t i = 0; i < count; ++i) t[i] = p[i];
  return load(t);
}
PUNA_INLINE void store(float* p, V a) {
  for (int n = 0; n < 4; ++n) vst1q_f32(p + 4 * n, a.q[n]);
}
PUNA_INLINE void store_n(float* p, V a, int64_t count) {
  float t[16];
  store(t, a);
  for (int64_t i = 0; i < count && i < 16; ++i) p[i] = t[i];
}
PUNA_INLINE V add(V a, V b) { PUNA_EACH(V, vaddq_f32(a.q[n], b.q[n])); }
PUNA_INLINE V sub(V a, V b) { PUNA_EACH(V, vsubq_f32(a.q[n], b.q[n])); }
PUNA_INLINE V mul(V a, V b) { PUNA_EACH(V, vmulq_f32(a.q[n], b.q[n])); }
PUNA_INLINE V div(V a, V b) { PUNA_EACH(V, vdivq_f32(a.q[n], b.q[n])); }
PUNA_INLINE V fma(V a, V b, V c) { PUNA_EACH(V, vfmaq_f32(c.q[n], a.q[n], b.q[n])); }
PUNA_INLINE float32x4_t max4(float32x4_t a, float32x4_t b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
PUNA_INLINE float32x4_t min4(float32x4_t a, float32x4_t b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
PUNA_INLINE V max(V a, V b) { PUNA_EACH(V, max4(a.q[n], b.q[n])); }
PUNA_INLINE V min(V a, V b) { PUNA_EACH(V, min4(a.q[n], b.q[n])); }
PUNA_INLINE V abs(V a) { PUNA_EACH(V, vabsq_f32(a.q[n])); }
PUNA_INLINE V scale_by_power(V a, V t) {
  PUNA_EACH(V, vreinterpretq_f32_s32(
                   vaddq_s32(vreinterpretq_s32_f32(a.q[n]), vshlq_n_s32(vreinterpretq_s32_f32(t.q[n]), 23))));
}

PUNA_INLINE float sum(V a) {
  const float32x4_t s4 = vaddq_f32(vaddq_f32(a.q[0], a.q[2]), vaddq_f32(a.q[1], a.q[3]));
  const float32x2_t s2 = vadd_f32(vget_low_f32(s4), vget_high_f32(s4));
  return vget_lane_f32(s2, 0) + vget_lane_f32(s2, 1);
}
PUNA_INLINE float max_all(V a) {
  const float32x4_t s4 = max4(max4(a.q[0], a.q[2]), max4(a.q[1], a.q[3]));
  float t[4];
  vst1q_f32(t, s4);
  const float x = t[0] > t[2] ? t[0] : t[2], y = t[1] > t[3] ? t[1] : t[3];
  return x > y ? x : y;
}

PUNA_INLINE float from_f16(uint16_t h) {
  __fp16 x;
  __builtin_memcpy(&x, &h, 2);
  return float(x);
}
PUNA_INLINE V load_f16(const uint16_t* p) { PUNA_EACH(V, vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 4 * n)))); }
PUNA_INLINE V load_bf16(const uint16_t* p) {
  PUNA_EACH(V, vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p + 4 * n), 16)));
}
PUNA_INLINE V load_f16_n(const uint16_t* p, int64_t count) {
  if (count >= 16) return load_f16(p);
  uint16_t t[16] = {};
  for (int64_t i = 0; i < count; ++i) t[i] = p[i];
  return load_f16(t);
}
PUNA_INLINE void store_f16_n(uint16_t* p, V a, int64_t count) {
  uint16_t t[16];
  for (int n = 0; n < 4; ++n) vst1_u16(t + 4 * n, vreinterpret_u16_f16(vcvt_f16_f32(a.q[n])));
  for (int64_t i = 0; i < count && i < 16; ++i) p[i] = t[i];
}

PUNA_INLINE VI isplat(int32_t x) { PUNA_EACH(VI, vdupq_n_s32(x)); }
PUNA_INLINE VI iload(const int32_t* p) { PUNA_EACH(VI, vld1q_s32(p + 4 * n)); }
PUNA_INLINE VI isub(VI a, VI b) { PUNA_EACH(VI, vsubq_s32(a.q[n], b.q[n])); }
PUNA_INLINE VI iload_u8(const uint8_t* p) {
  const uint8x16_t b = vld1q_u8(p);
  const uint16x8_t low = vmovl_u8(vget_low_u8(b)), high = vmovl_u8(vget_high_u8(b));
  return {{vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(low))), vreinterpretq_s32_u32(vmovl_u16(vget_high_u16(low))),
           vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(high))),
           vreinterpretq_s32_u32(vmovl_u16(vget_high_u16(high)))}};
}
PUNA_INLINE VI iload_i8(const uint8_t* p) {
  const int8x16_t b = vreinterpretq_s8_u8(vld1q_u8(p));
  const int16x8_t low = vmovl_s8(vget_low_s8(b)), high = vmovl_s8(vget_high_s8(b));
  return {{vmovl_s16(vget_low_s16(low)), vmovl_s16(vget_high_s16(low)), vmovl_s16(vget_low_s16(high)),
           vmovl_s16(vget_high_s16(high))}};
}
PUNA_INLINE VI iload_u16(const uint8_t* p) {
  PUNA_EACH(VI, vreinterpretq_s32_u32(vmovl_u16(vreinterpret_u16_u8(vld1_u8(p + 8 * n)))));
}
PUNA_INLINE VI iand(VI a, int32_t mask) { PUNA_EACH(VI, vandq_s32(a.q[n], vdupq_n_s32(mask))); }
PUNA_INLINE VI ior(VI a, VI b) { PUNA_EACH(VI, vorrq_s32(a.q[n], b.q[n])); }
PUNA_INLINE VI ixor(VI a, VI b) { PUNA_EACH(VI, veorq_s32(a.q[n], b.q[n])); }
PUNA_INLINE VI imul_halves(VI a, int32_t factor) {
  PUNA_EACH(VI, vreinterpretq_s32_u16(vmulq_u16(vreinterpretq_u16_s32(a.q[n]), vdupq_n_u16(uint16_t(factor)))));
}
PUNA_INLINE VI ishr(VI a, int count) {
  PUNA_EACH(VI, vreinterpretq_s32_u32(vshlq_u32(vreinterpretq_u32_s32(a.q[n]), vdupq_n_s32(-count))));
}
PUNA_INLINE VI ishl(VI a, int count) { PUNA_EACH(VI, vshlq_s32(a.q[n], vdupq_n_s32(count))); }

PUNA_INLINE VB bload(const uint8_t* p) { PUNA_EACH(VB, vld1q_u8(p + 16 * n)); }
PUNA_INLINE void bstore(uint8_t* p, VB a) {
  for (int n = 0; n < 4; ++n) vst1q_u8(p + 16 * n, a.q[n]);
}
PUNA_INLINE VB bor(VB a, VB b) { PUNA_EACH(VB, vorrq_u8(a.q[n], b.q[n])); }
PUNA_INLINE VB bxor(VB a, uint8_t mask) { PUNA_EACH(VB, veorq_u8(a.q[n], vdupq_n_u8(mask))); }
PUNA_INLINE VB bshr(VB a, int count, uint8_t mask) {
  PUNA_EACH(VB, vandq_u8(vshlq_u8(a.q[n], vdupq_n_s8(int8_t(-count))), vdupq_n_u8(mask)));
}
PUNA_INLINE VB bmove(VB a, int count) { PUNA_EACH(VB, vshlq_u8(a.q[n], vdupq_n_s8(int8_t(-count)))); }
PUNA_INLINE VB blookup(VB index, const uint8_t* table) { PUNA_EACH(VB, vqtbl1q_u8(vld1q_u8(table), index.q[n])); }
PUNA_INLINE VB as_bytes(VI a) { PUNA_EACH(VB, vreinterpretq_u8_s32(a.q[n])); }
PUNA_INLINE VI as_ints(VB a) { PUNA_EACH(VI, vreinterpretq_s32_u8(a.q[n])); }
PUNA_INLINE V as_floats(VI a) { PUNA_EACH(V, vreinterpretq_f32_s32(a.q[n])); }
PUNA_INLINE VB gather(const uint32_t* table, VI index) {
  uint32_t at[16], words[16];
  for (int n = 0; n < 4; ++n) vst1q_u32(at + 4 * n, vreinterpretq_u32_s32(index.q[n]));
  for (int n = 0; n < 16; ++n) words[n] = table[at[n]];
  PUNA_EACH(VB, vreinterpretq_u8_u32(vld1q_u32(words + 4 * n)));
}
PUNA_INLINE VB mirror(VB a, VI bits, int shift, uint8_t twice) {
  alignas(16) static const uint8_t kFirst[16] = {0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12};
  const uint8x16_t first = vld1q_u8(kFirst), own = vreinterpretq_u8_u32(vdupq_n_u32(0x08040201));
  const VB b = as_bytes(ishr(bits, shift));
  PUNA_EACH(VB, vbslq_u8(vtstq_u8(vqtbl1q_u8(b.q[n], first), own), vsubq_u8(vdupq_n_u8(twice), a.q[n]), a.q[n]));
}

// sdot is signed x signed: where w has eight bits, w - 128 is dotted.
template <int most>
PUNA_INLINE VI dot4(VI acc, VB w, int32_t x4) {
  const int8x16_t x = vreinterpretq_s8_s32(vdupq_n_s32(x4));
  const uint8x16_t sign = vdupq_n_u8(most < 128 ? 0 : 0x80);
  PUNA_EACH(VI, vdotq_s32(acc.q[n], vreinterpretq_s8_u8(veorq_u8(w.q[n], sign)), x));
}
PUNA_INLINE VI dot4_signed(VI acc, VB x, VB y) {
  PUNA_EACH(VI, vdotq_s32(acc.q[n], vreinterpretq_s8_u8(x.q[n]), vreinterpretq_s8_u8(y.q[n])));
}
PUNA_INLINE int32_t isum(VI a) { return vaddvq_s32(vaddq_s32(vaddq_s32(a.q[0], a.q[1]), vaddq_s32(a.q[2], a.q[3]))); }
PUNA_INLINE V to_float(VI a) { PUNA_EACH(V, vcvtq_f32_s32(a.q[n])); }
PUNA_INLINE void store_i8(int8_t* p, V a) {
  for (int n = 0; n < 4; ++n) {
    int32_t t[4];
    vst1q_s32(t, vreinterpretq_s32_f32(vaddq_f32(a.q[n], vdupq_n_f32(12582912.0f))));
    for (int i = 0; i < 4; ++i) p[4 * n + i] = int8_t(uint8_t(t[i]));
  }
}
PUNA_INLINE int32_t isum16(const int8_t* p) { return vaddlvq_s8(vld1q_s8(p)); }
#undef PUNA_EACH

// to[c][r] = from[r][c] of 16 x 16 values that lie in one piece.
PUNA_INLINE void transpose16(float* to, int64_t to_row, const float* from) {
  for (int c = 0; c < 16; ++c)
    for (int r = 0; r < 16; ++r) to[c * to_row + r] = from[r * 16 + c];
}

}  // namespace puna::PUNA_ISA
