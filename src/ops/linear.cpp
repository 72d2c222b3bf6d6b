#include "ops/linear.h"

#include <algorithm>

namespace puna {
namespace {

constexpr int64_t kColumns = 256;  // columns unpacked at a time: 7 KB of QTiles or 16 KB of f32, in L1

}  // namespace

Activations make_activations(Inference& rec, int64_t T, int64_t K, std::initializer_list<const Weight*> consumers) {
  Activations a;
  a.x = rec.make(T, K);
  if (std::none_of(consumers.begin(), consumers.end(), [&](const Weight* w) { return uses_quantised(rec, *w); })) return a;
  a.q = rec.take<int8_t>(T * K);
  a.d = rec.take<float>(T * (K / kGroup));
  a.sum = rec.take<int32_t>(T * (K / 16));
  return a;
}

void finish_row(const KernelTable& k, const Activations& a, int64_t t) {
  if (!a.q) return;
  const int64_t K = a.x.dims[1];
  k.quantise_row(a.q + t * K, a.d + t * (K / kGroup), a.sum + t * (K / 16), a.x.row(t), K);
}

void linear_tile(const KernelTable& k, const Weight& w, int64_t panel, const TileRows& rows, bool quantised, bool add) {
  alignas(64) float acc[kRowBlock * kTileRows] = {};
  const int64_t row0 = panel * kTileRows;
  const int outputs = int(std::min<int64_t>(kTileRows, w.rows - row0));
  const auto* base = reinterpret_cast<const uint8_t*>(w.data) + row0 * w.row_stride_bytes;
  for (int64_t k0 = 0; k0 < w.cols; k0 += kColumns) {
    const int64_t columns = std::min(kColumns, w.cols - k0);
    if (quantised) {
      QTile tiles[kColumns / kGroup];
      k.tile_q(tiles, w.dtype, base, w.row_stride_bytes, outputs, k0 / kGroup, columns / kGroup);
      QRow x[kRowBlock];
      for (int64_t t = 0; t < rows.count; ++t) x[t] = {rows.q[t].q + k0, rows.q[t].d + k0 / kGroup, rows.q[t].sum + k0 / 16};
      k.gemm_q(acc, kTileRows, tiles, columns / kGroup, k.format(w.dtype), x, rows.count);
    } else {
      alignas(64) float tile[kColumns * kTileRows];
      k.tile_f(tile, w.dtype, base, w.row_stride_bytes, w.col_stride_bytes, outputs, k0, columns);
      const float* x[kRowBlock];
      for (int64_t t = 0; t < rows.count; ++t) x[t] = rows.x[t] + k0;
      k.gemm_f(acc, kTileRows, tile, columns, x, rows.count);
    }
  }
  for (int64_t t = 0; t < rows.count; ++t) {
    float* y = rows.y[t] + row0;
    for (int r = 0; r < outputs; ++r) y[r] = add ? y[r] + acc[t * kTileRows + r] : acc[t * kTileRows + r];
  }
}

void linear(Inference& rec, const Activations& x, std::initializer_list<Product> products, bool force_f32) {
  const int64_t blocks = (x.rows() + kRowBlock - 1) / kRowBlock;
  int64_t panels = 0;
  for (const Product& p : products) panels += panels_of(*p.w);
  rec.stage(panels * blocks, [&](int64_t tile) {
    int64_t panel = tile / blocks;
    const Product* p = products.begin();
    while (panel >= panels_of(*p->w)) panel -= panels_of(*p++->w);
    const int64_t t0 = tile % blocks * kRowBlock;
    const bool quantised = !force_f32 && uses_quantised(rec, *p->w);
    TileRows rows;
    rows.count = std::min(kRowBlock, x.rows() - t0);
    for (int64_t t = 0; t < rows.count; ++t) {
      rows.x[t] = x.x.row(t0 + t);
      if (quantised) rows.q[t] = x.quantised(t0 + t);
      rows.y[t] = p->y.row(t0 + t);
    }
    linear_tile(rec.kernels(), *p->w, panel, rows, quantised, p->add);
  });
}

}  // namespace puna
