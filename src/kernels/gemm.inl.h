// gemm.inl.h -- products of panels (16 weight rows, a lane each) with rows of activations. Compiled once per ISA.
//   y[t,r] = sum_k w[r,k] x[t,k]: one f32 accumulator an output, groups of 32 columns in ascending order, whatever the
//   blocking:
//   acc = fma(float(sum (q - offset) xq), d * xd, acc), for each half where the format has halves; then
//   acc = fma(dm, xd * sum xq, acc) where it has minimums. Integer sums are exact in any order.
// Few rows (at most kFewRows, kRowsAtOnce together) read the panel once, decoded in registers (gemv): its way from
// memory and its products overlap. Many rows reuse decoded groups from L1 (tiles), kRegisterRows rows by
// kRegisterPanels panels in registers.
namespace puna::PUNA_ISA {

#define PUNA_LAMBDA __attribute__((always_inline))

PUNA_INLINE int32_t load_x4(const int8_t* x) {
  int32_t v;
  __builtin_memcpy(&v, x, 4);
  return v;
}

// f(Index<0>) ... f(Index<N-1>), written out at compile time: register blocks are arrays, and compilers keep an array
// in registers only when every index is a constant before they optimise.
template <int N>
struct Index {
  static constexpr int value = N;
  PUNA_MEMBER constexpr operator int() const { return N; }
};
template <int N, class F>
PUNA_INLINE void unroll(F&& f) {
  if constexpr (N > 0) {
    unroll<N - 1>(f);
    f(Index<N - 1>());
  }
}

// What add_group needs of a format, as constants.
template <int32_t offset, int32_t most, bool halves, bool minimum>
struct Format {
  enum : int {
    kOffset = most == 255 ? kByteOffset : offset,
    kMost = most,
    kHalves = halves ? 2 : 1,
    kSteps = 8 / kHalves,
    kMinimum = minimum
  };
  // Where 16-bit sums of pairs come first: so many steps of them fit before they are widened (none for quants of eight
  // bits).
  enum : int { kPairSteps = kPairSums ? 32767 / (2 * 127 * kMost) : 0 };
};
template <DType T>
using FormatOf = Format<traits(T).offset, traits(T).most, traits(T).halves, traits(T).minimum>;

// y[p][r] += product of half h of a group, for R rows and P panels. tile(p) gives the group of panel p.
template <class F, int h, int R, int P, class TileOf>
PUNA_INLINE void add_half(V (&y)[P][R], TileOf&& tile, const QRow* x, int64_t g) {
  VI dot[P][R];
  unroll<R>([&](auto r) PUNA_LAMBDA {
    const int32_t* sums = x[r].sum + 2 * g;
    const VI start = isplat(F::kOffset == 0 ? 0 : -F::kOffset * (F::kHalves == 2 ? sums[h] : sums[0] + sums[1]));
    unroll<P>([&](auto p) PUNA_LAMBDA { dot[p][r] = start; });
  });
  [[maybe_unused]] VB pairs[P][R];
  unroll<F::kSteps>([&](auto step) PUNA_LAMBDA {
    constexpr int s = decltype(step)::value, i = h * F::kSteps + s;
    VB w[P];
    unroll<P>([&](auto p) PUNA_LAMBDA { w[p] = tile(p).quants(i); });
    unroll<R>([&](auto r) PUNA_LAMBDA {
      const int32_t x4 = load_x4(x[r].q + g * kGroup + 4 * i);
      unroll<P>([&](auto p) PUNA_LAMBDA {
        if constexpr (F::kPairSteps == 0) {
          dot[p][r] = dot4<F::kMost>(dot[p][r], w[p], x4);
        } else {
          pairs[p][r] = s % F::kPairSteps == 0 ? dot2(w[p], x4) : add_dot2(pairs[p][r], w[p], x4);
          if constexpr (s % F::kPairSteps == F::kPairSteps - 1 || s == F::kSteps - 1)
            dot[p][r] = add_pairs(dot[p][r], pairs[p][r]);
        }
      });
    });
  });
  unroll<R>([&](auto r) PUNA_LAMBDA {
    const V xd = splat(x[r].d[g]);
    unroll<P>([&](auto p) PUNA_LAMBDA { y[p][r] = fma(to_float(dot[p][r]), mul(tile(p).scale(h), xd), y[p][r]); });
  });
}

template <class F, int h, int R, int P, class TileOf>
PUNA_INLINE void add_minimum(V (&y)[P][R], TileOf&& tile, const QRow* x, int64_t g) {
  unroll<R>([&](auto r) PUNA_LAMBDA {
    const V scaled = splat(F::kHalves == 2 ? x[r].scaled16[2 * g + h] : x[r].scaled32[g]);
    unroll<P>([&](auto p) PUNA_LAMBDA { y[p][r] = fma(tile(p).minimum(h), scaled, y[p][r]); });
  });
}

template <class F, int R, int P, class TileOf>
PUNA_INLINE void add_group(V (&y)[P][R], TileOf&& tile, const QRow* x, int64_t g) {
  add_half<F, 0, R, P>(y, tile, x, g);
  if constexpr (F::kHalves == 2) add_half<F, 1, R, P>(y, tile, x, g);
  if constexpr (F::kMinimum) {
    add_minimum<F, 0, R, P>(y, tile, x, g);
    if constexpr (F::kHalves == 2) add_minimum<F, 1, R, P>(y, tile, x, g);
  }
}

struct RegisterTile {  // a group just decoded
  const Group& g;
  PUNA_MEMBER VB quants(int i) const { return g.q[i]; }
  PUNA_MEMBER V scale(int h) const { return g.d[h]; }
  PUNA_MEMBER V minimum(int h) const { return g.dm[h]; }
};

template <int R, int P>
PUNA_INLINE void clear_y(V (&y)[P][R]) {
  unroll<P>([&](auto p) PUNA_LAMBDA { unroll<R>([&](auto r) PUNA_LAMBDA { y[p][r] = splat(0.0f); }); });
}
template <int R, int P>
PUNA_INLINE void load_y(V (&y)[P][R], float* const* out) {
  unroll<P>([&](auto p)
                PUNA_LAMBDA { unroll<R>([&](auto r) PUNA_LAMBDA { y[p][r] = load(out[r] + p * kTileRows); }); });
}
template <int R, int P>
PUNA_INLINE void store_y(float* const* out, const V (&y)[P][R]) {
  unroll<P>([&](auto p)
                PUNA_LAMBDA { unroll<R>([&](auto r) PUNA_LAMBDA { store(out[r] + p * kTileRows, y[p][r]); }); });
}

// How many bytes ahead of its use a panel is asked for: the products of several rows are too many for the processor to
// see the next loads behind them. For one row it does, and asking costs.
constexpr int64_t kAhead = 2048;

// One panel, R rows, all of K: the panel streams through registers once.
template <DType T, int R>
static void gemv_q(float* const* y, const Panels& w, const QRow* x) {
  V acc[1][R];
  clear_y<R, 1>(acc);
  const int64_t groups = w.K / kGroup, group_bytes = w.bytes / groups;
  for (int64_t g = 0; g < groups; ++g) {
    if constexpr (R > 1)
      for (int64_t b = 0; b < group_bytes; b += 64) __builtin_prefetch(w.data + g * group_bytes + kAhead + b);
    Group group;
    decode_group<T>(group, w.data, g);
    add_group<FormatOf<T>, R, 1>(
        acc, [&](int) PUNA_LAMBDA { return RegisterTile{group}; }, x, g);
  }
  store_y<R, 1>(y, acc);
}

// Calls f(y, x, Index<R>) for blocks of R rows and smaller ones of what is left. More than half a block is filled up
// with copies of its last row: cheaper than decoding the panel once more.
template <int R, class X, class F>
PUNA_INLINE void each_few_rows(float* const* y, const X* x, int64_t rows, F&& f) {
  for (; rows >= R; rows -= R, y += R, x += R) f(y, x, Index<R>());
  if (2 * rows > R) {
    alignas(64) float unused[kTileRows];
    float* out[R];
    X filled[R];
    for (int64_t r = 0; r < R; ++r) {
      out[r] = r < rows ? y[r] : unused;
      filled[r] = x[r < rows ? r : rows - 1];
    }
    f(static_cast<float* const*>(out), static_cast<const X*>(filled), Index<R>());
  } else if constexpr (R > 1) {
    each_few_rows<R / 2>(y, x, rows, f);
  }
}

constexpr int64_t kChunkGroups = 8;  // 256 columns: kRegisterPanels tiles of 6 KB

// Calls f(r0, Index<R>) over all rows: blocks of kRegisterRows, then single rows. A lone panel takes single rows only:
// it comes once a matrix at most, and every further block size is another copy of every format's loop.
template <int P, class F>
PUNA_INLINE void each_row_block(int64_t rows, F&& f) {
  constexpr int kRows = P == kRegisterPanels ? kRegisterRows : 1;
  int64_t r = 0;
  for (; r + kRows <= rows; r += kRows) f(r, Index<kRows>());
  if constexpr (kRows > 1)
    for (; r < rows; ++r) f(r, Index<1>());
}

// `w` from panel p on.
PUNA_INLINE Panels from_panel(const Panels& w, int64_t p) { return {w.dtype, w.data + p * w.bytes, w.bytes, w.K}; }

template <class F, int P>
static void gemm_q_panels(float* const* y, const Panels& w, StoreGroups store_them, const QRow* x, int64_t rows) {
  const int64_t groups = w.K / kGroup;
  StoredGroup tile[P][kChunkGroups];
  for (int64_t g0 = 0; g0 < groups; g0 += kChunkGroups) {
    const int64_t count = groups - g0 < kChunkGroups ? groups - g0 : kChunkGroups;
    for (int p = 0; p < P; ++p) store_them(tile[p], w.data + p * w.bytes, g0, count);
    each_row_block<P>(rows, [&](int64_t r0, auto n) PUNA_LAMBDA {
      constexpr int R = decltype(n)::value;
      V acc[P][R];
      if (g0 == 0)
        clear_y<R, P>(acc);
      else
        load_y<R, P>(acc, y + r0);
      for (int64_t g = 0; g < count; ++g)
        add_group<F, R, P>(
            acc, [&](int p) PUNA_LAMBDA -> const StoredGroup& { return tile[p][g]; }, x + r0, g0 + g);
      store_y<R, P>(y + r0, acc);
    });
  }
}

// y[t][0 .. 16 panels) for `rows` rows. Formats of integers.
void gemm_q(float* const* y, const Panels& w, int64_t panel_count, const QRow* x, int64_t rows) {
  with_integers(w.dtype, [&](auto tag) {
    constexpr DType T = decltype(tag)::value;
    float* out[kMaxRows];
    for (int64_t p = 0; p < panel_count;) {
      for (int64_t t = 0; t < rows; ++t) out[t] = y[t] + p * kTileRows;
      const Panels here = from_panel(w, p);
      if (rows <= kFewRows) {
        each_few_rows<kRowsAtOnce>(out, x, rows, [&](float* const* to, const QRow* from, auto n) PUNA_LAMBDA {
          gemv_q<T, decltype(n)::value>(to, here, from);
        });
        ++p;
      } else if (panel_count - p >= kRegisterPanels && kRegisterPanels > 1) {
        gemm_q_panels<FormatOf<T>, kRegisterPanels>(out, here, store_groups<T>, x, rows);
        p += kRegisterPanels;
      } else {
        gemm_q_panels<FormatOf<T>, 1>(out, here, store_groups<T>, x, rows);
        ++p;
      }
    }
  });
}

// The same for any type against f32 rows: acc = fma(w, x, acc) in ascending k.
template <int R, int P, class Columns>
PUNA_INLINE void add_columns(V (&y)[P][R], Columns&& column, const float* const* x, int64_t k0, int64_t count) {
  for (int64_t k = 0; k < count; ++k) {
    V w[P];
    unroll<P>([&](auto p) PUNA_LAMBDA { w[p] = column(p, k); });
    unroll<R>([&](auto r) PUNA_LAMBDA {
      const V xk = splat(x[r][k0 + k]);
      unroll<P>([&](auto p) PUNA_LAMBDA { y[p][r] = fma(w[p], xk, y[p][r]); });
    });
  }
}

constexpr int64_t kChunkColumns = 128;  // 8 KB of f32 a panel

template <int P>
static void gemm_f_panels(float* const* y, const Panels& w, const float* const* x, int64_t rows) {
  alignas(64) float tile[P][kChunkColumns * kTileRows];
  for (int64_t k0 = 0; k0 < w.K; k0 += kChunkColumns) {
    const int64_t count = w.K - k0 < kChunkColumns ? w.K - k0 : kChunkColumns;
    for (int p = 0; p < P; ++p) tile_f(tile[p], w.dtype, w.data + p * w.bytes, k0, count);
    each_row_block<P>(rows, [&](int64_t r0, auto n) PUNA_LAMBDA {
      constexpr int R = decltype(n)::value;
      V acc[P][R];
      if (k0 == 0)
        clear_y<R, P>(acc);
      else
        load_y<R, P>(acc, y + r0);
      add_columns<R, P>(
          acc, [&](int p, int64_t k) PUNA_LAMBDA { return load(tile[p] + k * kTileRows); }, x + r0, k0, count);
      store_y<R, P>(y + r0, acc);
    });
  }
}

// R rows against a plain panel straight from memory.
template <DType T, int R>
static void gemv_f(float* const* y, const uint8_t* panel, int64_t K, const float* const* x) {
  V acc[1][R];
  clear_y<R, 1>(acc);
  add_columns<R, 1>(
      acc, [&](int, int64_t k) PUNA_LAMBDA { return plain_lanes<T>(panel, k); }, x, 0, K);
  store_y<R, 1>(y, acc);
}

static void gemm_f(float* const* y, const Panels& w, int64_t panel_count, const float* const* x, int64_t rows) {
  float* out[kMaxRows];
  for (int64_t p = 0; p < panel_count;) {
    for (int64_t t = 0; t < rows; ++t) out[t] = y[t] + p * kTileRows;
    const Panels here = from_panel(w, p);
    if (rows <= kFewRows && w.dtype <= DType::bf16) {
      with_plain(w.dtype, [&](auto tag) {
        each_few_rows<kRowsAtOnce>(out, x, rows, [&](float* const* to, const float* const* from, auto n) PUNA_LAMBDA {
          gemv_f<decltype(tag)::value, decltype(n)::value>(to, here.data, w.K, from);
        });
      });
      ++p;
    } else if (panel_count - p >= kRegisterPanels && kRegisterPanels > 1) {
      gemm_f_panels<kRegisterPanels>(out, here, x, rows);
      p += kRegisterPanels;
    } else {
      gemm_f_panels<1>(out, here, x, rows);
      ++p;
    }
  }
}

}  // namespace puna::PUNA_ISA
