// attention.inl.h -- query rows against one head's keys and values, online softmax a page at a time. Compiled once per
// ISA.
//   s_j = scale q.k_j;  m = running max;  total = sum e^(s_j - m);  out = sum e^(s_j - m) v_j          arXiv:2205.14135
// Both halves are products in register blocks, kRegisterRows rows share each load of a key or value: scores with a key
// a lane (keys lie 16 to a tile, dimension by dimension), sums with a dimension a lane. Every output has one
// accumulator in a fixed order, pages start at absolute positions, so prefill, decode, batches and forks give the same
// bits, whatever rows are computed together.
namespace puna::PUNA_ISA {

constexpr float kLowest = -3.402823466e38f;

// How pages hold head_dim numbers: as they are, or as GGUF's Q8_0, blocks of 32 with one f16 scale. A tile is 16 keys;
// `block` dimensions of it, from a multiple of that, share key_scale's 16 scales.
template <class T>
struct PlainKv {
  static constexpr int64_t bytes(int64_t head_dim) { return head_dim * int64_t(sizeof(T)); }
  static constexpr int64_t block(int64_t head_dim) { return head_dim; }
  PUNA_INLINE V load_all(const float* p) { return load(p); }
  PUNA_INLINE V load_all(const uint16_t* p) { return load_f16(p); }
  PUNA_INLINE V load_some(const float* p, int64_t n) { return load_n(p, n); }
  PUNA_INLINE V load_some(const uint16_t* p, int64_t n) { return load_f16_n(p, n); }
  PUNA_INLINE V key_scale(const uint8_t*) { return splat(1.0f); }  // never multiplied with
  PUNA_INLINE V key(const uint8_t* block, int64_t i, V) { return load_all(reinterpret_cast<const T*>(block) + i * 16); }
  template <bool whole>
  PUNA_INLINE V value(const uint8_t* row, int64_t i, int64_t n) {
    const T* p = reinterpret_cast<const T*>(row) + i;
    return whole ? load_all(p) : load_some(p, n);
  }
};
struct Q8Kv {
  static constexpr int64_t bytes(int64_t head_dim) { return head_dim / 32 * 34; }
  static constexpr int64_t block(int64_t) { return 32; }
  PUNA_INLINE V key_scale(const uint8_t* block) { return load_f16(reinterpret_cast<const uint16_t*>(block)); }
  PUNA_INLINE V key(const uint8_t* block, int64_t i, V scale) {
    return mul(to_float(iload_i8(block + 32 + i * 16)), scale);
  }
  template <bool>
  PUNA_INLINE V value(const uint8_t* row, int64_t i, int64_t) {
    const uint8_t* block = row + i / 32 * 34;
    return mul(to_float(iload_i8(block + 2 + i % 32)), splat(from_f16(*reinterpret_cast<const uint16_t*>(block))));
  }
};

struct PageScores {
  alignas(64) float s[kMaxPage];
};  // of one row; then e^(s - m)

// scores[r].s = scale * q_r . k for P tiles of 16 keys from `k`, capped if asked. head_dim values of q in ascending
// order.
template <class Kv, int R, int P>
PUNA_INLINE void score_tiles(PageScores* scores, int64_t tile, const AttendRow* rows, const uint8_t* k,
                             int64_t head_dim, float scale, float softcap) {
  V s[P][R];
  clear_y<R, P>(s);
  const int64_t tile_bytes = 16 * Kv::bytes(head_dim), block = Kv::block(head_dim);
  const uint8_t* from = k + tile * tile_bytes;
  for (int64_t i0 = 0; i0 < head_dim; i0 += block, from += 16 * Kv::bytes(block)) {
    V scales[P];
    unroll<P>([&](auto p) PUNA_LAMBDA { scales[p] = Kv::key_scale(from + p * tile_bytes); });
    for (int64_t i = 0; i < block; ++i) {
      V key[P];
      unroll<P>([&](auto p) PUNA_LAMBDA { key[p] = Kv::key(from + p * tile_bytes, i, scales[p]); });
      unroll<R>([&](auto r) PUNA_LAMBDA {
        const V q = splat(rows[r].q[i0 + i]);
        unroll<P>([&](auto p) PUNA_LAMBDA { s[p][r] = fma(key[p], q, s[p][r]); });
      });
    }
  }
  unroll<R>([&](auto r) PUNA_LAMBDA {
    unroll<P>([&](auto p) PUNA_LAMBDA { store(scores[r].s + (tile + p) * 16, mul(s[p][r], splat(scale))); });
  });
  if (softcap == 0.0f) return;
  unroll<R>([&](auto r) PUNA_LAMBDA {
    for (int p = 0; p < P; ++p) {
      float* const tile_scores = scores[r].s + (tile + p) * 16;
      store(tile_scores, capped(load(tile_scores), softcap));
    }
  });
}

// Online softmax (arXiv:1805.02867): scores of `count` keys become weights; the row's maximum, total and sums so far
// are rescaled to the new maximum. The first `hidden` of them lie before the row's window.
PUNA_INLINE void update_online_softmax(PageScores& scores, const AttendRow& row, int64_t hidden, int64_t count,
                                       int64_t head_dim) {
  float* const s = scores.s;
  const int64_t tiles = (count + 15) / 16;
  for (int64_t j = 0; j < hidden; ++j) s[j] = kLowest;
  for (int64_t j = count; j < tiles * 16; ++j) s[j] = kLowest;
  V most = load(s);
  for (int64_t t = 1; t < tiles; ++t) most = max(most, load(s + t * 16));
  const float largest = row.state[0], page_largest = max_all(most),
              next = page_largest > largest ? page_largest : largest;
  V sums = splat(0.0f);
  for (int64_t t = 0; t < tiles; ++t) {
    store(s + t * 16, exp(sub(load(s + t * 16), splat(next))));
    for (int64_t j = count; j < (t + 1) * 16; ++j) s[j] = 0.0f;  // the last tile's masked keys
    for (int64_t j = t * 16; j < hidden && j < (t + 1) * 16; ++j) s[j] = 0.0f;
    sums = add(sums, load(s + t * 16));
  }
  alignas(64) float kept[16];
  store(kept, exp(splat(largest - next)));  // what the earlier pages' weights shrink by; e^0 is exactly 1
  row.state[0] = next;
  row.state[1] = __builtin_fmaf(row.state[1], kept[0], sum(sums));
  if (kept[0] == 1.0f) return;
  for (int64_t i = 0; i < head_dim; i += 16)
    store_n(row.out + i, mul(load_n(row.out + i, head_dim - i), splat(kept[0])), head_dim - i);
}

// out[r][i .. i + 16 P) += weights[r] . v over keys [first, last), ascending.
template <class Kv, int R, int P>
PUNA_INLINE void add_values(const PageScores* weights, const AttendRow* rows, const uint8_t* v, int64_t i,
                            int64_t first, int64_t last, int64_t head_dim) {
  const int64_t n = head_dim - i;  // lanes that exist; only the last vector of a row may be short, and P = 1 then
  const int64_t row_bytes = Kv::bytes(head_dim);
  V y[P][R];
  unroll<R>([&](auto r) PUNA_LAMBDA {
    unroll<P>([&](auto p)
                  PUNA_LAMBDA { y[p][r] = P > 1 ? load(rows[r].out + i + p * 16) : load_n(rows[r].out + i, n); });
  });
  for (int64_t j = first; j < last; ++j) {
    V value[P];
    unroll<P>([&](auto p) PUNA_LAMBDA { value[p] = Kv::template value<(P > 1)>(v + j * row_bytes, i + p * 16, n); });
    unroll<R>([&](auto r) PUNA_LAMBDA {
      const V w = splat(weights[r].s[j]);
      unroll<P>([&](auto p) PUNA_LAMBDA { y[p][r] = fma(w, value[p], y[p][r]); });
    });
  }
  unroll<R>([&](auto r) PUNA_LAMBDA {
    unroll<P>([&](auto p) PUNA_LAMBDA {
      if (P > 1)
        store(rows[r].out + i + p * 16, y[p][r]);
      else
        store_n(rows[r].out + i, y[p][r], n);
    });
  });
}

template <class Kv, int R>
PUNA_INLINE void add_all_values(const PageScores* weights, const AttendRow* rows, const uint8_t* v, int64_t first,
                                int64_t last, int64_t head_dim) {
  int64_t i = 0;
  for (; i + 32 <= head_dim; i += 32) add_values<Kv, R, 2>(weights, rows, v, i, first, last, head_dim);
  for (; i < head_dim; i += 16) add_values<Kv, R, 1>(weights, rows, v, i, first, last, head_dim);
}

// R rows against the keys of one page that they see: start ... start + page_size, each up to its own end (ascending).
template <class Kv, int R>
static void attend_page(const Attend& a, const AttendRow* rows, const uint8_t* k, const uint8_t* v, int64_t start) {
  const int64_t page_size = a.kv.page_size, high = a.high, head_dim = a.head_dim;
  const float scale = a.scale, softcap = a.softcap;
  PageScores scores[R];
  const auto count = [&](const AttendRow& row) {
    const int64_t end = row.high < high ? row.high : high;
    return end - start < page_size ? end - start : page_size;
  };
  const int64_t tiles = (count(rows[R - 1]) + 15) / 16, common = count(rows[0]);
  int64_t tile = 0;
  for (; tile + 2 <= tiles; tile += 2) score_tiles<Kv, R, 2>(scores, tile, rows, k, head_dim, scale, softcap);
  for (; tile < tiles; ++tile) score_tiles<Kv, R, 1>(scores, tile, rows, k, head_dim, scale, softcap);
  for (int r = 0; r < R; ++r)
    update_online_softmax(scores[r], rows[r], rows[r].first - start, count(rows[r]), head_dim);
  add_all_values<Kv, R>(scores, rows, v, 0, common, head_dim);
  if constexpr (R > 1)  // keys that only the later rows see
    for (int r = 1; r < R; ++r)
      if (count(rows[r]) > common) add_all_values<Kv, 1>(scores + r, rows + r, v, common, count(rows[r]), head_dim);
}

template <class Kv>
static void attend(const Attend& a) {
  const AttendRow* const rows = a.rows;
  const KvPages& kv = a.kv;
  const int64_t count = a.count, head_dim = a.head_dim;
  for (int64_t r = 0; r < count; ++r) {
    rows[r].state[0] = kLowest;
    rows[r].state[1] = 0.0f;
    for (int64_t i = 0; i < head_dim; ++i) rows[r].out[i] = 0.0f;
  }
  const int64_t key_tiles = (kv.page_size + 15) / 16;
  int64_t r0 = 0;  // rows that see no key of this page are done
  for (int64_t start = a.low; start < a.high; start += kv.page_size) {
    while (r0 < count && rows[r0].high <= start) ++r0;
    const uint8_t* k =
        static_cast<const uint8_t*>(kv.k[start / kv.page_size]) + kv.head * key_tiles * 16 * Kv::bytes(head_dim);
    const uint8_t* v =
        static_cast<const uint8_t*>(kv.v[start / kv.page_size]) + kv.head * kv.page_size * Kv::bytes(head_dim);
    int64_t r = r0;
    for (; r + kRegisterRows <= count; r += kRegisterRows) attend_page<Kv, kRegisterRows>(a, rows + r, k, v, start);
    for (; r + 3 <= count && kRegisterRows > 3; r += 3) attend_page<Kv, 3>(a, rows + r, k, v, start);
    for (; r < count; ++r) attend_page<Kv, 1>(a, rows + r, k, v, start);
  }
}

constexpr auto attend_f32 = attend<PlainKv<float>>;
constexpr auto attend_f16 = attend<PlainKv<uint16_t>>;
constexpr auto attend_q8 = attend<Q8Kv>;

// (largest, total, out) of positions [.., x) and [x, ..) become those of both.
static void merge_attention(float* out, float* state, const float* later_out, const float* later_state,
                            int64_t head_dim) {
  const float next = later_state[0] > state[0] ? later_state[0] : state[0];
  alignas(64) float kept[16], taken[16];
  store(kept, exp(splat(state[0] - next)));
  store(taken, exp(splat(later_state[0] - next)));
  state[0] = next;
  state[1] = __builtin_fmaf(later_state[1], taken[0], state[1] * kept[0]);
  for (int64_t i = 0; i < head_dim; i += 16) {
    const int64_t n = head_dim - i;
    store_n(out + i, fma(load_n(later_out + i, n), splat(taken[0]), mul(load_n(out + i, n), splat(kept[0]))), n);
  }
}

static void finish_attention(float* out, const float* state, int64_t head_dim) {
  for (int64_t i = 0; i < head_dim; i += 16)
    store_n(out + i, div(load_n(out + i, head_dim - i), splat(state[1])), head_dim - i);
}

}  // namespace puna::PUNA_ISA
