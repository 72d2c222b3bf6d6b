// dtype.h -- element types and the block formats of quantised weights.
// A block holds `block` consecutive values of a row in `bytes` bytes, laid out as in GGUF files (byte for byte).
#pragma once
#include <stdint.h>

namespace puna {

enum class DType : uint8_t {
  f32,
  f16,
  bf16,
  i8,
  i16,
  i32,
  i64,
  u8,
  f64,
  boolean,  // carried by files (indices, masks), not computed with
  // 32 values: f16 scale (and f16 minimum for *_1), 4/5/8-bit values.
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q8_0,
  // 256 values with integer sub-scales.
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k,
  // 4-bit indices into a table of 16 values.
  iq4_nl,
  iq4_xs,
  // 32 values of E2M1 (sign, two bits of exponent, one of mantissa) with one power of two (OCP MX formats, gpt-oss).
  mxfp4,
  // 256 values: groups of eight or four from a table, with signs and small scales.
  iq2_xxs,
  iq2_xs,
  iq2_s,
  iq3_xxs,
  iq3_s,
  iq1_s,
  iq1_m,
  // 256 values of -1, 0, 1: five a byte, or four.
  tq1_0,
  tq2_0,
  // What matrices of Hugging Face folders become that have their scales beside them; no file has these.
  // 32 values: f32 scale, a zero point, 4-bit values (AWQ, GPTQ).
  u4_scaled,
  // 32 values: f32 scale, 8-bit floats (four bits of exponent, three of mantissa).
  e4m3_scaled,
  // 8-bit floats as safetensors files have them: carried, not computed with.
  f8_e4m3,
  f8_e5m2,
};
inline constexpr int kDTypeCount = int(DType::f8_e5m2) + 1;

struct DTypeInfo {
  const char* name;  // "F32", "Q4_K", ... as GGUF tools print it
  uint16_t block;    // values a block
  uint16_t bytes;    // bytes a block
};

const DTypeInfo& info(DType dtype) noexcept;
inline const char* name(DType dtype) noexcept { return info(dtype).name; }
// The block formats.
constexpr bool is_quantised(DType t) noexcept { return t >= DType::q4_0 && t < DType::f8_e4m3; }
// True for the types a matrix product can read as weights: f32, f16, bf16 and the block formats.
constexpr bool is_weight(DType t) noexcept { return t <= DType::bf16 || is_quantised(t); }
// Small integers times scales, which products take as they are; the others are multiplied in f32.
constexpr bool is_integer_block(DType t) noexcept { return is_quantised(t) && t != DType::e4m3_scaled; }
// Bytes of `values` consecutive values; `values` must be a multiple of the block.
constexpr uint64_t bytes_of(const DTypeInfo& t, uint64_t values) noexcept { return values / t.block * t.bytes; }

}  // namespace puna
