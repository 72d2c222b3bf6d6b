// interactions.h -- how a ranker's embeddings meet, each stage with its gradient: cross layers, products of pairs,
// experts mixed by a gate.
//   T examples; n embeddings ("tokens") of d values lie one behind the other in a row [n d]. Outputs are other values
//   than inputs.
#pragma once
#include <vector>

#include "ops/row_blocks.h"
#include "ops/tape.h"

namespace puna {

// y = x0 * z + x, element by element: with z = x W^T + b, a cross layer of DCN-V2
// arXiv:2008.13535, equation 1
void cross_rows(Inference& rec, View y, View x0, View z, View x);
void cross_backward(Tape& rec, View y, View x0, View z, View x);
template <class Rec>
void cross(Rec& rec, View y, View x0, View z, View x) {
  cross_rows(rec, y, x0, z, x);
  if constexpr (Rec::records) rec.on_backward([=, &rec] { cross_backward(rec, y, x0, z, x); });
}

// y_i = sum over pairs a < b of x_ai x_bi = ((sum_a x_ai)^2 - sum_a x_ai^2) / 2   [T,d]
// arXiv:1708.05027, equation 4
void pair_sums_rows(Inference& rec, View y, View x);
void pair_sums_backward(Tape& rec, View y, View x);
template <class Rec>
void pair_sums(Rec& rec, View y, View x) {
  pair_sums_rows(rec, y, x);
  if constexpr (Rec::records) rec.on_backward([=, &rec] { pair_sums_backward(rec, y, x); });
}

// y = the dot products of tokens (1,0), (2,0), (2,1), (3,0), ...   [T, n (n - 1) / 2]
// arXiv:1906.00091, section 2.1
void pair_dots_rows(Inference& rec, View y, View x, int64_t d);
void pair_dots_backward(Tape& rec, View y, View x, int64_t d);
template <class Rec>
void pair_dots(Rec& rec, View y, View x, int64_t d) {
  pair_dots_rows(rec, y, x, d);
  if constexpr (Rec::records) rec.on_backward([=, &rec] { pair_dots_backward(rec, y, x, d); });
}

// y = the parts' columns, one behind the other.
void join_rows(Inference& rec, View y, const std::vector<View>& parts);
void join_backward(Tape& rec, View y, const std::vector<View>& parts);
template <class Rec>
void join(Rec& rec, View y, const std::vector<View>& parts) {
  join_rows(rec, y, parts);
  if constexpr (Rec::records) rec.on_backward([=, &rec] { join_backward(rec, y, parts); });
}

// y = sum_e softmax_e(gates[first + e]) experts[e]
// MMoE (KDD 2018), equation 6
void mix_rows(Inference& rec, View y, View gates, int64_t first, const std::vector<View>& experts);
void mix_backward(Tape& rec, View y, View gates, int64_t first, const std::vector<View>& experts);
template <class Rec>
void mix(Rec& rec, View y, View gates, int64_t first, const std::vector<View>& experts) {
  mix_rows(rec, y, gates, first, experts);
  if constexpr (Rec::records) rec.on_backward([=, &rec] { mix_backward(rec, y, gates, first, experts); });
}

}  // namespace puna
