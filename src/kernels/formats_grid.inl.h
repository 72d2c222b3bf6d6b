// formats_grid.inl.h -- decoders of the formats whose values stand in tables (IQ2, IQ3, IQ1: grids.h), and of those
// with three values (TQ). Compiled once per ISA; formats.inl.h says what a Group is. Columns 32 j .. 32 j + 31 of the
// panel block at b, in the fields of a file's block (github.com/ggml-org/ggml, ggml-common.h).
#include "kernels/grids.h"

namespace puna::PUNA_ISA {

PUNA_INLINE VI words(const uint8_t* p) { return as_ints(bload(p)); }
PUNA_INLINE VI field(VI x, int shift, int32_t mask) { return iand(ishr(x, shift), mask); }
PUNA_INLINE VI in_every_byte(VI x) { return ior(ior(x, ishl(x, 8)), ior(ishl(x, 16), ishl(x, 24))); }
// d (2 s + 1) unit: exact, as all of these scales are.
PUNA_INLINE V odd_scale(V d, VI s, float unit) {
  return mul(mul(d, to_float(ior(ishl(s, 1), isplat(1)))), splat(unit));
}

PUNA_INLINE void eight_values(VB* q, const uint32_t* table, VI entry) {
  const VI at = ishl(entry, 1);
  q[0] = gather(table, at);
  q[1] = gather(table + 1, at);
}

// ---- signs: bit `at` + i of a word says that value i of eight is negative ----

constexpr uint8_t kTwice = 128;  // the middle of IQ2 and IQ3_XXS, twice

PUNA_INLINE void eight_signs(VB* q, VI signs, int at, uint8_t twice) {
  q[0] = mirror(q[0], signs, at, twice);
  q[1] = mirror(q[1], signs, at + 4, twice);
}
// Where only seven signs are kept, the eighth makes the number of minuses even. Bit i: the parity of bits i .. i + 6.
PUNA_INLINE VI parity_of_seven(VI x) {
  const VI two = ixor(x, ishr(x, 1)), four = ixor(two, ishr(two, 2));
  return ixor(ixor(four, ishr(two, 4)), ishr(x, 6));
}
PUNA_INLINE void seven_signs(VB* q, VI signs, VI parity, int at) {
  q[0] = mirror(q[0], signs, at, kTwice);
  q[1] = mirror(q[1], ior(field(signs, at + 4, 7), ishl(field(parity, at, 1), 3)), 0, kTwice);
}

// ---- d, then for each group four entries and 28 bits of signs with four of scale ----
PUNA_INLINE void decode_iq2_xxs(Group& g, const uint8_t* b, int j) {
  const uint8_t* p = b + 16 * (2 + 8 * j);
  const VI entries = words(p), signs = words(p + 64), parity = parity_of_seven(signs);
  g.d[0] = odd_scale(f16_lanes(b), ishr(signs, 28), 0.125f);
  for (int i = 0; i < 4; ++i) {
    eight_values(g.q + 2 * i, grids::iq2_xxs.at, field(entries, 8 * i, 255));
    seven_signs(g.q + 2 * i, signs, parity, 7 * i);
  }
}

// ---- d, entries of nine bits with seven signs, scales[8] of four bits ----
PUNA_INLINE void decode_iq2_xs(Group& g, const uint8_t* b, int j) {
  const VI s = iload_u8(b + 16 * (66 + j));
  for (int h = 0; h < 2; ++h) {
    g.d[h] = odd_scale(f16_lanes(b), field(s, 4 * h, 15), 0.125f);
    const VI two = words(b + 16 * (2 + 8 * j + 4 * h)), parity = parity_of_seven(two);
    for (int i = 0; i < 2; ++i) {
      VB* const q = g.q + 4 * h + 2 * i;
      eight_values(q, grids::iq2_xs.at, field(two, 16 * i, 511));
      seven_signs(q, two, parity, 16 * i + 9);
    }
  }
}

// ---- d, entries[32], signs[32], two more bits of entries[8], scales[8] of four bits ----
PUNA_INLINE void decode_iq2_s(Group& g, const uint8_t* b, int j) {
  const VI entries = words(b + 16 * (2 + 4 * j)), signs = words(b + 16 * (34 + 4 * j)),
           high = iload_u8(b + 16 * (66 + j)), s = iload_u8(b + 16 * (74 + j));
  for (int h = 0; h < 2; ++h) g.d[h] = odd_scale(f16_lanes(b), field(s, 4 * h, 15), 0.125f);
  for (int i = 0; i < 4; ++i) {
    eight_values(g.q + 2 * i, grids::iq2_s.at, ior(field(entries, 8 * i, 255), ishl(field(high, 2 * i, 3), 8)));
    eight_signs(g.q + 2 * i, signs, 8 * i, kTwice);
  }
}

// ---- d, entries[64] of four values, signs and scale as IQ2_XXS has them ----
PUNA_INLINE void decode_iq3_xxs(Group& g, const uint8_t* b, int j) {
  const VI signs = words(b + 16 * (66 + 4 * j)), parity = parity_of_seven(signs);
  g.d[0] = odd_scale(f16_lanes(b), ishr(signs, 28), 0.25f);
  for (int i = 0; i < 4; ++i) {
    const VI entries = words(b + 16 * (2 + 8 * j + i / 2 * 4));
    for (int n = 0; n < 2; ++n) g.q[2 * i + n] = gather(grids::iq3_xxs.at, field(entries, 16 * (i % 2) + 8 * n, 255));
    seven_signs(g.q + 2 * i, signs, parity, 7 * i);
  }
}

// ---- d, entries[64] of four values, their ninth bits[8], signs[32], scales[4] of four bits ----
PUNA_INLINE void decode_iq3_s(Group& g, const uint8_t* b, int j) {
  const VI high = iload_u8(b + 16 * (66 + j)), signs = words(b + 16 * (74 + 4 * j)),
           s = field(iload_u8(b + 16 * (106 + j / 2)), 4 * (j % 2), 15);
  g.d[0] = odd_scale(f16_lanes(b), s, 1.0f);
  for (int i = 0; i < 4; ++i) {
    const VI entries = words(b + 16 * (2 + 8 * j + i / 2 * 4));
    for (int n = 0; n < 2; ++n)
      g.q[2 * i + n] =
          gather(grids::iq3_s.at, ior(field(entries, 16 * (i % 2) + 8 * n, 255), ishl(field(high, 2 * i + n, 1), 8)));
    eight_signs(g.q + 2 * i, signs, 8 * i, 32);
  }
}

// ---- IQ1: values -1, 0, 1 shifted by an eighth up or down; q in eighths ----

// The table has them shifted up, around 16: two eighths less where `down` (0 or 1) says so. `more`: to another middle.
PUNA_INLINE void shifted_values(VB* q, VI entry, VI down, int32_t more = 0) {
  eight_values(q, grids::iq1.at, entry);
  const VI less = isub(in_every_byte(ishl(down, 1)), isplat(more));
  for (int n = 0; n < 2; ++n) q[n] = as_bytes(isub(as_ints(q[n]), less));
}

// d, entries[32], for each group four times three more bits, three bits of scale, one of direction.
PUNA_INLINE void decode_iq1_s(Group& g, const uint8_t* b, int j) {
  const VI entries = words(b + 16 * (2 + 4 * j)), rest = iload_u16(b + 16 * (34 + 2 * j));
  g.d[0] = odd_scale(f16_lanes(b), field(rest, 12, 7), 0.125f);
  for (int i = 0; i < 4; ++i)
    shifted_values(g.q + 2 * i, ior(field(entries, 8 * i, 255), ishl(field(rest, 3 * i, 7), 8)), ishr(rest, 15));
}

PUNA_INLINE V f16_of_bits(VI bits) {
  alignas(64) uint32_t wide[16];
  alignas(64) uint16_t half[16];
  bstore(reinterpret_cast<uint8_t*>(wide), as_bytes(bits));
  for (int i = 0; i < 16; ++i) half[i] = uint16_t(wide[i]);
  return load_f16(half);
}

// entries[32], for each eight values three more bits and one of direction, four words of four scales of three bits and
// four bits of d each.
PUNA_INLINE void decode_iq1_m(Group& g, const uint8_t* b, int j) {
  const auto scales = [&](int n) { return iload_u16(b + 16 * (48 + 2 * n)); };
  const V d = f16_of_bits(ior(ior(ishr(scales(0), 12), field(scales(1), 8, 0xF0)),
                              ior(field(scales(2), 4, 0xF00), iand(scales(3), 0xF000))));
  for (int h = 0; h < 2; ++h) g.d[h] = odd_scale(d, field(scales(j / 2), 6 * (j % 2) + 3 * h, 7), 0.125f);
  const VI entries = words(b + 16 * 4 * j), rest = iload_u16(b + 16 * (32 + 2 * j));
  for (int i = 0; i < 4; ++i)
    shifted_values(g.q + 2 * i, ior(field(entries, 8 * i, 255), ishl(field(rest, 4 * i, 7), 8)),
                   field(rest, 4 * i + 3, 1), 0x10101010);  // around 32, as Q6_K's, whose products it shares
}

// ---- TQ: -1, 0, 1 as 7, 8, 9, which share their products with Q4_0's ----

PUNA_INLINE VB ternary(VI trits) { return as_bytes(isub(trits, isplat(-0x07070707))); }

// A byte holds five values as a fraction in base 3, rounded up: times 3^n, its next digit stands before the point. Of
// the bytes in two halves of 16 bits:
constexpr int kPowersOf3[] = {1, 3, 9, 27, 81};
PUNA_INLINE VI digits_of_halves(VI bytes, int n) {
  const VI rest = iand(imul_halves(bytes, kPowersOf3[n]), 0x00FF00FF);
  return field(imul_halves(rest, 3), 8, 0x00030003);
}
PUNA_INLINE VB digits(const uint8_t* p, int n) {
  const VI x = words(p), even = iand(x, 0x00FF00FF), odd = field(x, 8, 0x00FF00FF);
  return ternary(ior(digits_of_halves(even, n), ishl(digits_of_halves(odd, n), 8)));
}

// values[48]: 32 bytes with five groups, 16 with half as many; then 4 bytes with four times four values, d.
PUNA_INLINE void decode_tq1_0(Group& g, const uint8_t* b, int j) {
  g.d[0] = f16_lanes(b + 16 * 52);
  for (int i = 0; i < 8; ++i) {
    const int n = 2 * (j - 5) + i / 4;  // of the 16 bytes
    if (j < 5)
      g.q[i] = digits(b + 64 * i, j);
    else if (n < 5)
      g.q[i] = digits(b + 16 * (32 + 4 * (i % 4)), n);
    else
      g.q[i] = digits(b + 16 * 48, i % 4);
  }
}

PUNA_INLINE void decode_tq2_0(Group& g, const uint8_t* b, int j) {  // values[64], d
  g.d[0] = f16_lanes(b + 16 * 64);
  fields(g.q, b + 16 * 32 * (j / 4), 2 * (j % 4), 3);
  for (int i = 0; i < 8; ++i) g.q[i] = ternary(as_ints(g.q[i]));
}

}  // namespace puna::PUNA_ISA
