// simd_avx2.h -- the sixteen virtual lanes as two __m256 (AVX2 + FMA + F16C; with PUNA_VNNI also AVX-VNNI).
// Same bits as simd_scalar.h, lane for lane.
#pragma once
#include <immintrin.h>
#include <stdint.h>

#define PUNA_INLINE static inline __attribute__((always_inline))

namespace puna::PUNA_ISA {

struct V {
  __m256 a, b;
};  // lanes 0-7, 8-15
struct VI {
  __m256i a, b;
};
struct VB {
  __m256i a, b;
};  // 64 bytes, four a lane

constexpr int kRegisterRows = 3, kRegisterPanels = 1;
constexpr int kRowsAtOnce = 2, kFewRows = 6;      // see gemm.inl.h
constexpr bool kPairSums = !PUNA_VNNI;            // maddubs sums pairs to 16 bits
constexpr int kByteOffset = PUNA_VNNI ? 128 : 0;  // see simd_scalar.h

PUNA_INLINE __m256i lane_mask(int64_t count) {  // all ones in lanes below count
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(int32_t(count)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
PUNA_INLINE V splat(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
PUNA_INLINE V load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
PUNA_INLINE V load_n(const float* p, int64_t n) {
  return {_mm256_maskload_ps(p, lane_mask(n)), _mm256_maskload_ps(p + 8, lane_mask(n - 8))};
}
PUNA_INLINE void store(float* p, V v) {
  _mm256_storeu_ps(p, v.a);
  _mm256_storeu_ps(p + 8, v.b);
}
PUNA_INLINE void store_n(float* p, V v, int64_t n) {
  _mm256_maskstore_ps(p, lane_mask(n), v.a);
  _mm256_maskstore_ps(p + 8, lane_mask(n - 8), v.b);
}
PUNA_INLINE V add(V x, V y) { return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)}; }
PUNA_INLINE V sub(V x, V y) { return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)}; }
PUNA_INLINE V mul(V x, V y) { return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)}; }
PUNA_INLINE V div(V x, V y) { return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)}; }
PUNA_INLINE V fma(V x, V y, V z) { return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)}; }
PUNA_INLINE V max(V x, V y) { return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)}; }
PUNA_INLINE V min(V x, V y) { return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)}; }
PUNA_INLINE V abs(V x) {
  const __m256 mask = _mm256_castsi256_ps(_mm256_set1_epi32(0x7FFFFFFF));
  return {_mm256_and_ps(x.a, mask), _mm256_and_ps(x.b, mask)};
}
PUNA_INLINE __m256 add_exponent(__m256 a, __m256 t) {
  return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), _mm256_slli_epi32(_mm256_castps_si256(t), 23)));
}
PUNA_INLINE V scale_by_power(V x, V t) { return {add_exponent(x.a, t.a), add_exponent(x.b, t.b)}; }

PUNA_INLINE float sum(V x) {
  const __m256 s8 = _mm256_add_ps(x.a, x.b);
  const __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
  const __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
  return _mm_cvtss_f32(_mm_add_ss(s2, _mm_movehdup_ps(s2)));
}
PUNA_INLINE float max_all(V x) {
  const __m256 s8 = _mm256_max_ps(x.a, x.b);
  const __m128 s4 = _mm_max_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
  const __m128 s2 = _mm_max_ps(s4, _mm_movehl_ps(s4, s4));
  return _mm_cvtss_f32(_mm_max_ss(s2, _mm_movehdup_ps(s2)));
}

PUNA_INLINE float from_f16(uint16_t h) { return _cvtsh_ss(h); }
PUNA_INLINE uint16_t to_f16(float x) { return uint16_t(_cvtss_sh(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)); }
PUNA_INLINE V load_f16(const uint16_t* p) {
  return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))),
          _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 8)))};
}
PUNA_INLINE V load_bf16(const uint16_t* p) {
  const auto widen = [](const uint16_t* q) {
    return _mm256_castsi256_ps(
        _mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(q))), 16));
  };
  return {widen(p), widen(p + 8)};
}
PUNA_INLINE V load_f16_n(const uint16_t* p, int64_t n) {
  if (n >= 16) return load_f16(p);
  alignas(32) uint16_t t[16] = {};
  for (int64_t i = 0; i < n; ++i) t[i] = p[i];
  return load_f16(t);
}
PUNA_INLINE void store_f16_n(uint16_t* p, V v, int64_t n) {
  alignas(32) uint16_t t[16];
  constexpr int mode = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  _mm_store_si128(reinterpret_cast<__m128i*>(t), _mm256_cvtps_ph(v.a, mode));
  _mm_store_si128(reinterpret_cast<__m128i*>(t + 8), _mm256_cvtps_ph(v.b, mode));
  __builtin_memcpy(p, t, size_t(n < 16 ? n : 16) * 2);
}

PUNA_INLINE VI isplat(int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
PUNA_INLINE VI iload(const int32_t* p) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 8))};
}
PUNA_INLINE VI isub(VI x, VI y) { return {_mm256_sub_epi32(x.a, y.a), _mm256_sub_epi32(x.b, y.b)}; }
PUNA_INLINE __m128i load16(const uint8_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
PUNA_INLINE __m128i load8(const uint8_t* p) { return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)); }
PUNA_INLINE VI iload_u8(const uint8_t* p) {
  return {_mm256_cvtepu8_epi32(load8(p)), _mm256_cvtepu8_epi32(load8(p + 8))};
}
PUNA_INLINE VI iload_i8(const uint8_t* p) {
  return {_mm256_cvtepi8_epi32(load8(p)), _mm256_cvtepi8_epi32(load8(p + 8))};
}
PUNA_INLINE VI iload_u16(const uint8_t* p) {
  return {_mm256_cvtepu16_epi32(load16(p)), _mm256_cvtepu16_epi32(load16(p + 16))};
}
PUNA_INLINE VI iand(VI x, int32_t mask) {
  const __m256i m = _mm256_set1_epi32(mask);
  return {_mm256_and_si256(x.a, m), _mm256_and_si256(x.b, m)};
}
PUNA_INLINE VI ior(VI x, VI y) { return {_mm256_or_si256(x.a, y.a), _mm256_or_si256(x.b, y.b)}; }
PUNA_INLINE VI ixor(VI x, VI y) { return {_mm256_xor_si256(x.a, y.a), _mm256_xor_si256(x.b, y.b)}; }
PUNA_INLINE VI imul_halves(VI x, int32_t factor) {
  const __m256i f = _mm256_set1_epi16(int16_t(factor));
  return {_mm256_mullo_epi16(x.a, f), _mm256_mullo_epi16(x.b, f)};
}
PUNA_INLINE VI ishr(VI x, int n) {
  const __m128i c = _mm_cvtsi32_si128(n);
  return {_mm256_srl_epi32(x.a, c), _mm256_srl_epi32(x.b, c)};
}
PUNA_INLINE VI ishl(VI x, int n) {
  const __m128i c = _mm_cvtsi32_si128(n);
  return {_mm256_sll_epi32(x.a, c), _mm256_sll_epi32(x.b, c)};
}

PUNA_INLINE VB bload(const uint8_t* p) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32))};
}
PUNA_INLINE void bstore(uint8_t* p, VB x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x.a);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 32), x.b);
}
PUNA_INLINE VB bor(VB x, VB y) { return {_mm256_or_si256(x.a, y.a), _mm256_or_si256(x.b, y.b)}; }
PUNA_INLINE VB bxor(VB x, uint8_t mask) {
  const __m256i m = _mm256_set1_epi8(char(mask));
  return {_mm256_xor_si256(x.a, m), _mm256_xor_si256(x.b, m)};
}
PUNA_INLINE VB bshr(VB x, int n, uint8_t mask) {
  const __m128i c = _mm_cvtsi32_si128(n);
  const __m256i m = _mm256_set1_epi8(char(mask));
  return {_mm256_and_si256(_mm256_srl_epi16(x.a, c), m), _mm256_and_si256(_mm256_srl_epi16(x.b, c), m)};
}
PUNA_INLINE VB bmove(VB x, int n) {  // one of the two counts shifts everything out
  const __m128i right = _mm_cvtsi32_si128(n < 0 ? 64 : n), left = _mm_cvtsi32_si128(n < 0 ? -n : 64);
  return {_mm256_or_si256(_mm256_srl_epi32(x.a, right), _mm256_sll_epi32(x.a, left)),
          _mm256_or_si256(_mm256_srl_epi32(x.b, right), _mm256_sll_epi32(x.b, left))};
}
PUNA_INLINE VB blookup(VB index, const uint8_t* table) {
  const __m256i t = _mm256_broadcastsi128_si256(load16(table));
  return {_mm256_shuffle_epi8(t, index.a), _mm256_shuffle_epi8(t, index.b)};
}
PUNA_INLINE VB as_bytes(VI x) { return {x.a, x.b}; }
PUNA_INLINE VI as_ints(VB x) { return {x.a, x.b}; }
PUNA_INLINE V as_floats(VI x) { return {_mm256_castsi256_ps(x.a), _mm256_castsi256_ps(x.b)}; }
PUNA_INLINE VB gather(const uint32_t* table, VI index) {
  const int* const t = reinterpret_cast<const int*>(table);
  return {_mm256_i32gather_epi32(t, index.a, 4), _mm256_i32gather_epi32(t, index.b, 4)};
}
PUNA_INLINE __m256i mirror_8(__m256i x, __m256i bits, uint8_t twice) {  // by the low four bits of a lane
  const __m256i first = _mm256_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12, 0, 0, 0, 0, 4, 4, 4, 4, 8,
                                         8, 8, 8, 12, 12, 12, 12);
  const __m256i own = _mm256_set1_epi32(0x08040201);
  const __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(_mm256_shuffle_epi8(bits, first), own), own);
  return _mm256_blendv_epi8(x, _mm256_sub_epi8(_mm256_set1_epi8(char(twice)), x), set);
}
PUNA_INLINE VB mirror(VB x, VI bits, int shift, uint8_t twice) {
  const VI b = ishr(bits, shift);
  return {mirror_8(x.a, b.a, twice), mirror_8(x.b, b.b, twice)};
}

// Signed by signed: |x| by y with x's sign; without VNNI pairs of 128 * 127 stay below 2^15.
PUNA_INLINE __m256i dot4_signed_8(__m256i acc, __m256i x, __m256i y) {
  const __m256i size = _mm256_abs_epi8(x), ys = _mm256_sign_epi8(y, x);
#if PUNA_VNNI
  return _mm256_dpbusd_avx_epi32(acc, size, ys);
#else
  return _mm256_add_epi32(acc, _mm256_madd_epi16(_mm256_maddubs_epi16(size, ys), _mm256_set1_epi16(1)));
#endif
}
PUNA_INLINE VI dot4_signed(VI acc, VB x, VB y) {
  return {dot4_signed_8(acc.a, x.a, y.a), dot4_signed_8(acc.b, x.b, y.b)};
}
// Without VNNI quants of eight bits are dotted as signed bytes: two products and two other operations for 32 of them,
// where taking the top bit apart, so that nothing saturates, costs four and two. Smaller quants go through dot2.
template <int most>
PUNA_INLINE VI dot4(VI acc, VB w, int32_t x4) {
  const __m256i x = _mm256_set1_epi32(x4);
#if PUNA_VNNI
  return {_mm256_dpbusd_avx_epi32(acc.a, w.a, x), _mm256_dpbusd_avx_epi32(acc.b, w.b, x)};
#else
  static_assert(most == 255);
  return dot4_signed(acc, bxor(w, 0x80), {x, x});
#endif
}
PUNA_INLINE int32_t isum(VI x) {
  const __m256i eight = _mm256_add_epi32(x.a, x.b);
  __m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
  four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4E));
  return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 0xB1)));
}
// Sums of pairs in 16 bits, while they fit; then pairs of those.
PUNA_INLINE VB dot2(VB w, int32_t x4) {
  const __m256i x = _mm256_set1_epi32(x4);
  return {_mm256_maddubs_epi16(w.a, x), _mm256_maddubs_epi16(w.b, x)};
}
PUNA_INLINE VB add_dot2(VB pairs, VB w, int32_t x4) {
  const VB more = dot2(w, x4);
  return {_mm256_add_epi16(pairs.a, more.a), _mm256_add_epi16(pairs.b, more.b)};
}
PUNA_INLINE VI add_pairs(VI acc, VB pairs) {
  const __m256i ones = _mm256_set1_epi16(1);
  return {_mm256_add_epi32(acc.a, _mm256_madd_epi16(pairs.a, ones)),
          _mm256_add_epi32(acc.b, _mm256_madd_epi16(pairs.b, ones))};
}
PUNA_INLINE V to_float(VI x) { return {_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)}; }
PUNA_INLINE void store_i8(int8_t* p, V v) {
  const V t = add(v, splat(12582912.0f));  // the low byte of the sum is the rounded integer
  const __m256i mask = _mm256_set1_epi32(0xFF);
  const __m256i a = _mm256_and_si256(_mm256_castps_si256(t.a), mask),
                b = _mm256_and_si256(_mm256_castps_si256(t.b), mask);
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packus_epi32(a, b), 0xD8);
  const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
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
