// gemm.inl.h -- products of one weight tile (16 rows, one a lane) with T activation rows. Compiled once per ISA.
//   acc[t,r] += sum_k w[r,k] x[t,k]: one f32 accumulator an output, ascending k; acc is loaded and stored, so splitting k changes nothing.
// Integer dots inside a group of 32 are exact in any order; then one fma with the product of the two scales.
namespace puna::PUNA_ISA {

PUNA_INLINE VI dot16(VI acc, const uint8_t (*q)[kTileRows][4], const int8_t* x) {  // 16 columns
  for (int k = 0; k < 4; ++k) acc = dot4(acc, &q[k][0][0], x + 4 * k);
  return acc;
}

template <bool kSubscales, bool kMinimum>
PUNA_INLINE void gemm_q_rows(float* acc, int64_t acc_stride, const QTile* tiles, int64_t groups, int32_t offset, const QRow* x, int64_t T) {
  for (int64_t t = 0; t < T; ++t) {
    V y = load(acc + t * acc_stride);
    for (int64_t g = 0; g < groups; ++g) {
      const QTile& w = tiles[g];
      const int8_t* xq = x[t].q + g * kGroup;
      const int32_t sum0 = x[t].sum[2 * g], sum1 = x[t].sum[2 * g + 1];
      const V xd = splat(x[t].d[g]);
      VI dot;
      if constexpr (kSubscales) {
        const VI a = isub(dot16(isplat(0), w.q, xq), isplat(offset * sum0));
        const VI b = isub(dot16(isplat(0), w.q + 4, xq + 16), isplat(offset * sum1));
        dot = iadd(imul(a, iload(w.s[0])), imul(b, iload(w.s[1])));
      } else {
        dot = dot16(dot16(isplat(-offset * (sum0 + sum1)), w.q, xq), w.q + 4, xq + 16);
      }
      y = fma(to_float(dot), mul(load(w.d), xd), y);
      if constexpr (kMinimum) {
        const VI low = kSubscales ? iadd(imul(iload(w.m[0]), isplat(sum0)), imul(iload(w.m[1]), isplat(sum1))) : isplat(sum0 + sum1);
        y = fma(to_float(low), mul(load(w.dm), xd), y);
      }
    }
    store(acc + t * acc_stride, y);
  }
}

static void gemm_q(float* acc, int64_t acc_stride, const QTile* tiles, int64_t groups, QFormat f, const QRow* x, int64_t T) {
  if (f.subscales && f.minimum) gemm_q_rows<true, true>(acc, acc_stride, tiles, groups, f.offset, x, T);
  else if (f.subscales) gemm_q_rows<true, false>(acc, acc_stride, tiles, groups, f.offset, x, T);
  else if (f.minimum) gemm_q_rows<false, true>(acc, acc_stride, tiles, groups, f.offset, x, T);
  else gemm_q_rows<false, false>(acc, acc_stride, tiles, groups, f.offset, x, T);
}

// tile: [count][16] f32.
static void gemm_f(float* acc, int64_t acc_stride, const float* tile, int64_t count, const float* const* x, int64_t T) {
  int64_t t = 0;
  for (; t + 4 <= T; t += 4) {  // four rows at a time: independent chains, same order in each
    float* y = acc + t * acc_stride;
    V y0 = load(y), y1 = load(y + acc_stride), y2 = load(y + 2 * acc_stride), y3 = load(y + 3 * acc_stride);
    for (int64_t k = 0; k < count; ++k) {
      const V w = load(tile + k * kTileRows);
      y0 = fma(w, splat(x[t][k]), y0);
      y1 = fma(w, splat(x[t + 1][k]), y1);
      y2 = fma(w, splat(x[t + 2][k]), y2);
      y3 = fma(w, splat(x[t + 3][k]), y3);
    }
    store(y, y0);
    store(y + acc_stride, y1);
    store(y + 2 * acc_stride, y2);
    store(y + 3 * acc_stride, y3);
  }
  for (; t < T; ++t) {
    V y = load(acc + t * acc_stride);
    for (int64_t k = 0; k < count; ++k) y = fma(load(tile + k * kTileRows), splat(x[t][k]), y);
    store(acc + t * acc_stride, y);
  }
}

}  // namespace puna::PUNA_ISA
