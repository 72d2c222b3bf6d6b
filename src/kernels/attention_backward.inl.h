// attention_backward.inl.h -- gradients of attention for one sequence and one KV head, without the T x T matrix: 64
// queries by 32 keys of it
// are made again at a time from the largest score and the total that the forward pass kept.           arXiv:2205.14135,
// algorithm 4
//   p_ij = e^(scale q_i.k_j - largest_i) / total_i     D_i = dout_i . out_i     ds_ij = scale p_ij (dout_i . v_j - D_i)
//   dq_i += sum_j ds_ij k_j        dk_j += sum_i ds_ij q_i        dv_j += sum_i p_ij dout_i
// Compiled once per ISA.
namespace puna::PUNA_ISA {

constexpr int64_t kQueries = 64, kKeys = 32;

PUNA_INLINE float dot_row(const float* x, const float* y, int64_t n) {
  V s = splat(0.0f);
  for (int64_t i = 0; i < n; i += 16) s = fma(load_n(x + i, n - i), load_n(y + i, n - i), s);
  return sum(s);
}

// to[i][j] = from[j][i] for `keys` rows of n; missing keys are zero.
static void transpose_keys(float* to, const float* from, int64_t from_row, int64_t keys, int64_t n) {
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < kKeys; ++j) to[i * kKeys + j] = j < keys ? from[j * from_row + i] : 0.0f;
}

struct Weights {  // of one block: [kQueries][kKeys] each
  float *p, *ds;
};

// Scores and dout.v become p and ds. Row i is query t0 + i; the keys it sees are [low, t0 + i].
PUNA_INLINE void soften_block(const Weights& w, const AttendBackward& a, int64_t head, int64_t t0, int64_t queries,
                              int64_t j0) {
  for (int64_t i = 0; i < queries; ++i) {
    const int64_t t = t0 + i, chunk_start = a.chunk > 0 ? t / a.chunk * a.chunk : 0,
                  window_start = a.window > 0 && t >= a.window ? t + 1 - a.window : 0,
                  low = (window_start > chunk_start ? window_start : chunk_start) - j0,
                  high = t + 1 - j0;  // of this block's keys
    const float* const state = a.state + t * a.state_row + head * 2;
    const int64_t at = t * a.q_row + head * a.head_dim;
    const V delta = splat(dot_row(a.dout + at, a.out + at, a.head_dim)), scale = splat(a.scale),
            largest = splat(state[0]), total = splat(state[1]);
    for (int64_t j = 0; j < kKeys; j += 16) {
      float *const p = w.p + i * kKeys + j, *const ds = w.ds + i * kKeys + j;
      V score = mul(load(p), scale), slope = scale;
      if (a.softcap != 0.0f) {
        score = capped(score, a.softcap);
        const V part = mul(score, splat(1.0f / a.softcap));
        slope = mul(scale, sub(splat(1.0f), mul(part, part)));
      }
      store(p, div(exp(sub(score, largest)), total));
      for (int64_t n = 0; n < 16; ++n) p[n] = j + n >= low && j + n < high ? p[n] : 0.0f;
      store(ds, mul(mul(load(p), sub(load(ds), delta)), slope));
    }
  }
}

static void attend_backward(const AttendBackward& a) {
  const int64_t d = a.head_dim;
  float *const kt = a.scratch, *const vt = kt + kKeys * d;
  const Weights w{vt + kKeys * d, vt + kKeys * d + kQueries * kKeys};
  for (int64_t j0 = 0; j0 < a.rows; j0 += kKeys) {
    const int64_t keys = a.rows - j0 < kKeys ? a.rows - j0 : kKeys;
    int64_t end = a.rows;  // queries past the last key's chunk see none of these
    if (a.chunk > 0 && (j0 + keys - 1) / a.chunk * a.chunk + a.chunk < end)
      end = (j0 + keys - 1) / a.chunk * a.chunk + a.chunk;
    if (a.window > 0 && j0 + keys - 1 + a.window < end) end = j0 + keys - 1 + a.window;
    const float *const k = a.k + j0 * a.kv_row, *const v = a.v + j0 * a.kv_row;
    transpose_keys(kt, k, a.kv_row, keys, d);
    transpose_keys(vt, v, a.kv_row, keys, d);
    for (int64_t h = 0; h < a.grouped; ++h)
      for (int64_t t0 = j0; t0 < end; t0 += kQueries) {
        const int64_t queries = end - t0 < kQueries ? end - t0 : kQueries, at = t0 * a.q_row + h * d;
        for (int64_t i = 0; i < 2 * kQueries * kKeys; ++i) w.p[i] = 0.0f;
        multiply({w.p, kKeys, 16, a.q + at, a.q_row, 1, kt, kKeys, d, kKeys}, queries);
        multiply({w.ds, kKeys, 16, a.dout + at, a.q_row, 1, vt, kKeys, d, kKeys}, queries);
        soften_block(w, a, h, t0, queries, j0);
        multiply({a.dv + j0 * a.kv_row, a.kv_row, 16, w.p, 1, kKeys, a.dout + at, a.q_row, queries, d}, keys);
        multiply({a.dk + j0 * a.kv_row, a.kv_row, 16, w.ds, 1, kKeys, a.q + at, a.q_row, queries, d}, keys);
        multiply({a.dq + at, a.q_row, 16, w.ds, kKeys, 1, k, a.kv_row, keys, d}, queries);
      }
  }
}

}  // namespace puna::PUNA_ISA
