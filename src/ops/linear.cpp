#include "ops/linear.h"

#include <algorithm>
#include <vector>

#include "ops/provided.h"

namespace puna {
namespace {

constexpr int64_t kTileBytes = 128 << 10;   // weights of a tile when they are read for few rows: some microseconds
constexpr int64_t kTileProducts = 8 << 20;  // multiply-adds of a tile when there are many rows
constexpr int64_t kMostAtOnce = 8;   // tiles: every claim stops the stream of weights for a tenth of a microsecond
constexpr int64_t kBlockPanels = 8;  // panels whose outputs are kept on the stack at a time
constexpr int64_t kLoraPanels = 64;  // of an adapter's second product, a tile
constexpr int64_t kBackColumns = 64, kBackRows = 512;       // of dx, a tile
constexpr int64_t kOuterColumns = 96, kOuterOutputs = 256;  // of dW, a tile

}  // namespace

Activations make_activations(Inference& rec, int64_t T, int64_t K, std::initializer_list<const Weight*> consumers) {
  Activations a;
  a.x = rec.make(T, K);
  if (std::none_of(consumers.begin(), consumers.end(), [&](const Weight* w) { return uses_quantised(rec, *w); }))
    return a;
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
  const QRowOut to{.q = a.q + t * K,
                   .d = a.d + t * (K / 32),
                   .sum = a.sum + t * (K / 16),
                   .scaled16 = a.scaled16 + t * (K / 16),
                   .scaled32 = a.scaled32 + t * (K / 32)};
  k.quantise_row(to, a.x.row(t), K);
}

Tiling tiling_of(const Weight& w, int64_t T) noexcept {
  Tiling t;
  t.rows = std::min<int64_t>(T, kMaxRows);
  const int64_t by_bytes = kTileBytes / w.panel_bytes, by_products = kTileProducts / (t.rows * kTileRows * w.cols);
  // pairs, but where there is only one
  t.panels = std::min(std::max<int64_t>(std::min(by_bytes, by_products) / 2 * 2, 2), panels_of(w));
  t.panel_tiles = (panels_of(w) + t.panels - 1) / t.panels;
  t.row_tiles = (T + t.rows - 1) / t.rows;
  t.at_once = std::clamp<int64_t>(kTileProducts / (t.rows * t.panels * kTileRows * w.cols), 1, kMostAtOnce);
  return t;
}

void linear_tile(const KernelTable& k, const Weight& w, int64_t panel, int64_t panel_count, const TileRows& rows,
                 bool quantised, bool add) {
  alignas(64) float block[kMaxRows * kTileRows * 2];  // two panels for all rows, or up to 8 for a few
  const int64_t width = std::min<int64_t>(kBlockPanels, kMaxRows * 2 / rows.count);
  for (const int64_t end = panel + panel_count; panel < end;) {
    const int64_t count = std::min(width, end - panel);
    float* y[kMaxRows];
    for (int64_t t = 0; t < rows.count; ++t) y[t] = block + t * count * kTileRows;
    if (quantised)
      k.gemm_q(y, panels_from(w, panel), count, rows.q, rows.count);
    else
      k.gemm_f(y, panels_from(w, panel), count, rows.x, rows.count);
    const int64_t first = panel * kTileRows, outputs = std::min(count * kTileRows, w.rows - first);
    for (int64_t t = 0; t < rows.count; ++t) {
      float* to = rows.y[t] + first;
      if (add)
        k.add(to, y[t], outputs);
      else
        std::copy(y[t], y[t] + outputs, to);
    }
    panel += count;
  }
}

namespace {

void multiply(Inference& rec, const Activations& x, std::initializer_list<Product> products, bool force_f32) {
  int64_t tiles = 0, at_once = kMostAtOnce;
  for (const Product& p : products) {
    const Tiling t = tiling_of(*p.w, x.rows());
    tiles += t.panel_tiles * t.row_tiles;
    at_once = std::min(at_once, t.at_once);
  }
  rec.stage(
      tiles,
      [&](int64_t tile) {
        const Product* p = products.begin();
        Tiling tiling = tiling_of(*p->w, x.rows());
        for (; tile >= tiling.panel_tiles * tiling.row_tiles; tiling = tiling_of(*(++p)->w, x.rows()))
          tile -= tiling.panel_tiles * tiling.row_tiles;
        const int64_t t0 = tile % tiling.row_tiles * tiling.rows, panel = tile / tiling.row_tiles * tiling.panels;
        const bool quantised = !force_f32 && uses_quantised(rec, *p->w);
        TileRows rows;
        rows.count = std::min(tiling.rows, x.rows() - t0);
        for (int64_t t = 0; t < rows.count; ++t) {
          rows.x[t] = x.x.row(t0 + t);
          if (quantised) rows.q[t] = x.quantised(t0 + t);
          rows.y[t] = p->y.row(t0 + t);
        }
        linear_tile(rec.kernels(), *p->w, panel, std::min(tiling.panels, panels_of(*p->w) - panel), rows, quantised,
                    p->add);
      },
      at_once);
}

// y += scale (x a^T) b^T
void add_lora(Inference& rec, const Activations& x, View y, const Lora& lora) {
  Activations h;
  h.x = rec.make(x.rows(), lora.a.rows);
  multiply(rec, x, {{h.x, &lora.a}}, true);
  rec.stage(h.rows(), [&](int64_t t) { rec.kernels().scale(h.x.row(t), h.x.row(t), lora.scale, h.x.dims[1]); });
  multiply(rec, h, {{y, &lora.b, true}}, true);
}

const Lora* find_lora(const RowLoras::Share& share, const Weight& w) noexcept {
  const auto found = share.loras->find(w.panels);
  return found == share.loras->end() ? nullptr : &found->second;
}

// The same where groups of rows have adapters of their own: of all products and groups in two stages. A piece is a
// product and some rows of a group; what several adapters add to the same rows is added in their order.
void add_row_loras(Inference& rec, const Activations& x, std::initializer_list<Product> products) {
  struct Piece {
    const Product* product;
    const RowLoras* group;
    int64_t first, count;  // of the group's rows
    float* h;              // [shares, count, rank]
    int64_t rank;
  };
  const auto each = [&](auto&& f) {  // f(product, group, rank) of all that add something
    for (const Product& p : products)
      for (const RowLoras& g : rec.row_loras()) {
        int64_t rank = 0;
        for (const RowLoras::Share& share : g.shares)
          if (const Lora* lora = find_lora(share, *p.w)) rank = std::max(rank, lora->a.rows);
        if (rank > 0 && !rec.rows_of(g).empty()) f(p, g, rank);
      }
  };
  int64_t pieces = 0, floats = 0;
  each([&](const Product&, const RowLoras& g, int64_t rank) {
    const auto rows = int64_t(rec.rows_of(g).size());
    pieces += (rows + kMaxRows - 1) / kMaxRows;
    floats += int64_t(g.shares.size()) * rows * rank;
  });
  if (pieces == 0) return;
  const auto frame = rec.frame();
  Piece* const all = rec.take<Piece>(pieces);
  float* h = rec.take<float>(floats);
  if (rec.measuring()) return;
  const bool is_now = rec.next_is_in(2);
  int64_t chunks = 1, made = 0;
  each([&](const Product& p, const RowLoras& g, int64_t rank) {
    const auto rows = int64_t(rec.rows_of(g).size());
    for (int64_t first = 0; is_now && first < rows; first += kMaxRows) {
      const int64_t count = std::min<int64_t>(kMaxRows, rows - first);
      all[made++] = {&p, &g, first, count, h, rank};
      h += int64_t(g.shares.size()) * count * rank;
    }
    chunks = std::max(chunks, (panels_of(*p.w) + kLoraPanels - 1) / kLoraPanels);
  });
  const KernelTable& k = rec.kernels();
  rec.stage(pieces, [&](int64_t i) {
    const Piece& piece = all[i];
    const std::span<const int32_t> rows = rec.rows_of(*piece.group);
    for (size_t s = 0; s < piece.group->shares.size(); ++s) {
      const RowLoras::Share& share = piece.group->shares[s];
      const Lora* const lora = find_lora(share, *piece.product->w);
      if (!lora) continue;
      TileRows tile;
      tile.count = piece.count;
      for (int64_t t = 0; t < piece.count; ++t) {
        tile.x[t] = x.x.row(rows[size_t(piece.first + t)]);
        tile.y[t] = piece.h + (int64_t(s) * piece.count + t) * piece.rank;
      }
      linear_tile(k, lora->a, 0, panels_of(lora->a), tile, false, false);
      for (int64_t t = 0; t < piece.count; ++t) k.scale(tile.y[t], tile.y[t], lora->scale * share.weight, lora->a.rows);
    }
  });
  rec.stage(pieces * chunks, [&](int64_t i) {
    const Piece& piece = all[i / chunks];
    const int64_t panel = i % chunks * kLoraPanels, panels = panels_of(*piece.product->w);
    if (panel >= panels) return;
    const std::span<const int32_t> rows = rec.rows_of(*piece.group);
    for (size_t s = 0; s < piece.group->shares.size(); ++s) {
      const Lora* const lora = find_lora(piece.group->shares[s], *piece.product->w);
      if (!lora) continue;
      TileRows tile;
      tile.count = piece.count;
      for (int64_t t = 0; t < piece.count; ++t) {
        tile.x[t] = piece.h + (int64_t(s) * piece.count + t) * piece.rank;
        tile.y[t] = piece.product->y.row(rows[size_t(piece.first + t)]);
      }
      linear_tile(k, lora->b, panel, std::min(kLoraPanels, panels - panel), tile, false, true);
    }
  });
}

}  // namespace

void linear_forward(Inference& rec, const Activations& x, std::initializer_list<Product> products, bool force_f32) {
  const Weight& any = *products.begin()->w;
  const auto provided = [&](const Product& p) {
    return p.w->dtype == any.dtype && (force_f32 || !uses_quantised(rec, *p.w));
  };
  const Way way =
      std::all_of(products.begin(), products.end(), provided) ? way_of(rec, any, x.rows(), force_f32) : Way::kernels;
  if (way == Way::kernels) {
    multiply(rec, x, products, force_f32);
  } else {
    const auto frame = rec.frame();
    const Factor rows = factor_of(rec, x.x, way);
    std::vector<ProvidedProduct> all;
    for (const Product& p : products) all.push_back({rows, p.y, p.w, p.add});
    provided_forward(rec, all, way);
  }
  if (ActivationObserver* const observer = rec.observer()) {
    std::vector<const float*> rows;
    for (int64_t t = 0; t < x.rows(); ++t) rows.push_back(x.x.row(t));
    for (const Product& p : products) observer->see(rec, *p.w, rows);
  }
  for (const Product& p : products)
    if (const Lora* lora = rec.lora_of(*p.w)) add_lora(rec, x, p.y, *lora);
  if (!rec.row_loras().empty()) add_row_loras(rec, x, products);
}

// ---- backward ----

namespace {

void add_back(Inference& rec, View dx, View dy, const Weight& w) {
  const int64_t T = dy.dims[0], columns = (w.cols + kBackColumns - 1) / kBackColumns,
                rows = (T + kBackRows - 1) / kBackRows;
  rec.stage(columns * rows, [&](int64_t tile) {
    const int64_t k0 = tile / rows * kBackColumns, t0 = tile % rows * kBackRows;
    rec.kernels().gemm_back({.dx = dx.row(t0),
                             .dx_row = dx.strides[0],
                             .dy = dy.row(t0),
                             .dy_row = dy.strides[0],
                             .w = panels_from(w, 0),
                             .outputs = w.rows,
                             .k0 = k0,
                             .k_count = std::min(kBackColumns, w.cols - k0),
                             .rows = std::min(kBackRows, T - t0)});
  });
}

void add_outer(Inference& rec, float* dw, View dy, View x, const Weight& w) {
  const int64_t columns = (w.cols + kOuterColumns - 1) / kOuterColumns,
                outputs = (w.rows + kOuterOutputs - 1) / kOuterOutputs;
  rec.stage(columns * outputs, [&](int64_t tile) {
    const int64_t k0 = tile % columns * kOuterColumns, n0 = tile / columns * kOuterOutputs,
                  panel_floats = w.cols * kTileRows;
    rec.kernels().gemm_outer({.dw = dw + n0 / kTileRows * panel_floats,
                              .panel_floats = panel_floats,
                              .dy = dy.f32() + n0,
                              .dy_row = dy.strides[0],
                              .x = x.f32(),
                              .x_row = x.strides[0],
                              .outputs = std::min(kOuterOutputs, w.rows - n0),
                              .k0 = k0,
                              .k_count = std::min(kOuterColumns, w.cols - k0),
                              .rows = dy.dims[0]});
  });
}

// With h = scale x a^T, made again:   db += dy^T h    dh = scale dy b    da += dh^T x    dx += dh a
void lora_backward(Tape& rec, View dx, View dy, View x, const Lora& lora) {
  const auto scratch = rec.scratch();
  const KernelTable& k = rec.kernels();
  const int64_t T = x.dims[0], r = lora.a.rows;
  Activations in, h;
  in.x = x;
  h.x = rec.make(T, r);
  const View dh = rec.make(T, r);
  multiply(rec, in, {{h.x, &lora.a}}, true);
  rec.stage(T, [&](int64_t t) {
    k.scale(h.x.row(t), h.x.row(t), lora.scale, r);
    std::fill(dh.row(t), dh.row(t) + r, 0.0f);
  });
  add_back(rec, dh, dy, lora.b);
  rec.stage(T, [&](int64_t t) { k.scale(dh.row(t), dh.row(t), lora.scale, r); });
  if (float* db = rec.parameter_gradient(lora.b.panels)) add_outer(rec, db, dy, h.x, lora.b);
  if (float* da = rec.parameter_gradient(lora.a.panels)) add_outer(rec, da, dh, x, lora.a);
  if (dx.rank != 0) add_back(rec, dx, dh, lora.a);
}

}  // namespace

void linear_backward(Tape& rec, View dx, View dy, View x, const Weight& w) {
  float* const dw = rec.parameter_gradient(w.panels);
  if (const Way way = way_of(rec, w, x.dims[0], false); way != Way::kernels) {
    provided_backward(rec, dx, dw, dy, x, w, way);
  } else {
    if (dx.rank != 0) add_back(rec, dx, dy, w);
    if (dw) add_outer(rec, dw, dy, x, w);
  }
  if (const Lora* lora = rec.lora_of(w)) lora_backward(rec, dx, dy, x, *lora);
}

}  // namespace puna
