// unpack.inl.h -- block formats to numbers. One decoder a format turns 32 columns of one row into a Group; tiles for integer dots,
// f32 tiles and dequantised rows all come from it, so no format is described twice. Compiled once per ISA.
// Layouts: the GGUF block formats (github.com/ggml-org/ggml, ggml-common.h describes them).
namespace puna::PUNA_ISA {

// 32 values: weight = d * s[h] * (q - offset) + dm * m[h], h = column / 16.
struct Group {
  uint8_t q[kGroup];
  float d, dm;
  int32_t s[2], m[2];
};

template <class T>
PUNA_INLINE T read(const uint8_t* p) { T x; __builtin_memcpy(&x, p, sizeof x); return x; }
PUNA_INLINE float read_f16(const uint8_t* p) { return from_f16(read<uint16_t>(p)); }

// 16 bytes of nibbles: low ones are columns 0-15, high ones 16-31.
PUNA_INLINE void nibbles(uint8_t* q, const uint8_t* p) {
  for (int j = 0; j < 16; ++j) {
    q[j] = p[j] & 0x0F;
    q[j + 16] = p[j] >> 4;
  }
}
PUNA_INLINE void plain(Group& g, float d, float dm) { g.d = d; g.dm = dm; g.s[0] = g.s[1] = g.m[0] = g.m[1] = 1; }

// The 6-bit scale and minimum of sub-block j of Q4_K and Q5_K, packed in 12 bytes.
PUNA_INLINE void k_scale_minimum(Group& g, const uint8_t* p, int64_t j) {
  const int32_t s = j < 4 ? p[j] & 63 : (p[j + 4] & 0x0F) | ((p[j - 4] >> 6) << 4);
  const int32_t m = j < 4 ? p[j + 4] & 63 : (p[j + 4] >> 4) | ((p[j] >> 6) << 4);
  g.s[0] = g.s[1] = s;
  g.m[0] = g.m[1] = m;
}

alignas(16) static const int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
PUNA_INLINE void iq4_values(Group& g) { for (int j = 0; j < kGroup; ++j) g.q[j] = uint8_t(kIq4Values[g.q[j]] + 128); }

// decode<T>(group, row, i): columns 32 i .. 32 i + 31 of the row.
template <DType T>
PUNA_INLINE void decode(Group& g, const uint8_t* row, int64_t i) {
  if constexpr (T == DType::q4_0) {
    const uint8_t* b = row + i * 18;
    plain(g, read_f16(b), 0.0f);
    nibbles(g.q, b + 2);
  } else if constexpr (T == DType::q4_1) {
    const uint8_t* b = row + i * 20;
    plain(g, read_f16(b), read_f16(b + 2));
    nibbles(g.q, b + 4);
  } else if constexpr (T == DType::q5_0 || T == DType::q5_1) {
    constexpr int kHead = T == DType::q5_0 ? 2 : 4;
    const uint8_t* b = row + i * (kHead + 20);
    plain(g, read_f16(b), T == DType::q5_0 ? 0.0f : read_f16(b + 2));
    const uint32_t high = read<uint32_t>(b + kHead);
    nibbles(g.q, b + kHead + 4);
    for (int j = 0; j < kGroup; ++j) g.q[j] = uint8_t(g.q[j] | ((high >> j & 1u) << 4));
  } else if constexpr (T == DType::q8_0) {
    const uint8_t* b = row + i * 34;
    plain(g, read_f16(b), 0.0f);
    for (int j = 0; j < kGroup; ++j) g.q[j] = uint8_t(b[2 + j] ^ 0x80);
  } else if constexpr (T == DType::q2_k) {  // scales[16] qs[64] d dmin
    const uint8_t* b = row + i / 8 * 84;
    const int64_t j = i % 8;
    g.d = read_f16(b + 80);
    g.dm = -read_f16(b + 82);
    for (int h = 0; h < 2; ++h) {
      g.s[h] = b[2 * j + h] & 0x0F;
      g.m[h] = b[2 * j + h] >> 4;
    }
    for (int n = 0; n < kGroup; ++n) g.q[n] = (b[16 + 32 * (j / 4) + n] >> (2 * (j % 4))) & 3;
  } else if constexpr (T == DType::q3_k) {  // high bits[32] qs[64] scales[12] d
    const uint8_t* b = row + i / 8 * 110;
    const int64_t j = i % 8;
    plain(g, read_f16(b + 108), 0.0f);
    const uint8_t* scales = b + 96;
    for (int h = 0; h < 2; ++h) {
      const int64_t n = 2 * j + h;
      const int32_t low = n < 8 ? scales[n] & 0x0F : scales[n - 8] >> 4;
      g.s[h] = (low | ((scales[8 + n % 4] >> (2 * (n / 4)) & 3) << 4)) - 32;
    }
    for (int n = 0; n < kGroup; ++n)
      g.q[n] = uint8_t((b[32 + 32 * (j / 4) + n] >> (2 * (j % 4)) & 3) | ((b[n] >> j & 1) << 2));
  } else if constexpr (T == DType::q4_k) {  // d dmin scales[12] qs[128]
    const uint8_t* b = row + i / 8 * 144;
    const int64_t j = i % 8;
    g.d = read_f16(b);
    g.dm = -read_f16(b + 2);
    k_scale_minimum(g, b + 4, j);
    for (int n = 0; n < kGroup; ++n) g.q[n] = (b[16 + 32 * (j / 2) + n] >> (4 * (j % 2))) & 0x0F;
  } else if constexpr (T == DType::q5_k) {  // d dmin scales[12] high bits[32] qs[128]
    const uint8_t* b = row + i / 8 * 176;
    const int64_t j = i % 8;
    g.d = read_f16(b);
    g.dm = -read_f16(b + 2);
    k_scale_minimum(g, b + 4, j);
    for (int n = 0; n < kGroup; ++n)
      g.q[n] = uint8_t((b[48 + 32 * (j / 2) + n] >> (4 * (j % 2)) & 0x0F) | ((b[16 + n] >> j & 1) << 4));
  } else if constexpr (T == DType::q6_k) {  // low[128] high[64] scales[16] d
    const uint8_t* b = row + i / 8 * 210;
    const int64_t half = i % 8 / 4, j = i % 4;
    plain(g, read_f16(b + 208), 0.0f);
    for (int h = 0; h < 2; ++h) g.s[h] = int8_t(b[192 + 8 * half + 2 * j + h]);
    const uint8_t* low = b + 64 * half + 32 * (j % 2);
    const uint8_t* high = b + 128 + 32 * half;
    for (int n = 0; n < kGroup; ++n)
      g.q[n] = uint8_t((low[n] >> (4 * (j / 2)) & 0x0F) | ((high[n] >> (2 * j) & 3) << 4));
  } else if constexpr (T == DType::iq4_nl) {
    const uint8_t* b = row + i * 18;
    plain(g, read_f16(b), 0.0f);
    nibbles(g.q, b + 2);
    iq4_values(g);
  } else {  // iq4_xs: d scales_h[2] scales_l[4] qs[128]
    const uint8_t* b = row + i / 8 * 136;
    const int64_t j = i % 8;
    plain(g, read_f16(b), 0.0f);
    const int32_t low = b[4 + j / 2] >> (4 * (j % 2)) & 0x0F, high = read<uint16_t>(b + 2) >> (2 * j) & 3;
    g.s[0] = g.s[1] = (low | (high << 4)) - 32;
    nibbles(g.q, b + 8 + 16 * j);
    iq4_values(g);
  }
}

constexpr QFormat format_of(DType t) {
  switch (t) {
    case DType::q4_0: return {8, false, false};
    case DType::q4_1: return {0, false, true};
    case DType::q5_0: return {16, false, false};
    case DType::q5_1: return {0, false, true};
    case DType::q8_0: return {128, false, false};
    case DType::q2_k: return {0, true, true};
    case DType::q3_k: return {4, true, false};
    case DType::q4_k: return {0, true, true};
    case DType::q5_k: return {0, true, true};
    case DType::q6_k: return {32, true, false};
    case DType::iq4_nl: return {128, false, false};
    case DType::iq4_xs: return {128, true, false};
    default: return {0, false, false};
  }
}
static QFormat format(DType t) { return format_of(t); }

template <DType T>
PUNA_INLINE void dequantise_group(float* y, const Group& g) {
  for (int k = 0; k < kGroup; ++k) {
    const int h = k / 16;
    const float x = (g.d * float(g.s[h])) * float(int32_t(g.q[k]) - format_of(T).offset);
    y[k] = format_of(T).minimum ? x + g.dm * float(g.m[h]) : x;
  }
}

template <DType T>
static void tile_q_of(QTile* out, const uint8_t* row0, int64_t row_stride, int rows, int64_t group0, int64_t groups) {
  for (int64_t i = 0; i < groups; ++i) {
    QTile& tile = out[i];
    for (int r = 0; r < kTileRows; ++r) {
      Group g;
      if (r < rows) decode<T>(g, row0 + r * row_stride, group0 + i);
      else __builtin_memset(&g, 0, sizeof g);
      for (int k = 0; k < kGroup / 4; ++k) __builtin_memcpy(tile.q[k][r], g.q + 4 * k, 4);
      tile.d[r] = g.d;
      tile.dm[r] = g.dm;
      for (int h = 0; h < 2; ++h) {
        tile.s[h][r] = g.s[h];
        tile.m[h][r] = g.m[h];
      }
    }
  }
}

template <DType T>
static void tile_f_of(float* out, const uint8_t* row0, int64_t row_stride, int64_t, int rows, int64_t k0, int64_t count) {
  alignas(64) float values[kTileRows][kGroup];  // dequantised along the rows, then turned: both loops are vectors
  __builtin_memset(values, 0, sizeof values);
  for (int64_t k = 0; k < count; k += kGroup) {
    for (int r = 0; r < rows; ++r) {
      Group g;
      decode<T>(g, row0 + r * row_stride, (k0 + k) / kGroup);
      dequantise_group<T>(values[r], g);
    }
    for (int n = 0; n < kGroup; ++n)
      for (int r = 0; r < kTileRows; ++r) out[(k + n) * kTileRows + r] = values[r][n];
  }
}

template <DType T>
static void dequantise_of(float* y, const void* row, int64_t n) {
  for (int64_t i = 0; i < n / kGroup; ++i) {
    Group g;
    decode<T>(g, static_cast<const uint8_t*>(row), i);
    dequantise_group<T>(y + i * kGroup, g);
  }
}

template <DType T>
PUNA_INLINE float plain_value(const uint8_t* p) {
  if constexpr (T == DType::f32) return read<float>(p);
  else if constexpr (T == DType::f16) return read_f16(p);
  else {
    const uint32_t u = uint32_t(read<uint16_t>(p)) << 16;
    float x;
    __builtin_memcpy(&x, &u, 4);
    return x;
  }
}

// f32, f16, bf16 with any strides.
template <DType T>
static void tile_plain(float* out, const uint8_t* row0, int64_t row_stride, int64_t col_stride, int rows, int64_t k0, int64_t count) {
  const int64_t step = col_stride ? col_stride : (T == DType::f32 ? 4 : 2);
  for (int64_t k = 0; k < count; ++k)
    for (int r = 0; r < kTileRows; ++r)
      out[k * kTileRows + r] = r < rows ? plain_value<T>(row0 + r * row_stride + (k0 + k) * step) : 0.0f;
}

template <DType T>
static void dequantise_plain(float* y, const void* row, int64_t n) {
  const auto* p = static_cast<const uint8_t*>(row);
  for (int64_t i = 0; i < n; ++i) y[i] = plain_value<T>(p + i * (T == DType::f32 ? 4 : 2));
}

// One switch names every format; f(tag) is called with the format as a constant.
template <DType T> struct Tag { static constexpr DType value = T; };
template <class F>
PUNA_INLINE void with_quantised(DType t, F&& f) {
  switch (t) {
    case DType::q4_0: return f(Tag<DType::q4_0>());
    case DType::q4_1: return f(Tag<DType::q4_1>());
    case DType::q5_0: return f(Tag<DType::q5_0>());
    case DType::q5_1: return f(Tag<DType::q5_1>());
    case DType::q8_0: return f(Tag<DType::q8_0>());
    case DType::q2_k: return f(Tag<DType::q2_k>());
    case DType::q3_k: return f(Tag<DType::q3_k>());
    case DType::q4_k: return f(Tag<DType::q4_k>());
    case DType::q5_k: return f(Tag<DType::q5_k>());
    case DType::q6_k: return f(Tag<DType::q6_k>());
    case DType::iq4_nl: return f(Tag<DType::iq4_nl>());
    case DType::iq4_xs: return f(Tag<DType::iq4_xs>());
    default: return;
  }
}

static void tile_q(QTile* out, DType t, const uint8_t* row0, int64_t row_stride, int rows, int64_t group0, int64_t groups) {
  with_quantised(t, [&](auto tag) { tile_q_of<decltype(tag)::value>(out, row0, row_stride, rows, group0, groups); });
}

static void tile_f(float* out, DType t, const uint8_t* row0, int64_t row_stride, int64_t col_stride, int rows, int64_t k0, int64_t n) {
  if (t == DType::f32) return tile_plain<DType::f32>(out, row0, row_stride, col_stride, rows, k0, n);
  if (t == DType::f16) return tile_plain<DType::f16>(out, row0, row_stride, col_stride, rows, k0, n);
  if (t == DType::bf16) return tile_plain<DType::bf16>(out, row0, row_stride, col_stride, rows, k0, n);
  with_quantised(t, [&](auto tag) { tile_f_of<decltype(tag)::value>(out, row0, row_stride, col_stride, rows, k0, n); });
}

static void dequantise(float* y, DType t, const void* row, int64_t n) {
  if (t == DType::f32) return dequantise_plain<DType::f32>(y, row, n);
  if (t == DType::f16) return dequantise_plain<DType::f16>(y, row, n);
  if (t == DType::bf16) return dequantise_plain<DType::bf16>(y, row, n);
  with_quantised(t, [&](auto tag) { dequantise_of<decltype(tag)::value>(y, row, n); });
}

}  // namespace puna::PUNA_ISA
