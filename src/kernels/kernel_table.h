// kernel_table.h -- the only thing ops see of the kernels: a plain table of function pointers, one instance an ISA level.
// Kernels take raw pointers, check nothing, allocate nothing, never throw and never read past the end.
// Every function gives the same bits on every level (ARCHITECTURE 5): sums run over 16 virtual lanes and one fixed tree,
// products accumulate in ascending k with one f32 accumulator an output, fma is written where it is meant.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "puna/base/dtype.h"

namespace puna {

inline constexpr int kTileRows = 16;   // rows of a weight tile: one lane each
inline constexpr int kGroup = 32;      // values that share an activation scale

// 32 columns of 16 weight rows, ready for integer dots. For row r, column k = 16h + ...:
//   weight = d[r] * s[h][r] * (q - offset) + dm[r] * m[h][r]           with s = m = 1 where a format has no sub-scales
struct QTile {
  alignas(64) uint8_t q[kGroup / 4][kTileRows][4];  // q[k/4][r][k%4]
  alignas(64) int32_t s[2][kTileRows];
  alignas(64) int32_t m[2][kTileRows];
  alignas(64) float d[kTileRows];
  alignas(64) float dm[kTileRows];
};

// What a gemm over QTiles must know of the format.
struct QFormat {
  int32_t offset;   // subtracted from every q
  bool subscales;   // s differs from 1
  bool minimum;     // dm differs from 0
};

// Activations of one row quantised in groups of 32: x = d * q, with the integer sums of each 16 for offsets and minimums.
struct QRow {
  const int8_t* q;      // [K]
  const float* d;       // [K/32]
  const int32_t* sum;   // [K/16]
};

// One layer's keys and values: pages of page_size consecutive positions, page i starting at position i * page_size. Inside a page
// [kv_heads][page_size][head_dim]; head_offset (elements) picks the head. Pages outside the attended range may be NULL.
struct KvPages {
  const void* const* k;
  const void* const* v;
  int64_t page_size;
  int64_t head_offset;
};

struct KernelTable {
  const char* name;

  // ---- weights (unpack.inl.h) ----
  // Decodes `groups` groups of 32 columns from `group0` on, of `rows` (<= 16) consecutive rows; missing rows become zero.
  void (*tile_q)(QTile* out, DType dtype, const uint8_t* row0, int64_t row_stride, int rows, int64_t group0, int64_t groups);
  QFormat (*format)(DType dtype);
  // The same columns as f32, out[k][16]: any weight type. col_stride (bytes) != 0 for [in,out] storage of f32, f16, bf16.
  void (*tile_f)(float* out, DType dtype, const uint8_t* row0, int64_t row_stride, int64_t col_stride, int rows, int64_t k0, int64_t count);
  // One row of n values to f32 (embedding lookup, exact mode, tests).
  void (*dequantise)(float* y, DType dtype, const void* row, int64_t n);

  // ---- products (gemm.inl.h): acc[t*acc_stride + r] += sum_k w[r,k] x[t,k] ----
  void (*gemm_q)(float* acc, int64_t acc_stride, const QTile* tiles, int64_t groups, QFormat format, const QRow* x, int64_t T);
  void (*gemm_f)(float* acc, int64_t acc_stride, const float* tile, int64_t count, const float* const* x, int64_t T);

  // ---- rows (rows.inl.h) ----
  void (*quantise_row)(int8_t* q, float* d, int32_t* sum, const float* x, int64_t K);  // K a multiple of 32
  void (*rms_norm)(float* y, const float* x, const float* w /* or NULL */, int64_t D, float eps);
  void (*add)(float* y, const float* x, int64_t n);                          // y += x
  void (*scale)(float* y, const float* x, float scale, int64_t n);           // y = scale * x
  void (*swiglu)(float* y, const float* gate, const float* up, int64_t n);   // silu(gate) * up
  void (*sigmoid)(float* y, const float* x, int64_t n);
  void (*rope_interleaved)(float* x, const float* cosine, const float* sine, int64_t head_dim);  // pairs (2i, 2i+1)
  void (*rope_half_split)(float* x, const float* cosine, const float* sine, int64_t head_dim);   // pairs (i, i + head_dim/2)
  void (*to_f16)(uint16_t* y, const float* x, int64_t n);                    // round to nearest even

  // ---- attention (attention.inl.h) ----
  // out[head_dim] = softmax(scale * q K^T) V over positions [low, high), in blocks of 16 keys from each page's start.
  // low is a multiple of page_size.
  void (*attend_f32)(float* out, const float* q, int64_t head_dim, float scale, const KvPages& kv, int64_t low, int64_t high);
  void (*attend_f16)(float* out, const float* q, int64_t head_dim, float scale, const KvPages& kv, int64_t low, int64_t high);
};

// The table of a level by name; "" = the best this CPU has. NULL when the name is unknown or the CPU lacks it.
const KernelTable* select_kernels(const char* isa);
// Every level built in, best last, whether or not this CPU has it; `supported` says so.
struct IsaLevel { const char* name; bool supported; };
int isa_levels(IsaLevel* out, int capacity);

}  // namespace puna
