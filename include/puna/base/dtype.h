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
};
inline constexpr int kDTypeCount = int(DType::mxfp4) + 1;

struct DTypeInfo {
  const char* name;  // "F32", "Q4_K", ... as GGUF tools print it
  uint16_t block;    // values a block
  uint16_t bytes;    // bytes a block
};

const DTypeInfo& info(DType dtype) noexcept;
inline const char* name(DType dtype) noexcept { return info(dtype).name; }
// True for the types a matrix product can read as weights: f32, f16, bf16 and the block formats.
constexpr bool is_weight(DType t) noexcept { return t <= DType::bf16 || t >= DType::q4_0; }
constexpr bool is_quantised(DType t) noexcept { return t >= DType::q4_0; }
// Bytes of `values` consecutive values; `values` must be a multiple of the block.
constexpr uint64_t bytes_of(const DTypeInfo& t, uint64_t values) noexcept { return values / t.block * t.bytes; }

}  // namespace puna
