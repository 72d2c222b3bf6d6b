#include "ops/linear.h"

#include <algorithm>

namespace puna {
namespace {

constexpr int64_t kTileBytes = 64 << 10;     // weights of a tile when they are read for few rows: some microseconds
constexpr int64_t kTileProducts = 8 << 20;   // multiply-adds of a tile when there are many rows
constexpr int64_t kBlockPanels = 8;          // panels whose outputs are kept on the stack at a time

}  // namespace

Activations make_activations(Inference& rec, int64_t T, int64_t K, std::initializer_list<const Weight*> consumers) {
  Activations a;
  a.x = rec.make(T, K);
  if (std::none_of(consumers.begin(), consumers.end(), [&](const Weight* w) { return uses_quantised(rec, *w); })) return a;
  a.q = rec.take<int8_t>(T * K);
  a.d = rec.take<float>(T * (K / 32));
  a.sum = rec.take<int32_t>(T * (K / 16));
  a.scaled16 = rec.take<float>(T * (K / 16));
  a.scaled32 = rec.take<float>(T * (K / 32));
  return a;
}

void finish_row(const KernelTable& k, const Activations& a, int64_t t) {
  if (!a.q) return;
  const int64_t K = a.x.dims[1];
  k.quantise_row(a.q + t * K, a.d + t * (K / 32), a.sum + t * (K / 16), a.scaled16 + t * (K / 16), a.scaled32 + t * (K / 32), a.x.row(t), K);
}

Tiling tiling_of(const Weight& w, int64_t T) noexcept {
  Tiling t;
  t.rows = std::min<int64_t>(T, kMaxRows);
  const int64_t by_bytes = kTileBytes / w.panel_bytes, by_products = kTileProducts / (t.rows * kTileRows * w.cols);
  t.panels = std::min(std::max<int64_t>(std::min(by_bytes, by_products) / 2 * 2, 2), panels_of(w));  // pairs, but where there is only one
  t.panel_tiles = (panels_of(w) + t.panels - 1) / t.panels;
  t.row_tiles = (T + t.rows - 1) / t.rows;
  return t;
}

void linear_tile(const KernelTable& k, const Weight& w, int64_t panel, int64_t panel_count, const TileRows& rows, bool quantised, bool add) {
  alignas(64) float block[kMaxRows * kTileRows * 2];  // two panels for all rows, or up to 8 for a few
  const int64_t width = std::min<int64_t>(kBlockPanels, kMaxRows * 2 / rows.count);
  for (const int64_t end = panel + panel_count; panel < end;) {
    const int64_t count = std::min(width, end - panel);
    float* y[kMaxRows];
    for (int64_t t = 0; t < rows.count; ++t) y[t] = block + t * count * kTileRows;
    const auto* panels = reinterpret_cast<const uint8_t*>(w.panels) + panel * w.panel_bytes;
    if (quantised) k.gemm_q(y, w.dtype, panels, count, w.panel_bytes, w.cols / kGroup, rows.q, rows.count);
    else k.gemm_f(y, w.dtype, panels, count, w.panel_bytes, w.cols, rows.x, rows.count);
    const int64_t first = panel * kTileRows, outputs = std::min(count * kTileRows, w.rows - first);
    for (int64_t t = 0; t < rows.count; ++t) {
      float* to = rows.y[t] + first;
      if (add) k.add(to, y[t], outputs);
      else std::copy(y[t], y[t] + outputs, to);
    }
    panel += count;
  }
}

void linear(Inference& rec, const Activations& x, std::initializer_list<Product> products, bool force_f32) {
  int64_t tiles = 0;
  for (const Product& p : products) {
    const Tiling t = tiling_of(*p.w, x.rows());
    tiles += t.panel_tiles * t.row_tiles;
  }
  rec.stage(tiles, [&](int64_t tile) {
    const Product* p = products.begin();
    Tiling tiling = tiling_of(*p->w, x.rows());
    for (; tile >= tiling.panel_tiles * tiling.row_tiles; tiling = tiling_of(*(++p)->w, x.rows())) tile -= tiling.panel_tiles * tiling.row_tiles;
    const int64_t t0 = tile % tiling.row_tiles * tiling.rows, panel = tile / tiling.row_tiles * tiling.panels;
    const bool quantised = !force_f32 && uses_quantised(rec, *p->w);
    TileRows rows;
    rows.count = std::min(tiling.rows, x.rows() - t0);
    for (int64_t t = 0; t < rows.count; ++t) {
      rows.x[t] = x.x.row(t0 + t);
      if (quantised) rows.q[t] = x.quantised(t0 + t);
      rows.y[t] = p->y.row(t0 + t);
    }
    linear_tile(rec.kernels(), *p->w, panel, std::min(tiling.panels, panels_of(*p->w) - panel), rows, quantised, p->add);
  });
}

}  // namespace puna
