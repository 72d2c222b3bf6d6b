// rows.inl.h -- kernels over one row: activation quantisation, RMS norm, SwiGLU, RoPE. Compiled once per ISA.
// Elementwise loops are plain C: no sum crosses lanes, so any vectorisation gives the same bits (-ffp-contract=off).
namespace puna::PUNA_ISA {

// x = d * q in groups of 32, q in -127..127 rounded to nearest even; with the sums of q that QRow describes. K:
// multiple of 32. A group with an infinity or a NaN is 0 * NaN: it stays visible in the result.
static void quantise_row(const QRowOut& to, const float* x, int64_t K) {
  int8_t* q = to.q;
  float *const d = to.d, *const scaled16 = to.scaled16, *const scaled32 = to.scaled32;
  int32_t* const sum16 = to.sum;
  for (int64_t g = 0; g < K / kGroup; ++g, x += kGroup, q += kGroup) {
    const V a = load(x), b = load(x + 16), zero = splat(0.0f);
    const float largest = max_all(max(abs(a), abs(b)));
    const bool finite = sum(fma(a, zero, mul(b, zero))) == 0.0f;  // max() may pass over a NaN
    // 127 / 1e-38 overflows: such a group is zero to any model
    const float inverse = largest > 0.0f ? 127.0f / largest : 0.0f;
    const V scale = splat(inverse <= 3.4e38f ? inverse : 0.0f);
    d[g] = finite ? largest / 127.0f : __builtin_nanf("");
    store_i8(q, finite ? mul(a, scale) : zero);
    store_i8(q + 16, finite ? mul(b, scale) : zero);
    sum16[2 * g] = isum16(q);
    sum16[2 * g + 1] = isum16(q + 16);
    scaled16[2 * g] = d[g] * float(sum16[2 * g]);
    scaled16[2 * g + 1] = d[g] * float(sum16[2 * g + 1]);
    scaled32[g] = d[g] * float(sum16[2 * g] + sum16[2 * g + 1]);
  }
}

// y[d] = w[d] * (x[d] / sqrt(mean(x^2) + eps)); without w the plain normalisation (Llama 4's QK norm). y may be x.
// arXiv:1910.07467
static void rms_norm(float* y, const float* x, const float* w, int64_t D, float eps) {
  V squares = splat(0.0f);
  int64_t i = 0;
  for (; i + 16 <= D; i += 16) squares = fma(load(x + i), load(x + i), squares);
  if (i < D) squares = fma(load_n(x + i, D - i), load_n(x + i, D - i), squares);
  const float scale = 1.0f / __builtin_sqrtf(sum(squares) / float(D) + eps);
  if (w) {
    for (i = 0; i < D; ++i) y[i] = (x[i] * scale) * w[i];
  } else {
    for (i = 0; i < D; ++i) y[i] = x[i] * scale;
  }
}

static void add_rows(float* y, const float* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = y[i] + x[i];
}

static void scale_row(float* y, const float* x, float scale, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = scale * x[i];
}

PUNA_INLINE V logistic(V x) { return div(splat(1.0f), add(splat(1.0f), exp(sub(splat(0.0f), x)))); }

// y = silu(gate) * up, silu(x) = x * sigmoid(x).   arXiv:2002.05202
static void swiglu(float* y, const float* gate, const float* up, int64_t n) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) store(y + i, mul(mul(load(gate + i), logistic(load(gate + i))), load(up + i)));
  if (i < n) {
    const V g = load_n(gate + i, n - i);
    store_n(y + i, mul(mul(g, logistic(g)), load_n(up + i, n - i)), n - i);
  }
}

// gelu(x) = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) = x sigmoid(2 sqrt(2/pi) (x + 0.044715 x^3)).
// arXiv:1606.08415
PUNA_INLINE V gelu_logistic(V x) {
  const V inner = mul(x, fma(mul(x, x), splat(0.044715f), splat(1.0f)));
  return logistic(mul(inner, splat(1.5957691216f)));
}
static void geglu(float* y, const float* gate, const float* up, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) {
    const V g = load_n(gate + i, n - i);
    store_n(y + i, mul(mul(g, gelu_logistic(g)), load_n(up + i, n - i)), n - i);
  }
}

// gpt-oss (modeling_gpt_oss.py): y = (clamp(up) + 1) g sigmoid(alpha g), g = min(gate, limit).
static void clamped_swiglu(float* y, const float* gate, const float* up, int64_t n, float limit, float alpha) {
  const V most = splat(limit), least = splat(-limit), one = splat(1.0f);
  for (int64_t i = 0; i < n; i += 16) {
    const V g = min(load_n(gate + i, n - i), most), u = max(min(load_n(up + i, n - i), most), least);
    store_n(y + i, mul(mul(g, logistic(mul(g, splat(alpha)))), add(u, one)), n - i);
  }
}

PUNA_INLINE V capped(V x, float cap) { return mul(tanh(mul(x, splat(1.0f / cap))), splat(cap)); }
static void softcap(float* y, const float* x, float cap, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) store_n(y + i, capped(load_n(x + i, n - i), cap), n - i);
}

static void sigmoid(float* y, const float* x, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) store_n(y + i, logistic(load_n(x + i, n - i)), n - i);
}

// Rotary positions (arXiv:2104.09864): pair i is rotated by the angle whose cosine and sine are given, i < head_dim/2.
static void rope_interleaved(float* x, const float* c, const float* s, int64_t head_dim) {
  for (int64_t i = 0; i < head_dim / 2; ++i) {
    const float a = x[2 * i], b = x[2 * i + 1];
    x[2 * i] = a * c[i] - b * s[i];
    x[2 * i + 1] = a * s[i] + b * c[i];
  }
}

static void rope_half_split(float* x, const float* c, const float* s, int64_t head_dim) {
  float* y = x + head_dim / 2;
  for (int64_t i = 0; i < head_dim / 2; ++i) {
    const float a = x[i], b = y[i];
    x[i] = a * c[i] - b * s[i];
    y[i] = a * s[i] + b * c[i];
  }
}

static void to_f16_row(uint16_t* y, const float* x, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) store_f16_n(y + i, load_n(x + i, n - i), n - i);
}

// Round to nearest even; what was no number stays none.
static void to_bf16_row(uint16_t* y, const float* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    uint32_t u;
    __builtin_memcpy(&u, x + i, 4);
    const uint32_t rounded = (u + 0x7FFFu + (u >> 16 & 1u)) >> 16, quiet = u >> 16 | 0x40u;
    y[i] = uint16_t((u & 0x7FFFFFFFu) > 0x7F800000u ? quiet : rounded);
  }
}

}  // namespace puna::PUNA_ISA
