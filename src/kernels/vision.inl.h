// vision.inl.h -- what a vision encoder's rows need and a Llama's do not. Compiled once per ISA.
namespace puna::PUNA_ISA {

struct Moments {
  float mean, scale;
};  // scale = 1 / sqrt(variance + eps), the variance around the mean and over D
PUNA_INLINE Moments moments_of(const float* x, int64_t D, float eps) {
  V total = splat(0.0f);
  int64_t i = 0;
  for (; i + 16 <= D; i += 16) total = add(total, load(x + i));
  if (i < D) total = add(total, load_n(x + i, D - i));
  const float mean = sum(total) / float(D);
  V squares = splat(0.0f);
  for (i = 0; i + 16 <= D; i += 16) {
    const V d = sub(load(x + i), splat(mean));
    squares = fma(d, d, squares);
  }
  if (i < D) {  // lanes past the end would hold -mean
    alignas(64) float rest[16] = {};
    store_n(rest, sub(load_n(x + i, D - i), splat(mean)), D - i);
    squares = fma(load(rest), load(rest), squares);
  }
  return {mean, 1.0f / __builtin_sqrtf(sum(squares) / float(D) + eps)};
}

// y[d] = w[d] * (x[d] - mean) / sqrt(variance + eps) + b[d], or without w and b. y may be x.   arXiv:1607.06450
static void layer_norm(float* y, const float* x, const float* w, const float* b, int64_t D, float eps) {
  const auto [mean, scale] = moments_of(x, D, eps);
  if (w) {
    for (int64_t i = 0; i < D; ++i) y[i] = (x[i] - mean) * scale * w[i] + b[i];
  } else {
    for (int64_t i = 0; i < D; ++i) y[i] = (x[i] - mean) * scale;
  }
}

// The normal distribution's upper tail at z >= 0: e^(-z^2/2) times a polynomial in t = 1 / (1 + 0.3275911 z / sqrt 2),
// halved. Abramowitz and Stegun 7.1.26: within 7.5e-8.
PUNA_INLINE V normal_tail(V z) {
  const V t = div(splat(1.0f), fma(z, splat(0.231641888f), splat(1.0f)));
  V p = splat(0.5307027145f);
  p = fma(p, t, splat(-0.7265760135f));
  p = fma(p, t, splat(0.7107068705f));
  p = fma(p, t, splat(-0.142248368f));
  p = fma(p, t, splat(0.127414796f));
  return mul(mul(p, t), exp(mul(mul(z, z), splat(-0.5f))));
}

PUNA_INLINE V gelu_of(V x) {
  const V tail = normal_tail(abs(x));
  // max(x, 0) - |x| tail(|x|) for both signs: x (1 - tail) above zero, x tail below
  return sub(max(x, splat(0.0f)), mul(abs(x), tail));
}

// y = x * P(normal <= x).   arXiv:1606.08415
static void gelu(float* y, const float* x, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) store_n(y + i, gelu_of(load_n(x + i, n - i)), n - i);
}

}  // namespace puna::PUNA_ISA
