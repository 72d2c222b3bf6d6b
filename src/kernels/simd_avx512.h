// simd_avx512.h -- the sixteen virtual lanes as one __m512 (AVX-512 F/BW/DQ/VL; with PUNA_VNNI also AVX512-VNNI).
// Same bits as simd_scalar.h, lane for lane.
#pragma once
#include <immintrin.h>
#include <stdint.h>

#define PUNA_INLINE static inline __attribute__((always_inline))

namespace puna::PUNA_ISA {

struct V {
  __m512 v;
};
struct VI {
  __m512i v;
};
struct VB {
  __m512i v;
};  // 64 bytes, four a lane

constexpr int kRegisterRows = 6, kRegisterPanels = 2;
// See gemm.inl.h. Blocks of 8 rows take a quarter of a minute to compile: only for what most CPUs with AVX-512 run.
constexpr int kRowsAtOnce = PUNA_VNNI ? 8 : 4, kFewRows = 16;
constexpr bool kPairSums = !PUNA_VNNI;            // see simd_avx2.h
constexpr int kByteOffset = PUNA_VNNI ? 128 : 0;  // see simd_scalar.h

PUNA_INLINE __mmask16 lane_mask(int64_t n) {
  return n >= 16 ? __mmask16(0xFFFF) : __mmask16((1u << (n < 0 ? 0 : n)) - 1u);
}
PUNA_INLINE V splat(float x) { return {_mm512_set1_ps(x)}; }
PUNA_INLINE V load(const float* p) { return {_mm512_loadu_ps(p)}; }
PUNA_INLINE V load_n(const float* p, int64_t n) { return {_mm512_maskz_loadu_ps(lane_mask(n), p)}; }
PUNA_INLINE void store(float* p, V x) { _mm512_storeu_ps(p, x.v); }
PUNA_INLINE void store_n(float* p, V x, int64_t n) { _mm512_mask_storeu_ps(p, lane_mask(n), x.v); }
PUNA_INLINE V add(V x, V y) { return {_mm512_add_ps(x.v, y.v)}; }
PUNA_INLINE V sub(V x, V y) { return {_mm512_sub_ps(x.v, y.v)}; }
PUNA_INLINE V mul(V x, V y) { return {_mm512_mul_ps(x.v, y.v)}; }
PUNA_INLINE V div(V x, V y) { return {_mm512_div_ps(x.v, y.v)}; }
PUNA_INLINE V fma(V x, V y, V z) { return {_mm512_fmadd_ps(x.v, y.v, z.v)}; }
PUNA_INLINE V max(V x, V y) { return {_mm512_max_ps(x.v, y.v)}; }
PUNA_INLINE V min(V x, V y) { return {_mm512_min_ps(x.v, y.v)}; }
PUNA_INLINE V abs(V x) { return {_mm512_abs_ps(x.v)}; }
PUNA_INLINE V scale_by_power(V x, V t) {
  return {
      _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(x.v), _mm512_slli_epi32(_mm512_castps_si512(t.v), 23)))};
}

PUNA_INLINE float sum(V x) {
  const __m256 s8 = _mm256_add_ps(_mm512_castps512_ps256(x.v), _mm512_extractf32x8_ps(x.v, 1));
  const __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
  const __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
  return _mm_cvtss_f32(_mm_add_ss(s2, _mm_movehdup_ps(s2)));
}
PUNA_INLINE float max_all(V x) {
  const __m256 s8 = _mm256_max_ps(_mm512_castps512_ps256(x.v), _mm512_extractf32x8_ps(x.v, 1));
  const __m128 s4 = _mm_max_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
  const __m128 s2 = _mm_max_ps(s4, _mm_movehl_ps(s4, s4));
  return _mm_cvtss_f32(_mm_max_ss(s2, _mm_movehdup_ps(s2)));
}

constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
PUNA_INLINE float from_f16(uint16_t h) { return _cvtsh_ss(h); }
PUNA_INLINE uint16_t to_f16(float x) { return uint16_t(_cvtss_sh(x, kNearest)); }
PUNA_INLINE V load_f16(const uint16_t* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
PUNA_INLINE V load_bf16(const uint16_t* p) {
  return {_mm512_castsi512_ps(
      _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))), 16))};
}
PUNA_INLINE V load_f16_n(const uint16_t* p, int64_t n) {
  return {_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(lane_mask(n), p))};
}
PUNA_INLINE void store_f16_n(uint16_t* p, V x, int64_t n) {
  _mm256_mask_storeu_epi16(p, lane_mask(n), _mm512_cvtps_ph(x.v, kNearest));
}

PUNA_INLINE VI isplat(int32_t x) { return {_mm512_set1_epi32(x)}; }
PUNA_INLINE VI iload(const int32_t* p) { return {_mm512_loadu_si512(p)}; }
PUNA_INLINE VI isub(VI x, VI y) { return {_mm512_sub_epi32(x.v, y.v)}; }
PUNA_INLINE __m128i load16(const uint8_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
PUNA_INLINE VI iload_u8(const uint8_t* p) { return {_mm512_cvtepu8_epi32(load16(p))}; }
PUNA_INLINE VI iload_i8(const uint8_t* p) { return {_mm512_cvtepi8_epi32(load16(p))}; }
PUNA_INLINE VI iload_u16(const uint8_t* p) {
  return {_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
PUNA_INLINE VI iand(VI x, int32_t mask) { return {_mm512_and_si512(x.v, _mm512_set1_epi32(mask))}; }
PUNA_INLINE VI ior(VI x, VI y) { return {_mm512_or_si512(x.v, y.v)}; }
PUNA_INLINE VI ixor(VI x, VI y) { return {_mm512_xor_si512(x.v, y.v)}; }
PUNA_INLINE VI imul_halves(VI x, int32_t factor) {
  return {_mm512_mullo_epi16(x.v, _mm512_set1_epi16(int16_t(factor)))};
}
PUNA_INLINE VI ishr(VI x, int n) { return {_mm512_srl_epi32(x.v, _mm_cvtsi32_si128(n))}; }
PUNA_INLINE VI ishl(VI x, int n) { return {_mm512_sll_epi32(x.v, _mm_cvtsi32_si128(n))}; }

PUNA_INLINE VB bload(const uint8_t* p) { return {_mm512_loadu_si512(p)}; }
PUNA_INLINE void bstore(uint8_t* p, VB x) { _mm512_storeu_si512(p, x.v); }
PUNA_INLINE VB bor(VB x, VB y) { return {_mm512_or_si512(x.v, y.v)}; }
PUNA_INLINE VB bxor(VB x, uint8_t mask) { return {_mm512_xor_si512(x.v, _mm512_set1_epi8(char(mask)))}; }
PUNA_INLINE VB bshr(VB x, int n, uint8_t mask) {
  return {_mm512_and_si512(_mm512_srl_epi16(x.v, _mm_cvtsi32_si128(n)), _mm512_set1_epi8(char(mask)))};
}
PUNA_INLINE VB bmove(VB x, int n) { return {_mm512_rorv_epi32(x.v, _mm512_set1_epi32(n & 31))}; }
PUNA_INLINE VB blookup(VB index, const uint8_t* table) {
  return {_mm512_shuffle_epi8(_mm512_broadcast_i32x4(load16(table)), index.v)};
}
PUNA_INLINE VB as_bytes(VI x) { return {x.v}; }
PUNA_INLINE VI as_ints(VB x) { return {x.v}; }
PUNA_INLINE V as_floats(VI x) { return {_mm512_castsi512_ps(x.v)}; }
PUNA_INLINE VB gather(const uint32_t* table, VI index) { return {_mm512_i32gather_epi32(index.v, table, 4)}; }
PUNA_INLINE VB mirror(VB x, VI bits, int shift, uint8_t twice) {
  const __m512i first = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12));
  const __mmask64 set =
      _mm512_test_epi8_mask(_mm512_shuffle_epi8(ishr(bits, shift).v, first), _mm512_set1_epi32(0x08040201));
  return {_mm512_mask_sub_epi8(x.v, set, _mm512_set1_epi8(char(twice)), x.v)};
}
// Signed by signed: |x| by y with x's sign; without VNNI pairs of 128 * 127 stay below 2^15.
PUNA_INLINE VI dot4_signed(VI acc, VB x, VB y) {
  const __m512i size = _mm512_abs_epi8(x.v),
                ys = _mm512_mask_sub_epi8(y.v, _mm512_movepi8_mask(x.v), _mm512_setzero_si512(), y.v);
#if PUNA_VNNI
  return {_mm512_dpbusd_epi32(acc.v, size, ys)};
#else
  return {_mm512_add_epi32(acc.v, _mm512_madd_epi16(_mm512_maddubs_epi16(size, ys), _mm512_set1_epi16(1)))};
#endif
}
template <int most>
PUNA_INLINE VI dot4(VI acc, VB w, int32_t x4) {
  const __m512i x = _mm512_set1_epi32(x4);
#if PUNA_VNNI
  return {_mm512_dpbusd_epi32(acc.v, w.v, x)};
#else
  static_assert(most == 255);  // see simd_avx2.h
  return dot4_signed(acc, bxor(w, 0x80), {x});
#endif
}
PUNA_INLINE int32_t isum(VI x) { return _mm512_reduce_add_epi32(x.v); }
PUNA_INLINE VB dot2(VB w, int32_t x4) { return {_mm512_maddubs_epi16(w.v, _mm512_set1_epi32(x4))}; }
PUNA_INLINE VB add_dot2(VB pairs, VB w, int32_t x4) { return {_mm512_add_epi16(pairs.v, dot2(w, x4).v)}; }
PUNA_INLINE VI add_pairs(VI acc, VB pairs) {
  return {_mm512_add_epi32(acc.v, _mm512_madd_epi16(pairs.v, _mm512_set1_epi16(1)))};
}
PUNA_INLINE V to_float(VI x) { return {_mm512_cvtepi32_ps(x.v)}; }
PUNA_INLINE void store_i8(int8_t* p, V x) {
  const __m512i t = _mm512_castps_si512(_mm512_add_ps(x.v, _mm512_set1_ps(12582912.0f)));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(t));
}
PUNA_INLINE int32_t isum16(const int8_t* p) {
  return _mm512_reduce_add_epi32(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}

// to[c][r] = from[r][c] of 16 x 16 values that lie in one piece: pairs, quadruples, then quarters of the vectors change
// places.
PUNA_INLINE void transpose16(float* to, int64_t to_row, const float* from) {
  __m512 a[16], b[16];
  for (int i = 0; i < 16; ++i) a[i] = _mm512_loadu_ps(from + i * 16);
  for (int i = 0; i < 16; i += 2) {
    b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
    b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
  }
  for (int i = 0; i < 16; i += 4)
    for (int j = 0; j < 2; ++j) {
      a[i + 2 * j] = _mm512_shuffle_ps(b[i + j], b[i + j + 2], 0x44);
      a[i + 2 * j + 1] = _mm512_shuffle_ps(b[i + j], b[i + j + 2], 0xEE);
    }
  for (int j = 0; j < 4; ++j) {  // a[4 i + j]: rows 4 i ... 4 i + 3 of columns j, 4 + j, 8 + j, 12 + j
    const __m512 low = _mm512_shuffle_f32x4(a[j], a[4 + j], 0x88), low_odd = _mm512_shuffle_f32x4(a[j], a[4 + j], 0xDD);
    const __m512 high = _mm512_shuffle_f32x4(a[8 + j], a[12 + j], 0x88),
                 high_odd = _mm512_shuffle_f32x4(a[8 + j], a[12 + j], 0xDD);
    _mm512_storeu_ps(to + j * to_row, _mm512_shuffle_f32x4(low, high, 0x88));
    _mm512_storeu_ps(to + (4 + j) * to_row, _mm512_shuffle_f32x4(low_odd, high_odd, 0x88));
    _mm512_storeu_ps(to + (8 + j) * to_row, _mm512_shuffle_f32x4(low, high, 0xDD));
    _mm512_storeu_ps(to + (12 + j) * to_row, _mm512_shuffle_f32x4(low_odd, high_odd, 0xDD));
  }
}

}  // namespace puna::PUNA_ISA
