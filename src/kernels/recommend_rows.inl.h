// recommend_rows.inl.h -- what the rows of a sequence recommender need beyond a Llama's: SiLU, the gradient of a plain
// layer norm, dot products and sums over chosen rows of a table (sampled softmax, embeddings). Compiled once per ISA.
namespace puna::PUNA_ISA {

// y = (x - mean) s, s = 1 / sqrt(variance + eps):   dx += s (dy - mean(dy) - y mean(dy y))
static void layer_norm_backward(float* dx, const float* dy, const float* x, int64_t D, float eps) {
  const auto [mean, scale] = moments_of(x, D, eps);
  const V center = splat(mean), s = splat(scale);
  V total = splat(0.0f), along = splat(0.0f);
  for (int64_t i = 0; i < D; i += 16) {  // dy is zero past the end
    const V g = load_n(dy + i, D - i);
    total = add(total, g);
    along = fma(g, mul(sub(load_n(x + i, D - i), center), s), along);
  }
  const V shift = splat(sum(total) / float(D)), slope = splat(sum(along) / float(D));
  for (int64_t i = 0; i < D; i += 16) {
    const V y = mul(sub(load_n(x + i, D - i), center), s), g = sub(sub(load_n(dy + i, D - i), shift), mul(y, slope));
    store_n(dx + i, fma(s, g, load_n(dx + i, D - i)), D - i);
  }
}

static void silu(float* y, const float* x, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) {
    const V v = load_n(x + i, n - i);
    store_n(y + i, mul(v, logistic(v)), n - i);
  }
}

// sigma (1 + x (1 - sigma))
PUNA_INLINE V silu_slope(V x, V sigma) { return mul(sigma, fma(x, sub(splat(1.0f), sigma), splat(1.0f))); }

static void silu_backward(float* dx, const float* dy, const float* x, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) {
    const V v = load_n(x + i, n - i);
    store_n(dx + i, fma(load_n(dy + i, n - i), silu_slope(v, logistic(v)), load_n(dx + i, n - i)), n - i);
  }
}

static void gather_dots(float* out, const float* x, const TableRows& t) {
  for (int64_t m = 0; m < t.count; ++m) out[m] = dot_row(x, t.table + t.ids[m] * t.row, t.n);
}

// P vectors of columns from i on stay in registers.
template <int P>
PUNA_INLINE void gather_columns(float* y, const TableRows& t, const float* weights, int64_t i) {
  const int64_t n = t.n;
  V sums[P];
  unroll<P>([&](auto p) PUNA_LAMBDA { sums[p] = load_n(y + i + 16 * p, n - i - 16 * p); });
  for (int64_t m = 0; m < t.count; ++m) {
    const float* const from = t.table + t.ids[m] * t.row + i;
    const V w = splat(weights[m]);
    unroll<P>([&](auto p) PUNA_LAMBDA { sums[p] = fma(w, load_n(from + 16 * p, n - i - 16 * p), sums[p]); });
  }
  unroll<P>([&](auto p) PUNA_LAMBDA { store_n(y + i + 16 * p, sums[p], n - i - 16 * p); });
}

static void gather_add(float* y, const TableRows& t, const float* weights) {
  int64_t i = 0;
  for (; i + 48 < t.n; i += 64) gather_columns<4>(y, t, weights, i);
  for (; i < t.n; i += 16) gather_columns<1>(y, t, weights, i);
}

}  // namespace puna::PUNA_ISA
