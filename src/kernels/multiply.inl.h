// multiply.inl.h -- c += a b for f32 matrices given by strides, and the two products of a linear layer's backward pass
// made of it. Compiled once per ISA. Every output has one f32 accumulator, and the inner index ascends: kDepth steps at
// a time, stored and reloaded in between, so blocking and threads leave the bits alone.
//   y = x W^T:   dx[t,k] += sum_n dy[t,n] W[n,k]      dW[n,k] += sum_t dy[t,n] x[t,k]
namespace puna::PUNA_ISA {

constexpr int64_t kDepth = 128;        // inner steps between stores: operands of a block stay in the first cache
constexpr int64_t kOuterColumns = 96;  // columns of dW a packed block of x has
constexpr int64_t kBlockWidth = 16 * kRegisterPanels;

// c[i][j] is at c + i c_row + j/16 c_tile + j%16; a[i][k] at a + i a_row + k a_k; b[k][j] at b + k b_k + j, j <
// columns.
struct Factors {
  float* c;
  int64_t c_row, c_tile;
  const float* a;
  int64_t a_row, a_k;
  const float* b;
  int64_t b_k;
  int64_t depth, columns;
};

// R rows by P vectors of columns from (i, j); a vector that is cut short comes alone.
template <int R, int P, bool whole>
PUNA_INLINE void multiply_block(const Factors& m, int64_t i, int64_t j) {
  const int64_t n = whole ? 16 : m.columns - j;
  float* const c = m.c + i * m.c_row + j / 16 * m.c_tile;
  V y[P][R];
  unroll<R>([&](auto r) PUNA_LAMBDA {
    unroll<P>([&](auto p)
                  PUNA_LAMBDA { y[p][r] = whole ? load(c + r * m.c_row + p * m.c_tile) : load_n(c + r * m.c_row, n); });
  });
  const float* a = m.a + i * m.a_row;
  const float* b = m.b + j;
  for (int64_t k = 0; k < m.depth; ++k, a += m.a_k, b += m.b_k) {
    V w[P];
    unroll<P>([&](auto p) PUNA_LAMBDA { w[p] = whole ? load(b + p * 16) : load_n(b, n); });
    unroll<R>([&](auto r) PUNA_LAMBDA {
      const V x = splat(a[r * m.a_row]);
      unroll<P>([&](auto p) PUNA_LAMBDA { y[p][r] = fma(w[p], x, y[p][r]); });
    });
  }
  unroll<R>([&](auto r) PUNA_LAMBDA {
    unroll<P>([&](auto p) PUNA_LAMBDA {
      if (whole)
        store(c + r * m.c_row + p * m.c_tile, y[p][r]);
      else
        store_n(c + r * m.c_row, y[p][r], n);
    });
  });
}

template <int P, bool whole>
static void multiply_columns(const Factors& m, int64_t rows, int64_t j) {
  int64_t i = 0;
  for (; i + kRegisterRows <= rows; i += kRegisterRows) multiply_block<kRegisterRows, P, whole>(m, i, j);
  for (; i < rows; ++i) multiply_block<1, P, whole>(m, i, j);
}

static void multiply(const Factors& m, int64_t rows) {
  int64_t j = 0;
  if constexpr (kRegisterPanels > 1)
    for (; j + kBlockWidth <= m.columns; j += kBlockWidth) multiply_columns<kRegisterPanels, true>(m, rows, j);
  for (; j + 16 <= m.columns; j += 16) multiply_columns<1, true>(m, rows, j);
  if (j < m.columns) multiply_columns<1, false>(m, rows, j);
}

// to[n][k] = columns k0 ... k0 + count of a panel, a row n a line of 32: the panel transposed.
static void transposed_tile(float* to, DType dtype, const uint8_t* panel, int64_t k0, int64_t count) {
  alignas(64) float tile[kGroup * kTileRows];
  tile_f(tile, dtype, panel, k0, count);
  for (int64_t i = count * kTileRows; i < kGroup * kTileRows; ++i) tile[i] = 0.0f;
  transpose16(to, kGroup, tile);
  transpose16(to + 16, kGroup, tile + 16 * kTileRows);
}

// Outputs outside, columns inside: a slice of dy comes from memory once for all columns of the call and lies in the
// second cache between them.
static void gemm_back(const GemmBack& g) {
  alignas(64) float b[kDepth * kGroup];
  const int64_t end = g.k0 + g.k_count;
  for (int64_t n0 = 0; n0 < g.outputs; n0 += kDepth) {
    const int64_t depth = g.outputs - n0 < kDepth ? g.outputs - n0 : kDepth;
    for (int64_t k = g.k0; k < end; k += kGroup) {
      const int64_t columns = end - k < kGroup ? end - k : kGroup;
      for (int64_t n = 0; n < depth; n += kTileRows)
        transposed_tile(b + n * kGroup, g.w.dtype, g.w.data + (n0 + n) / kTileRows * g.w.bytes, k, columns);
      multiply({g.dx + k, g.dx_row, 16, g.dy + n0, g.dy_row, 1, b, kGroup, depth, columns}, g.rows);
    }
  }
}

static void gemm_outer(const GemmOuter& g) {
  alignas(64) float a[kDepth * kOuterColumns], b[kDepth * kBlockWidth];
  const int64_t end = g.k0 + g.k_count;
  for (int64_t k = g.k0; k < end; k += kOuterColumns) {
    const int64_t columns = end - k < kOuterColumns ? end - k : kOuterColumns;
    for (int64_t t0 = 0; t0 < g.rows; t0 += kDepth) {
      const int64_t depth = g.rows - t0 < kDepth ? g.rows - t0 : kDepth;
      for (int64_t t = 0; t < depth; ++t)
        __builtin_memcpy(a + t * kOuterColumns, g.x + (t0 + t) * g.x_row + k, size_t(columns) * 4);
      for (int64_t n = 0; n < g.outputs; n += kBlockWidth) {
        const int64_t left = g.outputs - n, panels = left > kBlockWidth ? kRegisterPanels : (left + 15) / 16;
        for (int64_t t = 0; t < depth; ++t)
          for (int64_t p = 0; p < panels; ++p)
            store(b + t * kBlockWidth + p * 16, load_n(g.dy + (t0 + t) * g.dy_row + n + p * 16, left - p * 16));
        multiply({g.dw + n / 16 * g.panel_floats + k * kTileRows, kTileRows, g.panel_floats, a, 1, kOuterColumns, b,
                  kBlockWidth, depth, panels * 16},
                 columns);
      }
    }
  }
}

}  // namespace puna::PUNA_ISA
