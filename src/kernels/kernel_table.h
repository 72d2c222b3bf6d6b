// kernel_table.h -- the only thing ops see of the kernels: a plain table of function pointers, one instance an ISA
// level. Kernels take raw pointers, check nothing, allocate nothing, never throw and never read past the end. Every
// function gives the same bits on every level (docs/architecture.md, section 5): sums run over 16 virtual lanes and one
// fixed tree, products accumulate in ascending k with one f32 accumulator an output, fma is written where it is meant.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "puna/base/dtype.h"

namespace puna {

inline constexpr int kTileRows = 16;  // weight rows of a panel (panel.h): one lane each
inline constexpr int kGroup = 32;     // values that share an activation scale
inline constexpr int kMaxRows = 128;  // activation rows a product takes at most

// Rows of a weight, 16 to a panel, panels of `bytes` one after the other.
struct Panels {
  DType dtype;
  const uint8_t* data;
  int64_t bytes;  // of one panel
  int64_t K;      // columns
};

// One row of activations quantised in groups of 32: x = d * q. Sums of q serve the formats' offsets (exact) and
// minimums (scaled).
struct QRow {
  const int8_t* q;        // [K]
  const float* d;         // [K/32]
  const int32_t* sum;     // [K/16] sum of q over each 16
  const float* scaled16;  // [K/16] d * sum
  const float* scaled32;  // [K/32] d * (both sums)
};
struct QRowOut {  // the same, to be written
  int8_t* q;
  float* d;
  int32_t* sum;
  float* scaled16;
  float* scaled32;
};

// One layer's keys and values: pages of page_size <= kMaxPage consecutive positions, page i starting at position i *
// page_size. Keys lie in tiles of 16 positions, [kv_heads][tiles][head_dim][16], the last tile filled up with anything;
// values [kv_heads][page_size][head_dim]. q8_0: a value is a row of GGUF's blocks (an f16 scale, 32 bytes); a tile of
// keys has its 16 rows' blocks together, first the scales, then [32][16] bytes.
// Pages outside the attended range may be NULL.
inline constexpr int64_t kMaxPage = 64;
struct KvPages {
  const void* const* k;
  const void* const* v;
  int64_t page_size;
  int64_t head;  // which KV head
};

// One query head of one row.
struct AttendRow {
  const float* q;     // [head_dim]
  float* out;         // [head_dim]
  float* state;       // [2]: the largest score, the sum of e^(score - largest)
  int64_t high;       // sees positions below
  int64_t first = 0;  // and none before: of a sliding window, which begins inside the first page of a range
};

// `count` rows of one KV head, in ascending order of high > low.
struct Attend {
  const AttendRow* rows;
  int64_t count, head_dim;
  float scale;
  KvPages kv;
  int64_t low, high;  // positions: low is a multiple of page_size
  float softcap = 0;  // not 0: scores become softcap tanh(score / softcap)
};

// dx[t][k] += sum_n dy[t][n] W[n][k] for columns [k0, k0 + k_count), k0 a multiple of 32; W of any type.
struct GemmBack {
  float* dx;
  int64_t dx_row;  // floats from row to row
  const float* dy;
  int64_t dy_row;
  Panels w;
  int64_t outputs, k0, k_count, rows;
};
// dW[n][k] += sum_t dy[t][n] x[t][k] for `outputs` rows of dW, f32 panels, and columns [k0, k0 + k_count).
struct GemmOuter {
  float* dw;
  int64_t panel_floats;  // from panel to panel
  const float* dy;
  int64_t dy_row;
  const float* x;
  int64_t x_row;
  int64_t outputs, k0, k_count, rows;
};

struct RmsNormBackward {
  float* dx;  // may be dy
  const float *dy, *x;
  const float* w;  // or NULL
  int64_t D;
  float eps;
  bool add_to;  // dx, or write it
};

// What the gradient of attention reads and adds to, for all `rows` positions 0, 1, ... of one sequence and one KV head
// with its `grouped` query heads. Query rows (q, out, dout, dq) are q_row apart, their heads head_dim; keys and values
// (and dk, dv) kv_row.
struct AttendBackward {
  const float *q, *out, *dout;
  float* dq;
  int64_t q_row;
  const float *k, *v;
  float *dk, *dv;
  int64_t kv_row;
  const float* state;  // as AttendRow says, two a head
  int64_t state_row;
  float* scratch;  // attend_backward_scratch(head_dim) values
  int64_t rows, grouped, head_dim;
  int64_t chunk;  // rows see their own chunk up to themselves; 0 = everything up to themselves
  float scale;
  int64_t window = 0;  // and of that the last `window` positions; 0 = all
  float softcap = 0;
};
constexpr int64_t attend_backward_scratch(int64_t head_dim) { return 64 * head_dim + 4096; }

// Causal attention of one user of a sequence recommender: his rows first ... rows - 1 over all his rows 0 ... i, every
// head; heads are contiguous blocks of columns. q, out and what belongs to them begin at row `first`, keys and values
// at row 0; *_row: floats from row to row.
//   SiLU (HSTU, `positions` is there):  a_ij = scale silu(q_i.k_j + positions[j - i] + time_weights[bucket(times[i + 1]
//                                       - times[j])])
//   softmax (SASRec):                   a_ij = softmax_j(scale q_i.k_j), each weight times kept_scale or zero where
//                                       `kept` says so
//   bucket(d) = the b with time_bounds[b] <= |d| < time_bounds[b + 1]
inline constexpr int kTimeBuckets = 128;  // the last one; there are kTimeBuckets + 1
struct HistoryAttend {
  const float *q, *k, *v;
  int64_t q_row, k_row, v_row;
  float* out;
  int64_t out_row;
  int64_t first, rows, heads, qk_dim, v_dim;
  float scale;
  const float* positions;      // at the weight of distance 0; smaller indices are older keys. NULL: softmax
  const float* time_weights;   // [kTimeBuckets + 1]
  const int64_t* time_bounds;  // [kTimeBuckets + 2], from 0 to INT64_MAX
  const int64_t* times;        // [rows + 1], the last one is the query's; |differences| below INT64_MAX
  const uint8_t* kept;         // [heads][rows - first][rows], or NULL: all are kept
  float kept_scale;
  float* scratch;  // history_attend_scratch(...) values
};
struct HistoryAttendBackward {  // everything is added to
  const float* dout;
  int64_t dout_row;
  float *dq, *dk, *dv;
  int64_t dq_row, dk_row, dv_row;
  float *dpositions, *dtime_weights;  // as positions, time_weights
};
inline constexpr int64_t kHistoryBlock = 24;  // rows whose weights are in memory at a time
constexpr int64_t history_attend_scratch(int64_t rows, int64_t heads, int64_t qk_dim, int64_t v_dim) {
  return (rows + 15) / 16 * 16 * (heads * (qk_dim + v_dim) + 32 + 3 * kHistoryBlock);
}

// Rows ids[0 ... count - 1] of a table of n values each.
struct TableRows {
  const float* table;
  int64_t row;  // floats from row to row
  const int32_t* ids;
  int64_t count, n;
};

// Items as 8-bit codes (search.inl.h): item = scale * code, panels of 16 items; what fills the last panel up has scale
// 0.
struct CodePanels {
  const uint8_t* codes;  // [panels][steps][16][4], code + 128
  const float* scales;   // [panels * 16]
  int64_t steps;         // of 4 values
};
struct CodeQuery {
  const int8_t* codes;  // [4 * steps], -127 ... 127
  int32_t start;        // -128 times their sum
  float least;          // panels without a score of at least this are passed over
};

struct KernelTable {
  const char* name;

  // ---- weights (formats.inl.h) ----
  // out[n][16] = columns k0 + n of a panel in f32, n < count; any weight type. Quantised: k0 and count are multiples of
  // 32.
  void (*tile_f)(float* out, DType dtype, const uint8_t* panel, int64_t k0, int64_t count);

  // ---- products (gemm.inl.h): y[t][n] = sum_k w[n,k] x[t,k] for rows <= kMaxRows and 16 * panel_count outputs ----
  // Every y[t] holds all 16 * panel_count outputs.
  void (*gemm_q)(float* const* y, const Panels& w, int64_t panel_count, const QRow* x, int64_t rows);
  void (*gemm_f)(float* const* y, const Panels& w, int64_t panel_count, const float* const* x, int64_t rows);

  // ---- rows (rows.inl.h) ----
  void (*quantise_row)(const QRowOut& to, const float* x, int64_t K);  // K % 32 == 0
  void (*rms_norm)(float* y, const float* x, const float* w /* or NULL */, int64_t D, float eps);
  void (*add)(float* y, const float* x, int64_t n);                         // y += x
  void (*scale)(float* y, const float* x, float scale, int64_t n);          // y = scale * x
  void (*swiglu)(float* y, const float* gate, const float* up, int64_t n);  // silu(gate) * up
  void (*geglu)(float* y, const float* gate, const float* up, int64_t n);   // gelu(gate) * up, gelu by tanh
  // (clamp(up) + 1) * g * sigmoid(alpha g), g = min(gate, limit), clamp to +-limit
  void (*clamped_swiglu)(float* y, const float* gate, const float* up, int64_t n, float limit, float alpha);
  void (*softcap)(float* y, const float* x, float cap, int64_t n);  // cap tanh(x / cap); y may be x
  void (*sigmoid)(float* y, const float* x, int64_t n);
  void (*rope_interleaved)(float* x, const float* cosine, const float* sine, int64_t head_dim);  // pairs (2i, 2i+1)
  void (*rope_half_split)(float* x, const float* cosine, const float* sine,
                          int64_t head_dim);               // pairs (i, i + head_dim/2)
  void (*to_f16)(uint16_t* y, const float* x, int64_t n);  // round to nearest even

  // ---- attention (attention.inl.h) ----
  // out = sum e^(score - largest) v over positions [low, min(high, row.high)), not yet divided by the total.
  void (*attend_f32)(const Attend& a);
  void (*attend_f16)(const Attend& a);
  void (*attend_q8)(const Attend& a);
  // Adds the later positions' out and state to the earlier ones'.
  void (*merge_attention)(float* out, float* state, const float* later_out, const float* later_state, int64_t head_dim);
  void (*finish_attention)(float* out, const float* state, int64_t head_dim);  // out /= total

  // ---- backward (multiply.inl.h, attention_backward.inl.h, rows_backward.inl.h): everything is added but where noted
  void (*gemm_back)(const GemmBack& g);
  void (*gemm_outer)(const GemmOuter& g);
  void (*attend_backward)(const AttendBackward& a);
  float (*rms_norm_backward)(const RmsNormBackward& g);  // 1 / sqrt(mean(x^2) + eps)
  void (*swiglu_backward)(float* dgate, float* dup, const float* dy, const float* gate, const float* up, int64_t n);
  void (*geglu_backward)(float* dgate, float* dup, const float* dy, const float* gate, const float* up, int64_t n);
  void (*clamped_swiglu_backward)(float* dgate, float* dup, const float* dy, const float* gate, const float* up,
                                  int64_t n, float limit, float alpha);
  void (*softcap_backward)(float* dx, const float* y, float cap, int64_t n);  // dx *= 1 - (y / cap)^2, y the capped
  float (*dot)(const float* x, const float* y, int64_t n);
  void (*add_scaled)(float* y, const float* x, float scale, int64_t n);  // y += scale x
  void (*add_product)(float* y, const float* a, const float* b, float scale,
                      int64_t n);                                  // y += scale a b, element by element
  void (*softmax_state)(float* state, const float* x, int64_t n);  // largest, sum of e^(x - largest)
  void (*softmax_gradient)(float* g, const float* x, const float* state, float weight,
                           int64_t n);  // g = weight softmax(x); g may be x

  // ---- vision encoders (vision.inl.h); y may be x ----
  void (*layer_norm)(float* y, const float* x, const float* w /* or NULL */, const float* b, int64_t D,
                     float eps);                      // without w: no b either
  void (*gelu)(float* y, const float* x, int64_t n);  // exact: x times the normal distribution up to x

  // ---- for providers (ops/provided.h) ----
  void (*to_bf16)(uint16_t* y, const float* x, int64_t n);  // round to nearest even

  // ---- sequence recommenders (history.inl.h, recommend_rows.inl.h); gradients are added ----
  void (*history_attend)(const HistoryAttend& a);
  void (*history_attend_backward)(const HistoryAttend& a, const HistoryAttendBackward& d);
  void (*layer_norm_backward)(float* dx, const float* dy, const float* x, int64_t D,
                              float eps);  // of layer_norm without w
  void (*silu)(float* y, const float* x, int64_t n);
  void (*silu_backward)(float* dx, const float* dy, const float* x, int64_t n);
  // out[m] = x . table[ids[m]]; y += sum_m weights[m] table[ids[m]], in the order of m.
  void (*gather_dots)(float* out, const float* x, const TableRows& t);
  void (*gather_add)(float* y, const TableRows& t, const float* weights);

  // ---- retrieval (search.inl.h) ----
  // Of panels [first, first + panels): those with a score of at least query.least, and all 16 scores of each; how many.
  // Capacity: `panels` hits and their scores.
  int64_t (*search_codes)(int32_t* hits, float* scores, const CodePanels& items, int64_t first, int64_t panels,
                          const CodeQuery& query);
  int32_t (*dot_codes)(const int8_t* x, const int8_t* y,
                       int64_t n);  // of one item and another; n % 64 == 0, codes in -127..127
};

// The table of a level by name; "" = the best this CPU has. NULL when the name is unknown or the CPU lacks it.
const KernelTable* select_kernels(const char* isa);
// Every level built in, best last, whether or not this CPU has it; `supported` says so.
struct IsaLevel {
  const char* name;
  bool supported;
};
int isa_levels(IsaLevel* out, int capacity);

}  // namespace puna
