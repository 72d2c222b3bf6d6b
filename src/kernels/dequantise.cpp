#include "kernels/dequantise.h"

#include "kernels/panel.h"

namespace puna {
namespace {

constexpr int64_t kColumns = 256;  // the largest block

}  // namespace

void dequantise_lane(const KernelTable& k, float* y, DType dtype, const uint8_t* panel, int lane, int64_t K) noexcept {
  alignas(64) float tile[kColumns * kTileRows];
  for (int64_t k0 = 0; k0 < K; k0 += kColumns) {
    const int64_t count = K - k0 < kColumns ? K - k0 : kColumns;
    k.tile_f(tile, dtype, panel, k0, count);
    for (int64_t n = 0; n < count; ++n) y[k0 + n] = tile[n * kTileRows + lane];
  }
}

void dequantise_row(const KernelTable& k, float* y, DType dtype, const void* row, int64_t n) noexcept {
  alignas(64) uint8_t panel[kColumns * 4 * kTileRows];  // f32 is the widest
  const auto* bytes = static_cast<const uint8_t*>(row);
  for (int64_t at = 0; at < n; at += kColumns) {
    const int64_t count = n - at < kColumns ? n - at : kColumns;
    pack_panel(panel, dtype, bytes + bytes_of(info(dtype), uint64_t(at)), 0, 0, 1, count);
    dequantise_lane(k, y + at, dtype, panel, 0, count);
  }
}

}  // namespace puna
