// history.inl.h -- causal attention over one user's history, forward and backward, without the T x T matrix: the
// weights of kHistoryBlock rows are made at a time and made again for the gradient. HSTU's pointwise SiLU with its
// relative bias (arXiv:2402.17152, section 3.2) and SASRec's softmax (arXiv:1808.09781) share everything but how a row
// of scores becomes weights. kernel_table.h has the equations. Compiled once per ISA. Every score, output and gradient
// is one fma chain in ascending order, so a row has the same bits whichever rows are computed with it.
namespace puna::PUNA_ISA {

// to[c][t] = from[t][c] for c below `columns` rounded up to 16; rows up to `width`, a multiple of 16, are filled up
// with zeros.
static void transpose_history(float* to, int64_t width, const float* from, int64_t from_row, int64_t rows,
                              int64_t columns) {
  alignas(64) float tile[256];
  for (int64_t t = 0; t < width; t += 16)
    for (int64_t c = 0; c < columns; c += 16) {
      for (int64_t i = 0; i < 16; ++i)
        store(tile + i * 16, t + i < rows ? load_n(from + (t + i) * from_row + c, columns - c) : splat(0.0f));
      transpose16(to + c * width + t, width, tile);
    }
}

// fn(j, bucket) for keys 0 ... i. Histories are sorted, so the bucket changes some dozen times a row and is found by
// walking.
template <class Fn>
PUNA_INLINE void walk_buckets(const HistoryAttend& a, int64_t i, Fn&& fn) {
  const int64_t now = a.times[i + 1];
  int64_t bucket = kTimeBuckets;
  for (int64_t j = 0; j <= i; ++j) {
    const int64_t ahead = now - a.times[j], distance = ahead < 0 ? -ahead : ahead;
    while (distance < a.time_bounds[bucket]) --bucket;
    while (distance >= a.time_bounds[bucket + 1]) ++bucket;
    fn(j, bucket);
  }
}

// Weights of row i from its scores in s [n]; zero past i. In backward() also the scores' gradient, from the weights' in
// ds.
struct SiluRow {
  const HistoryAttend& a;
  void prepare(float* bias, int64_t i) const {
    walk_buckets(a, i,
                 [&](int64_t j, int64_t bucket) PUNA_LAMBDA { bias[j] = a.positions[j - i] + a.time_weights[bucket]; });
  }
  PUNA_MEMBER void forward(float* s, const float* bias, int64_t, int64_t i, int64_t n) const {
    for (int64_t j = 0; j <= i; j += 16) {
      const V z = add(load(s + j), load(bias + j));
      store(s + j, mul(mul(z, logistic(z)), splat(a.scale)));
    }
    for (int64_t j = i + 1; j < n; ++j) s[j] = 0.0f;
  }
  PUNA_MEMBER void backward(float* s, float* ds, const float* bias, int64_t, int64_t i, int64_t n) const {
    for (int64_t j = 0; j <= i; j += 16) {
      const V z = add(load(s + j), load(bias + j)), sigma = logistic(z), scale = splat(a.scale);
      store(s + j, mul(mul(z, sigma), scale));
      store(ds + j, mul(mul(load(ds + j), scale), silu_slope(z, sigma)));
    }
    for (int64_t j = i + 1; j < n; ++j) s[j] = ds[j] = 0.0f;
  }
  void add_bias_gradient(const HistoryAttendBackward& d, const float* ds, int64_t i) const {
    for (int64_t j = 0; j <= i; ++j) d.dpositions[j - i] += ds[j];
    walk_buckets(a, i, [&](int64_t j, int64_t bucket) PUNA_LAMBDA { d.dtime_weights[bucket] += ds[j]; });
  }
};

struct SoftmaxRow {
  const HistoryAttend& a;
  void prepare(float*, int64_t) const {}
  PUNA_MEMBER void drop(float* s, int64_t head, int64_t i) const {
    if (!a.kept) return;
    const uint8_t* const kept = a.kept + (head * (a.rows - a.first) + i - a.first) * a.rows;
    for (int64_t j = 0; j <= i; ++j) s[j] = kept[j] ? s[j] * a.kept_scale : 0.0f;
  }
  PUNA_MEMBER void softmax_row(float* s, int64_t i, int64_t n) const {
    float state[2];
    for (int64_t j = 0; j <= i; ++j) s[j] = s[j] * a.scale;
    softmax_state(state, s, i + 1);
    softmax_gradient(s, s, state, 1.0f, i + 1);
    for (int64_t j = i + 1; j < n; ++j) s[j] = 0.0f;
  }
  PUNA_MEMBER void forward(float* s, const float*, int64_t head, int64_t i, int64_t n) const {
    softmax_row(s, i, n);
    drop(s, head, i);
  }
  // p the softmax, dp its gradient:  ds = scale p (dp - sum p dp)
  PUNA_MEMBER void backward(float* s, float* ds, const float*, int64_t head, int64_t i, int64_t n) const {
    softmax_row(s, i, n);
    drop(ds, head, i);
    const float along = dot_row(s, ds, i + 1);
    for (int64_t j = 0; j < n; ++j) ds[j] = j <= i ? (ds[j] - along) * s[j] * a.scale : 0.0f;
    drop(s, head, i);
  }
  void add_bias_gradient(const HistoryAttendBackward&, const float*, int64_t) const {}
};

// Scratch: keys and (for the gradient) values transposed, then the blocks of scores, of their gradients, and of
// biases.
struct HistoryScratch {
  int64_t width;
  float *kt, *vt, *s, *ds, *bias;
  PUNA_MEMBER explicit HistoryScratch(const HistoryAttend& a) : width((a.rows + 15) / 16 * 16), kt(a.scratch) {
    vt = kt + (a.heads * a.qk_dim + 15) / 16 * 16 * width;
    s = vt + (a.heads * a.v_dim + 15) / 16 * 16 * width;
    ds = s + kHistoryBlock * width;
    bias = ds + kHistoryBlock * width;
  }
};

// block[i][j] = sum_k x[i][k] transposed[k][j], j < n
PUNA_INLINE void score_block(float* block, int64_t width, const float* x, int64_t x_row, const float* transposed,
                             int64_t depth, int64_t count, int64_t n) {
  for (int64_t i = 0; i < count; ++i)
    for (int64_t j = 0; j < n; j += 16) store(block + i * width + j, splat(0.0f));
  multiply({block, width, 16, x, x_row, 1, transposed, width, depth, n}, count);
}

template <class Row>
static void attend_history(const HistoryAttend& a) {
  const Row row{a};
  const HistoryScratch m(a);
  transpose_history(m.kt, m.width, a.k, a.k_row, a.rows, a.heads * a.qk_dim);
  for (int64_t t = a.first; t < a.rows; t += kHistoryBlock) {
    const int64_t count = a.rows - t < kHistoryBlock ? a.rows - t : kHistoryBlock, keys = t + count,
                  n = (keys + 15) / 16 * 16;
    for (int64_t i = 0; i < count; ++i) row.prepare(m.bias + i * m.width, t + i);
    for (int64_t h = 0; h < a.heads; ++h) {
      score_block(m.s, m.width, a.q + (t - a.first) * a.q_row + h * a.qk_dim, a.q_row, m.kt + h * a.qk_dim * m.width,
                  a.qk_dim, count, n);
      for (int64_t i = 0; i < count; ++i) row.forward(m.s + i * m.width, m.bias + i * m.width, h, t + i, n);
      float* const out = a.out + (t - a.first) * a.out_row + h * a.v_dim;
      for (int64_t i = 0; i < count; ++i) __builtin_memset(out + i * a.out_row, 0, size_t(a.v_dim) * 4);
      multiply({out, a.out_row, 16, m.s, m.width, 1, a.v + h * a.v_dim, a.v_row, keys, a.v_dim}, count);
    }
  }
}

template <class Row>
static void attend_history_backward(const HistoryAttend& a, const HistoryAttendBackward& d) {
  const Row row{a};
  const HistoryScratch m(a);
  transpose_history(m.kt, m.width, a.k, a.k_row, a.rows, a.heads * a.qk_dim);
  transpose_history(m.vt, m.width, a.v, a.v_row, a.rows, a.heads * a.v_dim);
  for (int64_t t = 0; t < a.rows; t += kHistoryBlock) {
    const int64_t count = a.rows - t < kHistoryBlock ? a.rows - t : kHistoryBlock, keys = t + count,
                  n = (keys + 15) / 16 * 16;
    for (int64_t i = 0; i < count; ++i) row.prepare(m.bias + i * m.width, t + i);
    for (int64_t h = 0; h < a.heads; ++h) {
      const float* const q = a.q + t * a.q_row + h * a.qk_dim;
      const float* const dout = d.dout + t * d.dout_row + h * a.v_dim;
      score_block(m.s, m.width, q, a.q_row, m.kt + h * a.qk_dim * m.width, a.qk_dim, count, n);
      score_block(m.ds, m.width, dout, d.dout_row, m.vt + h * a.v_dim * m.width, a.v_dim, count, n);
      for (int64_t i = 0; i < count; ++i) {
        row.backward(m.s + i * m.width, m.ds + i * m.width, m.bias + i * m.width, h, t + i, n);
        row.add_bias_gradient(d, m.ds + i * m.width, t + i);
      }
      multiply({d.dv + h * a.v_dim, d.dv_row, 16, m.s, 1, m.width, dout, d.dout_row, count, a.v_dim}, keys);
      multiply({d.dk + h * a.qk_dim, d.dk_row, 16, m.ds, 1, m.width, q, a.q_row, count, a.qk_dim}, keys);
      multiply({d.dq + t * d.dq_row + h * a.qk_dim, d.dq_row, 16, m.ds, m.width, 1, a.k + h * a.qk_dim, a.k_row, keys,
                a.qk_dim},
               count);
    }
  }
}

static void history_attend(const HistoryAttend& a) {
  if (a.positions)
    attend_history<SiluRow>(a);
  else
    attend_history<SoftmaxRow>(a);
}

static void history_attend_backward(const HistoryAttend& a, const HistoryAttendBackward& d) {
  if (a.positions)
    attend_history_backward<SiluRow>(a, d);
  else
    attend_history_backward<SoftmaxRow>(a, d);
}

}  // namespace puna::PUNA_ISA
