// encode_searched.cpp -- the formats whose scales are worth a search: K-quants and IQ4. For each sub-block of 16 or 32
// values x with weights w, a score of candidate scales is tried; each gives codes, the codes give the scale that is
// best for them (weighted least squares), and the pair with the smallest weighted error stays. The sub-blocks' scales
// are then rounded to the block's few bits and the codes chosen again for the scales that the file really holds.
//   w = importance * sqrt(2 mean(x^2) + x^2): a large value matters more, a small one not nothing
// Scalar code, one answer everywhere. Layouts: see formats.inl.h, which reads what is written here.
#include "kernels/encode_searched.h"

#include <cmath>
#include <cstring>

#define PUNA_ISA encode_searched_scalar  // our own copy of the scalar f16 conversion
#include "kernels/simd_scalar.h"

namespace puna {
namespace {

constexpr int kBlock = 256;
constexpr float kIq4Levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

// Writes d as f16 and gives back what a reader will see.
float put_f16(uint8_t* out, float d) {
  const uint16_t half = encode_searched_scalar::to_f16(d);
  memcpy(out, &half, 2);
  return encode_searched_scalar::from_f16(half);
}

float clamp(float x, float low, float high) { return !(x > low) ? low : x > high ? high : x; }  // NaN is low
float inverse(float d) { return d == 0 || !std::isfinite(1 / d) ? 0 : 1 / d; }

// The levels a code can stand for; nearest(v) is the level, code(level) what is stored.
struct Steps {  // -middle ... middle - 1
  float middle;
  float extreme() const { return -middle; }
  float nearest(float v) const { return clamp(std::nearbyint(v), -middle, middle - 1); }
  uint8_t code(float level) const { return uint8_t(level + middle); }
};
struct Iq4 {
  static float extreme() { return kIq4Levels[0]; }
  static int index(float v) {
    int i = 0;
    while (i < 15 && v > (kIq4Levels[i] + kIq4Levels[i + 1]) / 2) ++i;
    return i;
  }
  static float nearest(float v) { return kIq4Levels[index(v)]; }
  static uint8_t code(float level) { return uint8_t(index(level)); }
};

// d of x ~ d * level: the candidates put the largest value near the extreme level.
template <class Levels>
float fit_scale(const Levels& levels, const float* x, const float* w, int n) {
  float largest = 0, best = 0, best_gain = 0;
  for (int i = 0; i < n; ++i)
    if (std::fabs(x[i]) > std::fabs(largest)) largest = x[i];
  const float unit = inverse(largest);
  for (int step = -9; step <= 9; ++step) {
    const float id = levels.extreme() * (1 + 0.0125f * float(step)) * unit;
    float wxl = 0, wll = 0;
    for (int i = 0; i < n; ++i) {
      const float l = levels.nearest(x[i] * id);
      wxl += w[i] * x[i] * l;
      wll += w[i] * l * l;
    }
    // The error is sum w x^2 - wxl^2 / wll for the best d, wxl / wll.
    if (wll > 0 && wxl * wxl > best_gain * wll) {
      best_gain = wxl * wxl / wll;
      best = wxl / wll;
    }
  }
  return best;
}

struct Line {
  float d, minimum;
};  // x ~ d q - minimum, minimum >= 0

Line fit_line(const float* x, const float* w, int n, float largest_code) {
  float low = 0, high = x[0];
  for (int i = 0; i < n; ++i) {
    if (x[i] < low) low = x[i];
    if (x[i] > high) high = x[i];
  }
  Line best = {0, -low};
  float best_error = INFINITY;
  for (int step = -9; step <= 9; ++step) {
    const float id = (largest_code + 0.1f * float(step)) * inverse(high - low);
    float ws = 0, wx = 0, wq = 0, wqq = 0, wxq = 0;
    float q[32];
    for (int i = 0; i < n; ++i) {
      q[i] = clamp(std::nearbyint((x[i] - low) * id), 0, largest_code);
      ws += w[i];
      wx += w[i] * x[i];
      wq += w[i] * q[i];
      wqq += w[i] * q[i] * q[i];
      wxq += w[i] * x[i] * q[i];
    }
    const float determinant = ws * wqq - wq * wq;
    if (!(determinant > 0)) continue;
    Line line = {(ws * wxq - wq * wx) / determinant, -(wqq * wx - wq * wxq) / determinant};
    if (line.minimum < 0) line = {wxq / wqq, 0};
    float error = 0;
    for (int i = 0; i < n; ++i) {
      const float e = line.d * q[i] - line.minimum - x[i];
      error += w[i] * e * e;
    }
    if (error < best_error) {
      best_error = error;
      best = line;
    }
  }
  return best;
}

void weigh(float* w, const float* x, const float* importance, int n) {
  float squares = 0;
  for (int i = 0; i < n; ++i) squares += x[i] * x[i];
  for (int i = 0; i < n; ++i) w[i] = (importance ? importance[i] : 1) * std::sqrt(2 * squares / float(n) + x[i] * x[i]);
}

// Codes of a block whose kSize values share a signed sub-scale of -scale_levels ... scale_levels - 1; d goes to d_out.
template <int kSize, class Levels>
void encode_signed(uint8_t* d_out, uint8_t* codes, int* scales, const Levels& levels, float scale_levels,
                   const float* x, const float* importance) {
  float w[kBlock], d[kBlock / kSize];
  weigh(w, x, importance, kBlock);
  float largest = 0;
  for (int s = 0; s < kBlock / kSize; ++s) {
    d[s] = fit_scale(levels, x + s * kSize, w + s * kSize, kSize);
    if (std::fabs(d[s]) > std::fabs(largest)) largest = d[s];
  }
  const float block_d = put_f16(d_out, largest / -scale_levels), id = inverse(block_d);
  for (int s = 0; s < kBlock / kSize; ++s) {
    const float scale = clamp(std::nearbyint(d[s] * id), -scale_levels, scale_levels - 1);
    scales[s] = int(scale);
    const float sub = inverse(block_d * scale);
    for (int i = 0; i < kSize; ++i) codes[s * kSize + i] = levels.code(levels.nearest(x[s * kSize + i] * sub));
  }
}

// The same with scale and minimum, both codes of 0 ... largest_scale.
template <int kSize>
void encode_lines(uint8_t* d_out, uint8_t* codes, uint8_t* scales, uint8_t* minimums, float largest_code,
                  float largest_scale, const float* x, const float* importance) {
  float w[kBlock], d = 0, m = 0;
  Line line[kBlock / kSize];
  weigh(w, x, importance, kBlock);
  for (int s = 0; s < kBlock / kSize; ++s) {
    line[s] = fit_line(x + s * kSize, w + s * kSize, kSize, largest_code);
    if (line[s].d > d) d = line[s].d;
    if (line[s].minimum > m) m = line[s].minimum;
  }
  d = put_f16(d_out, d / largest_scale);
  m = put_f16(d_out + 2, m / largest_scale);
  for (int s = 0; s < kBlock / kSize; ++s) {
    scales[s] = uint8_t(clamp(std::nearbyint(line[s].d * inverse(d)), 0, largest_scale));
    minimums[s] = uint8_t(clamp(std::nearbyint(line[s].minimum * inverse(m)), 0, largest_scale));
    const float minimum = m * float(minimums[s]), id = inverse(d * float(scales[s]));
    for (int i = 0; i < kSize; ++i)
      codes[s * kSize + i] = uint8_t(clamp(std::nearbyint((x[s * kSize + i] + minimum) * id), 0, largest_code));
  }
}

// ---- the formats' bytes ---------------------------------------------------------------------------------------------

// Into byte `at`, from bit `shift` on; the bytes start as zero.
void put_bits(uint8_t* out, int at, int shift, int bits) { out[at] = uint8_t(out[at] | bits << shift); }

void put_k_scales(uint8_t* out, const uint8_t* s, const uint8_t* m) {  // 8 pairs of 6 bits in 12 bytes
  for (int j = 0; j < 4; ++j) {
    out[j] = uint8_t(s[j] | s[j + 4] >> 4 << 6);
    out[j + 4] = uint8_t(m[j] | m[j + 4] >> 4 << 6);
    out[j + 8] = uint8_t((s[j + 4] & 15) | (m[j + 4] & 15) << 4);
  }
}

void encode_q2_k(uint8_t* out, const float* x, const float* importance) {
  uint8_t q[kBlock], s[16], m[16];
  encode_lines<16>(out + 80, q, s, m, 3, 15, x, importance);
  for (int n = 0; n < 16; ++n) out[n] = uint8_t(s[n] | m[n] << 4);
  for (int k = 0; k < kBlock; ++k) put_bits(out, 16 + 32 * (k / 128) + k % 32, 2 * (k / 32 % 4), q[k]);
}

void encode_q3_k(uint8_t* out, const float* x, const float* importance) {
  uint8_t q[kBlock];
  int s[16];
  encode_signed<16>(out + 108, q, s, Steps{4}, 32, x, importance);
  for (int n = 0; n < 16; ++n) {
    const int code = s[n] + 32;
    put_bits(out, 96 + n % 8, 4 * (n / 8), code & 15);
    put_bits(out, 104 + n % 4, 2 * (n / 4), code >> 4);
  }
  for (int k = 0; k < kBlock; ++k) {
    put_bits(out, 32 + 32 * (k / 128) + k % 32, 2 * (k / 32 % 4), q[k] & 3);
    put_bits(out, k % 32, k / 32, q[k] >> 2);
  }
}

void encode_q4_k(uint8_t* out, const float* x, const float* importance) {
  uint8_t q[kBlock], s[8], m[8];
  encode_lines<32>(out, q, s, m, 15, 63, x, importance);
  put_k_scales(out + 4, s, m);
  for (int k = 0; k < kBlock; ++k) put_bits(out, 16 + 32 * (k / 64) + k % 32, 4 * (k / 32 % 2), q[k]);
}

void encode_q5_k(uint8_t* out, const float* x, const float* importance) {
  uint8_t q[kBlock], s[8], m[8];
  encode_lines<32>(out, q, s, m, 31, 63, x, importance);
  put_k_scales(out + 4, s, m);
  for (int k = 0; k < kBlock; ++k) {
    put_bits(out, 48 + 32 * (k / 64) + k % 32, 4 * (k / 32 % 2), q[k] & 15);
    put_bits(out, 16 + k % 32, k / 32, q[k] >> 4);
  }
}

void encode_q6_k(uint8_t* out, const float* x, const float* importance) {
  uint8_t q[kBlock];
  int s[16];
  encode_signed<16>(out + 208, q, s, Steps{32}, 128, x, importance);
  for (int n = 0; n < 16; ++n) out[192 + n] = uint8_t(s[n]);
  for (int k = 0; k < kBlock; ++k) {
    put_bits(out, 64 * (k / 128) + k % 64, 4 * (k / 64 % 2), q[k] & 15);
    put_bits(out, 128 + 32 * (k / 128) + k % 32, 2 * (k / 32 % 4), q[k] >> 4);
  }
}

void encode_iq4_nl(uint8_t* out, const float* x, const float* importance) {
  float w[32];
  weigh(w, x, importance, 32);
  const float id = inverse(put_f16(out, fit_scale(Iq4(), x, w, 32)));
  for (int k = 0; k < 32; ++k) put_bits(out, 2 + k % 16, 4 * (k / 16), Iq4::code(Iq4::nearest(x[k] * id)));
}

void encode_iq4_xs(uint8_t* out, const float* x, const float* importance) {
  uint8_t q[kBlock];
  int s[8];
  encode_signed<32>(out, q, s, Iq4(), 32, x, importance);
  for (int j = 0; j < 8; ++j) {
    const int code = s[j] + 32;
    put_bits(out, 4 + j / 2, 4 * (j % 2), code & 15);
    put_bits(out, 2 + j / 4, 2 * (j % 4), code >> 4);
  }
  for (int k = 0; k < kBlock; ++k) put_bits(out, 8 + 16 * (k / 32) + k % 16, 4 * (k / 16 % 2), q[k]);
}

// OCP MX: a power of two that brings the largest value between E2M1's 4 and 8, then the nearest values.
void encode_mxfp4(uint8_t* out, const float* x, const float*) {
  constexpr float kBetween[7] = {0.25f, 0.75f, 1.25f, 1.75f, 2.5f, 3.5f, 5.0f};  // its values 0 .5 1 1.5 2 3 4 6
  float largest = 0;
  for (int k = 0; k < 32; ++k) largest = std::abs(x[k]) > largest ? std::abs(x[k]) : largest;
  uint32_t bits;
  memcpy(&bits, &largest, 4);
  const int exponent = std::max(int(bits >> 23) - 2, 0);
  const float scale = std::ldexp(1.0f, 127 - exponent);
  out[0] = uint8_t(exponent);
  for (int k = 0; k < 32; ++k) {
    const float size = std::abs(x[k]) * scale;
    int code = 0;
    while (code < 7 && size > kBetween[code]) ++code;
    put_bits(out, 1 + k % 16, 4 * (k / 16), (x[k] < 0 ? 8 : 0) | code);
  }
}

template <DType T, void (*encode_block)(uint8_t*, const float*, const float*)>
void encode_row(void* dst, const float* x, int64_t n, const float* importance) noexcept {
  auto* out = static_cast<uint8_t*>(dst);
  const DTypeInfo& t = info(T);
  for (int64_t i = 0; i < n; i += t.block, out += t.bytes) {
    memset(out, 0, t.bytes);
    encode_block(out, x + i, importance ? importance + i : nullptr);
  }
}

}  // namespace

EncodeFunction searched_encoder(DType dtype) noexcept {
  switch (dtype) {
    case DType::q2_k: return encode_row<DType::q2_k, encode_q2_k>;
    case DType::q3_k: return encode_row<DType::q3_k, encode_q3_k>;
    case DType::q4_k: return encode_row<DType::q4_k, encode_q4_k>;
    case DType::q5_k: return encode_row<DType::q5_k, encode_q5_k>;
    case DType::q6_k: return encode_row<DType::q6_k, encode_q6_k>;
    case DType::iq4_nl: return encode_row<DType::iq4_nl, encode_iq4_nl>;
    case DType::iq4_xs: return encode_row<DType::iq4_xs, encode_iq4_xs>;
    case DType::mxfp4: return encode_row<DType::mxfp4, encode_mxfp4>;
    default: return nullptr;
  }
}

}  // namespace puna
