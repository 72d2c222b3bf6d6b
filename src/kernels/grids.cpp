// grids.cpp -- the tables unpacked at compile time.
#include "kernels/grids.h"

#include "kernels/grid_data.inl.h"

namespace puna::grids {
namespace {

// A level as an unsigned byte: the middle plus its value, so that minus the value is twice the middle less the byte.
constexpr uint8_t kIq2[] = {64 + 8, 64 + 25, 64 + 43};
constexpr uint8_t kIq3XxsLevels[] = {64 + 4, 64 + 12, 64 + 20, 64 + 28, 64 + 36, 64 + 44, 64 + 52, 64 + 62};
constexpr uint8_t kIq3SLevels[] = {16 + 1, 16 + 3, 16 + 5, 16 + 7, 16 + 9, 16 + 11, 16 + 13, 16 + 15};
constexpr uint8_t kIq1[] = {16 - 8 + 1, 16 + 1, 16 + 8 + 1};  // in eighths: -1, 0, 1 and the shift of an eighth

constexpr uint32_t word(uint32_t entry, int first, int bits, const uint8_t* levels) {
  uint32_t w = 0;
  for (int i = 0; i < 4; ++i) w |= uint32_t(levels[entry >> bits * (first + i) & ((1u << bits) - 1)]) << 8 * i;
  return w;
}

template <int n>
constexpr Table<2 * n> eights(const uint16_t (&entries)[n], const uint8_t* levels) {
  Table<2 * n> table{};
  for (int i = 0; i < 2 * n; ++i) table.at[i] = word(entries[i / 2], i % 2 * 4, 2, levels);
  return table;
}
template <int n>
constexpr Table<n> fours(const uint16_t (&entries)[n], const uint8_t* levels) {
  Table<n> table{};
  for (int i = 0; i < n; ++i) table.at[i] = word(entries[i], 0, 3, levels);
  return table;
}

}  // namespace

constexpr Table<256 * 2> iq2_xxs = eights(kIq2Xxs, kIq2);
constexpr Table<512 * 2> iq2_xs = eights(kIq2Xs, kIq2);
constexpr Table<1024 * 2> iq2_s = eights(kIq2S, kIq2);
constexpr Table<256> iq3_xxs = fours(kIq3Xxs, kIq3XxsLevels);
constexpr Table<512> iq3_s = fours(kIq3S, kIq3SLevels);
constexpr Table<2048 * 2> iq1 = eights(kIq1S, kIq1);

}  // namespace puna::grids
