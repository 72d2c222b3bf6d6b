// groups.inl.h -- what every block format is decoded to: 32 columns of 16 rows as vectors of unsigned quants and f32
// scales, a lane a row. Compiled once per ISA.
//   weight[k] = d * (q[k] - offset) + dm,   one d and dm a group of 32, or one for each 16 (`halves`)
namespace puna::PUNA_ISA {

#define PUNA_MEMBER inline __attribute__((always_inline))

struct Group {
  VB q[8];        // q[i]: columns 4i .. 4i+3
  V d[2], dm[2];  // [1] only where the format has halves
};

// Formats with the same first four share their products: `most` may be more than a format's largest quant.
struct FormatTraits {
  int32_t offset, most;  // no quant is larger
  bool halves, minimum;
  int16_t block, bytes;  // values and bytes of a file block
};

constexpr FormatTraits traits(DType t) {
  switch (t) {
    case DType::q4_0: return {8, 15, false, false, 32, 18};
    case DType::q4_1: return {0, 15, false, true, 32, 20};
    case DType::q5_0: return {16, 31, false, false, 32, 22};
    case DType::q5_1: return {0, 31, false, true, 32, 24};
    case DType::q8_0: return {128, 255, false, false, 32, 34};
    case DType::q2_k: return {0, 3, true, true, 256, 84};
    case DType::q3_k: return {4, 7, true, false, 256, 110};
    case DType::q4_k: return {0, 15, false, true, 256, 144};
    case DType::q5_k: return {0, 31, false, true, 256, 176};
    case DType::q6_k: return {32, 63, true, false, 256, 210};
    case DType::iq4_nl: return {128, 255, false, false, 32, 18};
    case DType::iq4_xs: return {128, 255, false, false, 256, 136};
    case DType::mxfp4: return {12, 24, false, false, 32, 17};
    case DType::iq2_xxs: return {64, 126, false, false, 256, 66};
    case DType::iq2_xs: return {64, 126, true, false, 256, 74};
    case DType::iq2_s: return {64, 126, true, false, 256, 82};
    case DType::iq3_xxs: return {64, 126, false, false, 256, 98};
    case DType::iq3_s: return {16, 31, false, false, 256, 110};
    case DType::iq1_s: return {16, 31, false, false, 256, 50};
    case DType::iq1_m: return {32, 63, true, false, 256, 56};
    case DType::tq1_0: return {8, 15, false, false, 256, 54};
    case DType::tq2_0: return {8, 15, false, false, 256, 66};
    case DType::u4_scaled: return {16, 31, false, false, 32, 21};
    case DType::e4m3_scaled: return {0, 0, false, false, 32, 36};
    default: return {0, 0, false, false, 1, 0};
  }
}

PUNA_INLINE V f16_lanes(const uint8_t* p) { return load_f16(reinterpret_cast<const uint16_t*>(p)); }
PUNA_INLINE V negate(V x) { return mul(x, splat(-1.0f)); }

// 16 bytes of nibbles a row: low ones are columns 0-15, high ones 16-31.
PUNA_INLINE void nibbles(VB* q, const uint8_t* p) {
  for (int i = 0; i < 4; ++i) {
    const VB b = bload(p + 64 * i);
    q[i] = bshr(b, 0, 0x0F);
    q[4 + i] = bshr(b, 4, 0x0F);
  }
}
// 32 bytes a row whose bits [shift, shift + width) are the quants; width by the mask.
PUNA_INLINE void fields(VB* q, const uint8_t* p, int shift, uint8_t mask) {
  for (int i = 0; i < 8; ++i) q[i] = bshr(bload(p + 64 * i), shift, mask);
}

}  // namespace puna::PUNA_ISA
