// encode_blocks.cpp -- plain scalar code: it runs once a conversion, not once a token, and must give one answer
// everywhere. A block is 32 values x of a row. With Q = 2^bits - 1 the largest code:
//   *_0: d = (x of largest |x|) / -2^(bits-1),  q = min(trunc(x/d + 2^(bits-1) + 1/2), Q);    x ~ d (q - 2^(bits-1))
//   *_1: d = (max - min) / Q, m = min,          q = min(trunc((x - m)/d + 1/2), Q);            x ~ d q + m
//   Q8_0: d = max |x| / 127,                    q = x/d, halves away from zero;                x ~ d q
// All in f32; x/d is x * (1/d), and product and sum are rounded separately.
// Layout: f16 d, [f16 m], [u32 fifth bits, value i in bit i], low 4 bits: byte i holds value i (low half) and value i +
// 16 (high half).
#include "kernels/encode_blocks.h"

#include <cmath>
#include <cstring>

#include "kernels/encode_searched.h"

#define PUNA_ISA encode_scalar  // our own copy of the scalar f16 conversion
#include "kernels/simd_scalar.h"

namespace puna {
namespace {

constexpr int kBlock = 32;

uint8_t* put(uint8_t* out, float x) {
  const uint16_t half = encode_scalar::to_f16(x);
  memcpy(out, &half, 2);
  return out + 2;
}

// 1/d, or 0 where there is none: for all-zero blocks, and where d is so small that 1/d overflows (its f16 is then 0 as
// well).
float inverse(float d) { return d == 0 || !std::isfinite(1 / d) ? 0 : 1 / d; }

// trunc(x) as a code from 0 to `largest`; NaN is 0.
uint8_t code(float x, int largest) { return !(x > 0) ? 0 : x >= float(largest) ? uint8_t(largest) : uint8_t(x); }

template <int kBits>
uint8_t* put_codes(uint8_t* out, const uint8_t (&q)[kBlock]) {
  if constexpr (kBits == 5) {
    uint32_t fifth = 0;
    for (int i = 0; i < kBlock; ++i) fifth |= uint32_t(q[i] >> 4) << i;
    memcpy(out, &fifth, 4);
    out += 4;
  }
  for (int i = 0; i < kBlock / 2; ++i) *out++ = uint8_t((q[i] & 15) | (q[i + kBlock / 2] & 15) << 4);
  return out;
}

template <int kBits>
uint8_t* encode_symmetric(uint8_t* out, const float* x) {
  constexpr float kMiddle = 1 << (kBits - 1);
  float largest = x[0];
  for (int i = 1; i < kBlock; ++i)
    if (std::fabs(x[i]) > std::fabs(largest)) largest = x[i];
  const float d = largest / -kMiddle, id = inverse(d);
  uint8_t q[kBlock];
  for (int i = 0; i < kBlock; ++i) q[i] = code(x[i] * id + (kMiddle + 0.5f), (1 << kBits) - 1);
  return put_codes<kBits>(put(out, d), q);
}

template <int kBits>
uint8_t* encode_asymmetric(uint8_t* out, const float* x) {
  float low = x[0], high = x[0];
  for (int i = 1; i < kBlock; ++i) {
    if (x[i] < low) low = x[i];
    if (x[i] > high) high = x[i];
  }
  const float d = (high - low) / float((1 << kBits) - 1), id = inverse(d);
  uint8_t q[kBlock];
  for (int i = 0; i < kBlock; ++i) q[i] = code((x[i] - low) * id + 0.5f, (1 << kBits) - 1);
  return put_codes<kBits>(put(put(out, d), low), q);
}

uint8_t* encode_q8(uint8_t* out, const float* x) {
  float largest = 0;
  for (int i = 0; i < kBlock; ++i)
    if (std::fabs(x[i]) > largest) largest = std::fabs(x[i]);
  const float d = largest / 127, id = inverse(d);
  out = put(out, d);
  for (int i = 0; i < kBlock; ++i) {
    const float scaled = x[i] * id, magnitude = std::fabs(scaled), whole = std::floor(magnitude);
    const uint8_t q = code(whole + std::floor(2 * (magnitude - whole)), 127);
    *out++ = scaled < 0 ? uint8_t(-q) : q;
  }
  return out;
}

// TQ: 256 values as -d, 0 or d, d the largest: 1 + x/d, halves away from zero, as digits in base 3.
constexpr int kTernaryBlock = 256;

float ternary_digits(uint8_t (&digit)[kTernaryBlock], const float* x) {
  float d = 0;
  for (int i = 0; i < kTernaryBlock; ++i)
    if (std::fabs(x[i]) > d) d = std::fabs(x[i]);
  const float id = inverse(d);
  for (int i = 0; i < kTernaryBlock; ++i) {
    const float scaled = x[i] * id;
    digit[i] = scaled >= 0.5f ? 2 : scaled <= -0.5f ? 0 : 1;
  }
  return d;
}

// `count` digits from `step` apart, and as a fraction in base 3, of five digits, rounded up to a byte.
uint8_t ternary_byte(const uint8_t* digit, int step, int count) {
  int value = 0;
  for (int n = 0; n < 5; ++n) value = value * 3 + (n < count ? digit[n * step] : 0);
  return uint8_t((value * 256 + 242) / 243);
}

uint8_t* encode_tq1_0(uint8_t* out, const float* x) {
  uint8_t digit[kTernaryBlock];
  const float d = ternary_digits(digit, x);
  for (int i = 0; i < 32; ++i) *out++ = ternary_byte(digit + i, 32, 5);
  for (int i = 0; i < 16; ++i) *out++ = ternary_byte(digit + 160 + i, 16, 5);
  for (int i = 0; i < 4; ++i) *out++ = ternary_byte(digit + 240 + i, 4, 4);
  return put(out, d);
}

uint8_t* encode_tq2_0(uint8_t* out, const float* x) {
  uint8_t digit[kTernaryBlock];
  const float d = ternary_digits(digit, x);
  for (int half = 0; half < kTernaryBlock; half += 128)
    for (int i = half; i < half + 32; ++i)
      *out++ = uint8_t(digit[i] | digit[i + 32] << 2 | digit[i + 64] << 4 | digit[i + 96] << 6);
  return put(out, d);
}

template <uint8_t* (*encode_block)(uint8_t*, const float*), int block = kBlock>
void encode_blocks(void* dst, const float* x, int64_t n, const float*) noexcept {
  auto* out = static_cast<uint8_t*>(dst);
  for (int64_t i = 0; i < n; i += block) out = encode_block(out, x + i);
}

void encode_f16(void* dst, const float* x, int64_t n, const float*) noexcept {
  auto* out = static_cast<uint8_t*>(dst);
  for (int64_t i = 0; i < n; ++i) out = put(out, x[i]);
}

// Round to nearest even; a NaN stays one (its quiet bit is set, or rounding could carry it to infinity).
void encode_bf16(void* dst, const float* x, int64_t n, const float*) noexcept {
  auto* out = static_cast<uint8_t*>(dst);
  for (int64_t i = 0; i < n; ++i, out += 2) {
    const uint32_t u = encode_scalar::bits(x[i]);
    const bool is_nan = (u & 0x7FFFFFFFu) > 0x7F800000u;
    const auto half = uint16_t((is_nan ? u | 0x00400000u : u + 0x7FFFu + ((u >> 16) & 1u)) >> 16);
    memcpy(out, &half, 2);
  }
}

}  // namespace

EncodeFunction encoder(DType dtype) noexcept {
  switch (dtype) {
    case DType::f16: return encode_f16;
    case DType::bf16: return encode_bf16;
    case DType::q4_0: return encode_blocks<encode_symmetric<4>>;
    case DType::q4_1: return encode_blocks<encode_asymmetric<4>>;
    case DType::q5_0: return encode_blocks<encode_symmetric<5>>;
    case DType::q5_1: return encode_blocks<encode_asymmetric<5>>;
    case DType::q8_0: return encode_blocks<encode_q8>;
    case DType::tq1_0: return encode_blocks<encode_tq1_0, kTernaryBlock>;
    case DType::tq2_0: return encode_blocks<encode_tq2_0, kTernaryBlock>;
    default: return searched_encoder(dtype);
  }
}

}  // namespace puna
