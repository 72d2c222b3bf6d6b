// grids.h -- the tables of the IQ types as decoders read them (formats.inl.h): a word has four values in the order of
// columns, each a byte, what it is above the format's offset. One copy for all ISA levels, plain data.
#pragma once
#include <stdint.h>

namespace puna::grids {

template <int n>
struct Table {
  uint32_t at[n];
};
extern const Table<256 * 2> iq2_xxs;  // entry i: words 2 i (columns 0-3) and 2 i + 1 (columns 4-7)
extern const Table<512 * 2> iq2_xs;
extern const Table<1024 * 2> iq2_s;
extern const Table<256> iq3_xxs;
extern const Table<512> iq3_s;
extern const Table<2048 * 2> iq1;  // of IQ1_S and IQ1_M

}  // namespace puna::grids
