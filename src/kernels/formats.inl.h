// formats.inl.h -- the block formats, decoded from panels: one function a format. Integer products, f32 tiles and
// dequantised rows all come from it. Compiled once per ISA.
// Layouts: the GGUF block formats (github.com/ggml-org/ggml, ggml-common.h), interleaved as panel.h says: offset o in a
// file's block is offset 16 o in a panel's.
namespace puna::PUNA_ISA {

// Q3_K's quants in two places: two bits from bit low_shift of 32 bytes a row, the third from bit high_shift of 32
// others.
PUNA_INLINE void two_and_one_bits(VB* q, const uint8_t* low, int low_shift, const uint8_t* high, int high_shift) {
  for (int i = 0; i < 8; ++i) {
    q[i] =
        bor(bshr(bmove(bload(low + 64 * i), low_shift), 0, 3), bshr(bmove(bload(high + 64 * i), high_shift - 2), 0, 4));
  }
}
// A group of 4 + high bits a quant as panel.h has it: 16 bytes of nibbles a row, then `high` words of upper bits.
template <int high>
PUNA_INLINE void grouped_quants(VB* q, const uint8_t* p) {
  nibbles(q, p);
  if constexpr (high > 0) {
    constexpr int kShare = 8 / high;  // vectors of quants that share a word
    for (int i = 0; i < 8; ++i)
      q[i] = bor(q[i],
                 bshr(bmove(bload(p + 256 + 64 * (i / kShare)), high * (i % kShare) - 4), 0, high == 1 ? 0x10 : 0x30));
  }
}
// Bit k of a 32-bit word a row becomes bit 4 of column k: four bits are spread to four bytes by shifts.
PUNA_INLINE void add_fifth_bits(VB* q, VI high) {
  for (int i = 0; i < 8; ++i) {
    const VI four = iand(ishr(high, 4 * i), 15);
    const VI spread = iand(ior(ior(four, ishl(four, 7)), ior(ishl(four, 14), ishl(four, 21))), 0x01010101);
    q[i] = bor(q[i], as_bytes(ishl(spread, 4)));
  }
}
// The 6-bit scale and minimum of sub-block j of Q4_K and Q5_K, packed in 12 bytes a row: d = d_block * scale, dm =
// -dmin * minimum.
PUNA_INLINE void k_scales(Group& g, const uint8_t* block, int j) {
  const uint8_t* p = block + 16 * 4;
  const auto byte = [&](int n) { return iload_u8(p + 16 * n); };
  VI s, m;
  if (j < 4) {
    s = iand(byte(j), 63);
    m = iand(byte(j + 4), 63);
  } else {
    s = ior(iand(byte(j + 4), 15), ishl(ishr(byte(j - 4), 6), 4));
    m = ior(ishr(byte(j + 4), 4), ishl(ishr(byte(j), 6), 4));
  }
  g.d[0] = mul(f16_lanes(block), to_float(s));
  g.dm[0] = mul(negate(f16_lanes(block + 32)), to_float(m));
}

// The signed table of IQ4 (llama.cpp's "non-linear" levels) plus 128.
alignas(16) static const uint8_t kIq4Table[16] = {1,   24,  45,  63,  79,  93,  106, 118,
                                                  129, 141, 153, 166, 181, 197, 217, 241};
PUNA_INLINE void iq4_values(VB* q) {
  for (int i = 0; i < 8; ++i) q[i] = blookup(q[i], kIq4Table);
}

// Twice the sixteen values of E2M1, plus 12.
alignas(16) static const uint8_t kE2m1Table[16] = {12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0};
// Half of 2^(e - 127) a lane: an f32 with e as its exponent, or for e = 0 the denormal 2^-127, halved exactly.
PUNA_INLINE V half_powers(const uint8_t* exponents) {
  const VI e = iload_u8(exponents), is_zero = ishr(isub(e, isplat(1)), 31);
  return mul(as_floats(ior(ishl(e, 23), ishl(is_zero, 22))), splat(0.5f));
}

// Columns 32 j .. 32 j + 31 of the panel block at `b`.
template <DType T>
PUNA_INLINE void decode(Group& g, const uint8_t* b, int j) {
  if constexpr (T == DType::q4_0) {
    g.d[0] = f16_lanes(b);
    nibbles(g.q, b + 16 * 2);
  } else if constexpr (T == DType::q4_1) {
    g.d[0] = f16_lanes(b);
    g.dm[0] = f16_lanes(b + 16 * 2);
    nibbles(g.q, b + 16 * 4);
  } else if constexpr (T == DType::q5_0 || T == DType::q5_1) {
    constexpr int kHead = T == DType::q5_0 ? 2 : 4;
    g.d[0] = f16_lanes(b);
    if constexpr (T == DType::q5_1) g.dm[0] = f16_lanes(b + 16 * 2);
    nibbles(g.q, b + 16 * (kHead + 4));
    add_fifth_bits(g.q, as_ints(bload(b + 16 * kHead)));
  } else if constexpr (T == DType::q8_0) {
    g.d[0] = f16_lanes(b);
    for (int i = 0; i < 8; ++i) g.q[i] = bxor(bload(b + 16 * 2 + 64 * i), 0x80);
  } else if constexpr (T == DType::q2_k) {  // scales[16] qs[64] d dmin
    const V d = f16_lanes(b + 16 * 80), dmin = negate(f16_lanes(b + 16 * 82));
    for (int h = 0; h < 2; ++h) {
      const VI s = iload_u8(b + 16 * (2 * j + h));
      g.d[h] = mul(d, to_float(iand(s, 15)));
      g.dm[h] = mul(dmin, to_float(ishr(s, 4)));
    }
    fields(g.q, b + 16 * (16 + 32 * (j / 4)), 2 * (j % 4), 3);
  } else if constexpr (T == DType::q3_k) {  // high bits[32] qs[64] scales[12] d
    const V d = f16_lanes(b + 16 * 108);
    for (int h = 0; h < 2; ++h) {
      const int n = 2 * j + h;
      const VI low = n < 8 ? iand(iload_u8(b + 16 * (96 + n)), 15) : ishr(iload_u8(b + 16 * (96 + n - 8)), 4);
      const VI high = iand(ishr(iload_u8(b + 16 * (104 + n % 4)), 2 * (n / 4)), 3);
      g.d[h] = mul(d, to_float(isub(ior(low, ishl(high, 4)), isplat(32))));
    }
    two_and_one_bits(g.q, b + 16 * (32 + 32 * (j / 4)), 2 * (j % 4), b, j);
  } else if constexpr (T == DType::q4_k || T == DType::q5_k) {  // d dmin scales[12], groups
    constexpr int kHigh = T == DType::q5_k;
    k_scales(g, b, j);
    grouped_quants<kHigh>(g.q, b + 16 * (16 + (16 + 4 * kHigh) * j));
  } else if constexpr (T == DType::q6_k) {  // scales[16] d, groups
    const V d = f16_lanes(b + 16 * 16);
    for (int h = 0; h < 2; ++h) g.d[h] = mul(d, to_float(iload_i8(b + 16 * (2 * j + h))));
    grouped_quants<2>(g.q, b + 16 * (18 + 24 * j));
  } else if constexpr (T == DType::iq4_nl) {
    g.d[0] = f16_lanes(b);
    nibbles(g.q, b + 16 * 2);
    iq4_values(g.q);
  } else if constexpr (T == DType::mxfp4) {
    g.d[0] = half_powers(b);
    nibbles(g.q, b + 16);
    for (int i = 0; i < 8; ++i) g.q[i] = blookup(g.q[i], kE2m1Table);
  } else if constexpr (T == DType::iq2_xxs) {
    decode_iq2_xxs(g, b, j);
  } else if constexpr (T == DType::iq2_xs) {
    decode_iq2_xs(g, b, j);
  } else if constexpr (T == DType::iq2_s) {
    decode_iq2_s(g, b, j);
  } else if constexpr (T == DType::iq3_xxs) {
    decode_iq3_xxs(g, b, j);
  } else if constexpr (T == DType::iq3_s) {
    decode_iq3_s(g, b, j);
  } else if constexpr (T == DType::iq1_s) {
    decode_iq1_s(g, b, j);
  } else if constexpr (T == DType::iq1_m) {
    decode_iq1_m(g, b, j);
  } else if constexpr (T == DType::tq1_0) {
    decode_tq1_0(g, b, j);
  } else if constexpr (T == DType::tq2_0) {
    decode_tq2_0(g, b, j);
  } else if constexpr (T == DType::u4_scaled) {  // f32 d, zero point z, quants: d (q - z)
    g.d[0] = load(reinterpret_cast<const float*>(b));
    nibbles(g.q, b + 16 * 5);
    const VI more = in_every_byte(isub(isplat(16), iload_u8(b + 16 * 4))), less = isub(isplat(0), more);
    for (int i = 0; i < 8; ++i) g.q[i] = as_bytes(isub(as_ints(g.q[i]), less));
  } else {  // iq4_xs: d scales_h[2] scales_l[4] qs[128]
    const VI low = iand(ishr(iload_u8(b + 16 * (4 + j / 2)), 4 * (j % 2)), 15);
    const VI high = iand(ishr(iload_u16(b + 16 * 2), 2 * j), 3);
    g.d[0] = mul(f16_lanes(b), to_float(isub(ior(low, ishl(high, 4)), isplat(32))));
    nibbles(g.q, b + 16 * (8 + 16 * j));
    iq4_values(g.q);
  }
}

// Where group i (32 columns) of a panel is: its block, and which group of the block.
template <DType T>
PUNA_INLINE void decode_group(Group& g, const uint8_t* panel, int64_t i) {
  constexpr int64_t kPerBlock = traits(T).block / kGroup;
  decode<T>(g, panel + i / kPerBlock * (16 * traits(T).bytes), int(i % kPerBlock));
}

// Decoded groups in L1: quants, then scales, then minimums.
struct alignas(64) StoredGroup {
  uint8_t q[8][64];
  float d[2][kTileRows], dm[2][kTileRows];
  PUNA_MEMBER VB quants(int i) const { return bload(q[i]); }
  PUNA_MEMBER V scale(int h) const { return load(d[h]); }
  PUNA_MEMBER V minimum(int h) const { return load(dm[h]); }
};

// Groups first .. first + count - 1 of a panel. The one function of a format that all products of many rows and all
// f32 tiles call: what follows it knows the traits alone.
using StoreGroups = void (*)(StoredGroup* to, const uint8_t* panel, int64_t first, int64_t count);
template <DType T>
static void store_groups(StoredGroup* to, const uint8_t* panel, int64_t first, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    Group g;
    decode_group<T>(g, panel, first + i);
    for (int n = 0; n < 8; ++n) bstore(to[i].q[n], g.q[n]);
    for (int h = 0; h < (traits(T).halves ? 2 : 1); ++h) {
      store(to[i].d[h], g.d[h]);
      if constexpr (traits(T).minimum) store(to[i].dm[h], g.dm[h]);
    }
  }
}

// out[k][16] = columns of the group in f32: d * (q - offset) + dm, two roundings.
static void group_to_f32(float* out, const StoredGroup& g, const FormatTraits& f) {
  for (int k = 0; k < kGroup; ++k) {
    const int h = f.halves ? k / 16 : 0;
    const VI q = iand(ishr(as_ints(g.quants(k / 4)), 8 * (k % 4)), 0xFF);
    V x = mul(g.scale(h), to_float(isub(q, isplat(f.offset))));
    if (f.minimum) x = add(x, g.minimum(h));
    store(out + k * kTileRows, x);
  }
}

// The same of 8-bit floats: sign, four bits of exponent (bias 7), three of mantissa; all ones are NaN, there is no
// infinity. Moved to an f32's places, the exponent is 120 too small, of denormals too.
PUNA_INLINE V e4m3(const uint8_t* p) {
  const VI x = iload_u8(p), size = iand(x, 0x7F), is_nan = ishr(isub(size, isplat(-1)), 7);
  const VI bits = ior(ior(ishl(iand(x, 0x80), 24), ishl(size, 20)), iand(isub(isplat(0), is_nan), 0x7F800000));
  return mul(as_floats(bits), splat(0x1p120f));
}
static void e4m3_to_f32(float* out, const uint8_t* block) {
  const V d = load(reinterpret_cast<const float*>(block));
  for (int k = 0; k < kGroup; ++k) store(out + k * kTileRows, mul(d, e4m3(block + 16 * (4 + k))));
}

// One switch names every format of integers; f(tag) is called with it as a constant.
template <DType T>
struct Tag {
  static constexpr DType value = T;
};
template <class F>
PUNA_INLINE void with_integers(DType t, F&& f) {
  switch (t) {
    case DType::q4_0: return f(Tag<DType::q4_0>());
    case DType::q4_1: return f(Tag<DType::q4_1>());
    case DType::q5_0: return f(Tag<DType::q5_0>());
    case DType::q5_1: return f(Tag<DType::q5_1>());
    case DType::q8_0: return f(Tag<DType::q8_0>());
    case DType::q2_k: return f(Tag<DType::q2_k>());
    case DType::q3_k: return f(Tag<DType::q3_k>());
    case DType::q4_k: return f(Tag<DType::q4_k>());
    case DType::q5_k: return f(Tag<DType::q5_k>());
    case DType::q6_k: return f(Tag<DType::q6_k>());
    case DType::iq4_nl: return f(Tag<DType::iq4_nl>());
    case DType::iq4_xs: return f(Tag<DType::iq4_xs>());
    case DType::mxfp4: return f(Tag<DType::mxfp4>());
    case DType::iq2_xxs: return f(Tag<DType::iq2_xxs>());
    case DType::iq2_xs: return f(Tag<DType::iq2_xs>());
    case DType::iq2_s: return f(Tag<DType::iq2_s>());
    case DType::iq3_xxs: return f(Tag<DType::iq3_xxs>());
    case DType::iq3_s: return f(Tag<DType::iq3_s>());
    case DType::iq1_s: return f(Tag<DType::iq1_s>());
    case DType::iq1_m: return f(Tag<DType::iq1_m>());
    case DType::tq1_0: return f(Tag<DType::tq1_0>());
    case DType::tq2_0: return f(Tag<DType::tq2_0>());
    case DType::u4_scaled: return f(Tag<DType::u4_scaled>());
    default: return;
  }
}

template <DType T>
PUNA_INLINE V plain_lanes(const uint8_t* panel, int64_t k) {  // column k of 16 rows
  if constexpr (T == DType::f32)
    return load(reinterpret_cast<const float*>(panel) + k * kTileRows);
  else if constexpr (T == DType::f16)
    return load_f16(reinterpret_cast<const uint16_t*>(panel) + k * kTileRows);
  else
    return load_bf16(reinterpret_cast<const uint16_t*>(panel) + k * kTileRows);
}
template <class F>
PUNA_INLINE void with_plain(DType t, F&& f) {
  if (t == DType::f32)
    f(Tag<DType::f32>());
  else if (t == DType::f16)
    f(Tag<DType::f16>());
  else
    f(Tag<DType::bf16>());
}

// out[n][16] = columns k0 .. k0 + count - 1 of a panel of any type, in f32. Quantised: k0 and count multiples of 32.
static void tile_f(float* out, DType t, const uint8_t* panel, int64_t k0, int64_t count) {
  if (t <= DType::bf16) {
    with_plain(t, [&](auto tag) {
      for (int64_t k = 0; k < count; ++k) store(out + k * kTileRows, plain_lanes<decltype(tag)::value>(panel, k0 + k));
    });
    return;
  }
  if (t == DType::e4m3_scaled) {
    constexpr int64_t kBytes = 16 * traits(DType::e4m3_scaled).bytes;
    for (int64_t k = 0; k < count; k += kGroup) e4m3_to_f32(out + k * kTileRows, panel + (k0 + k) / kGroup * kBytes);
    return;
  }
  StoreGroups store_them = nullptr;
  FormatTraits f{};
  with_integers(t, [&](auto tag) {
    store_them = store_groups<decltype(tag)::value>;
    f = traits(decltype(tag)::value);
  });
  for (int64_t k = 0; k < count; k += kGroup) {
    StoredGroup g;
    store_them(&g, panel, (k0 + k) / kGroup, 1);
    group_to_f32(out + k * kTileRows, g, f);
  }
}

}  // namespace puna::PUNA_ISA
