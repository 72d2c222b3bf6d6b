// rows_backward.inl.h -- gradients of the kernels over one row (rows.inl.h), and the softmax of a loss. Compiled once
// per ISA.
namespace puna::PUNA_ISA {

// y = w x s, s = 1 / sqrt(mean(x^2) + eps):   dx = s (w dy - x s^2 mean(w dy x)), added to dx or put there; returns s.
//                                             dx may be dy.
static float rms_norm_backward(const RmsNormBackward& b) {
  float* const dx = b.dx;
  const float *const dy = b.dy, *const x = b.x, *const w = b.w;
  const int64_t D = b.D;
  V squares = splat(0.0f), along = splat(0.0f);
  for (int64_t i = 0; i < D; i += 16) {
    const V xi = load_n(x + i, D - i), dyi = load_n(dy + i, D - i);
    squares = fma(xi, xi, squares);
    along = fma(w ? mul(load_n(w + i, D - i), dyi) : dyi, xi, along);
  }
  const float s = 1.0f / __builtin_sqrtf(sum(squares) / float(D) + b.eps), back = s * s * (sum(along) / float(D));
  for (int64_t i = 0; i < D; ++i) {
    const float g = s * ((w ? w[i] * dy[i] : dy[i]) - x[i] * back);
    dx[i] = b.add_to ? dx[i] + g : g;
  }
  return s;
}

// y = silu(gate) up:   dup += silu(gate) dy,   dgate += up dy sigma (1 + gate (1 - sigma))
static void swiglu_backward(float* dgate, float* dup, const float* dy, const float* gate, const float* up, int64_t n) {
  const V one = splat(1.0f);
  for (int64_t i = 0; i < n; i += 16) {
    const V g = load_n(gate + i, n - i), u = load_n(up + i, n - i), d = load_n(dy + i, n - i), sigma = logistic(g);
    store_n(dup + i, fma(mul(g, sigma), d, load_n(dup + i, n - i)), n - i);
    const V slope = mul(sigma, fma(g, sub(one, sigma), one));
    store_n(dgate + i, fma(mul(u, d), slope, load_n(dgate + i, n - i)), n - i);
  }
}

// gelu' = sigma + x sigma (1 - sigma) inner',   inner' = 2 sqrt(2/pi) (1 + 3 * 0.044715 x^2)
static void geglu_backward(float* dgate, float* dup, const float* dy, const float* gate, const float* up, int64_t n) {
  const V one = splat(1.0f);
  for (int64_t i = 0; i < n; i += 16) {
    const V g = load_n(gate + i, n - i), u = load_n(up + i, n - i), d = load_n(dy + i, n - i), sigma = gelu_logistic(g);
    store_n(dup + i, fma(mul(g, sigma), d, load_n(dup + i, n - i)), n - i);
    const V inner = mul(fma(mul(g, g), splat(3 * 0.044715f), one), splat(1.5957691216f));
    const V slope = fma(mul(mul(g, sigma), sub(one, sigma)), inner, sigma);
    store_n(dgate + i, fma(mul(u, d), slope, load_n(dgate + i, n - i)), n - i);
  }
}

// Where a clamp cuts there is no gradient.
static void clamped_swiglu_backward(float* dgate, float* dup, const float* dy, const float* gate, const float* up,
                                    int64_t n, float limit, float alpha) {
  for (int64_t i = 0; i < n; i += 16) {
    const int64_t count = n - i < 16 ? n - i : 16;
    alignas(64) float slope[16], half[16];
    const V most = splat(limit), g = min(load_n(gate + i, n - i), most), one = splat(1.0f),
            sigma = logistic(mul(g, splat(alpha)));
    store(half, mul(g, sigma));
    store(slope, mul(sigma, fma(mul(g, splat(alpha)), sub(one, sigma), one)));
    for (int64_t j = 0; j < count; ++j) {
      const float u = up[i + j], kept = u > limit ? limit : u < -limit ? -limit : u;
      if (kept == u) dup[i + j] = __builtin_fmaf(half[j], dy[i + j], dup[i + j]);
      if (gate[i + j] <= limit) dgate[i + j] = __builtin_fmaf((kept + 1.0f) * dy[i + j], slope[j], dgate[i + j]);
    }
  }
}

static void softcap_backward(float* dx, const float* y, float cap, int64_t n) {
  const float inverse = 1.0f / cap;
  for (int64_t i = 0; i < n; ++i) dx[i] = dx[i] * (1.0f - (y[i] * inverse) * (y[i] * inverse));
}

static float dot(const float* x, const float* y, int64_t n) { return dot_row(x, y, n); }

static void add_scaled(float* y, const float* x, float scale, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = __builtin_fmaf(scale, x[i], y[i]);
}

static void add_product(float* y, const float* a, const float* b, float scale, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = __builtin_fmaf(a[i] * b[i], scale, y[i]);
}

// state = the largest x and the sum of e^(x - largest).
static void softmax_state(float* state, const float* x, int64_t n) {
  V most = splat(kLowest), sums = splat(0.0f);
  for (int64_t i = 0; i + 16 <= n; i += 16) most = max(most, load(x + i));
  float largest = max_all(most);
  for (int64_t i = n / 16 * 16; i < n; ++i) largest = x[i] > largest ? x[i] : largest;
  alignas(64) float last[16] = {};
  for (int64_t i = 0; i + 16 <= n; i += 16) sums = add(sums, exp(sub(load(x + i), splat(largest))));
  if (n % 16 != 0) {
    store(last, exp(sub(load_n(x + n / 16 * 16, n % 16), splat(largest))));
    for (int64_t i = n % 16; i < 16; ++i) last[i] = 0.0f;
    sums = add(sums, load(last));
  }
  state[0] = largest;
  state[1] = sum(sums);
}

// g = weight e^(x - largest) / total
static void softmax_gradient(float* g, const float* x, const float* state, float weight, int64_t n) {
  const V largest = splat(state[0]), factor = splat(weight / state[1]);
  for (int64_t i = 0; i < n; i += 16) store_n(g + i, mul(exp(sub(load_n(x + i, n - i), largest)), factor), n - i);
}

}  // namespace puna::PUNA_ISA
