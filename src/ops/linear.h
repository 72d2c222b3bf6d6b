// linear.h -- y = x W^T for activations x [T,K] and weights W [N,K] in any format, and the activations' own form.
// Default mode: x is quantised once (a scale per row and 32 values) and shared by all consumers; integer dots against
// quantised weights, f32 against float ones. Exact mode: f32 everywhere. Work is split into tiles of a few panels by up
// to 128 rows.
#pragma once
#include <initializer_list>

#include "kernels/dequantise.h"
#include "ops/tape.h"

namespace puna {

// Rows ready to be multiplied: f32 always, and quantised when a consumer asks for it.
struct Activations {
  View x;                     // [T,K]
  int8_t* q = nullptr;        // [T,K], or NULL
  float* d = nullptr;         // [T,K/32]; sums as QRow says:
  int32_t* sum = nullptr;     // [T,K/16]
  float* scaled16 = nullptr;  // [T,K/16]
  float* scaled32 = nullptr;  // [T,K/32]
  int64_t rows() const noexcept { return x.dims[0]; }
  QRow quantised(int64_t t) const noexcept {
    const int64_t K = x.dims[1];
    return {q + t * K, d + t * (K / 32), sum + t * (K / 16), scaled16 + t * (K / 16), scaled32 + t * (K / 32)};
  }
};

// Scratch for T rows of K values, with the quantised form if `w` (any of the consumers) needs it in this mode.
Activations make_activations(Inference& rec, int64_t T, int64_t K, std::initializer_list<const Weight*> consumers);
// Fills the quantised form of row t from x, if there is one. To be called from the tile that wrote the row.
void finish_row(const KernelTable& k, const Activations& a, int64_t t);

struct Product {
  View y;            // [T,N]
  const Weight* w;   // [N,K]
  bool add = false;  // y += instead of y =
};

// Row r of a matrix in f32 [K] (embeddings).
inline void weight_row(const KernelTable& k, float* y, const Weight& w, int64_t r) noexcept {
  dequantise_lane(k, y, w.dtype, reinterpret_cast<const uint8_t*>(w.panels) + r / kTileRows * w.panel_bytes,
                  int(r % kTileRows), w.cols);
}

// One stage for all products of the same activations (q, k, v; gate, up), then one or two for what an adapter adds to
// each.
void linear_forward(Inference& rec, const Activations& x, std::initializer_list<Product> products, bool force_f32);
// dx += dy W, dW += dy^T x, through the weight's adapter as well. dx without data: not wanted. The one place where
// large products of the backward pass are made.
void linear_backward(Tape& rec, View dx, View dy, View x, const Weight& w);

template <class Rec>
void linear(Rec& rec, const Activations& x, std::initializer_list<Product> products, bool force_f32 = false) {
  linear_forward(rec, x, products, force_f32);
  if constexpr (Rec::records)
    for (const Product& p : products)
      rec.on_backward([&rec, x = x.x, y = p.y, w = *p.w] {
        const View dx = rec.gradient(x), dy = rec.gradient(y);
        linear_backward(rec, dx, dy, x, w);
      });
}

// Work is cut by size alone: few rows take more panels a tile (about 128 KB of weights), many rows fewer (about 8 M
// products).
struct Tiling {
  int64_t panels, rows;            // of one tile
  int64_t panel_tiles, row_tiles;  // how many
  int64_t at_once;                 // that a thread may claim together: what takes as long as a tile of many rows
};
Tiling tiling_of(const Weight& w, int64_t T) noexcept;
inline int64_t panels_of(const Weight& w) noexcept { return (w.rows + kTileRows - 1) / kTileRows; }

// The weight from this panel on, as kernels take it.
inline Panels panels_from(const Weight& w, int64_t panel) noexcept {
  return {.dtype = w.dtype,
          .data = reinterpret_cast<const uint8_t*>(w.panels) + panel * w.panel_bytes,
          .bytes = w.panel_bytes,
          .K = w.cols};
}

// The tile itself, for callers that choose rows (experts): at most kMaxRows rows, given by pointers.
struct TileRows {
  int64_t count = 0;
  const float* x[kMaxRows];
  QRow q[kMaxRows];
  float* y[kMaxRows];  // start of the output row
};
void linear_tile(const KernelTable& k, const Weight& w, int64_t panel, int64_t panel_count, const TileRows& rows,
                 bool quantised, bool add);
inline bool uses_quantised(const Inference& rec, const Weight& w) noexcept {
  return !rec.exact() && is_integer_block(w.dtype);
}

}  // namespace puna
