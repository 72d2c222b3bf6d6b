// named_tensors.h -- a model's weights under their Hugging Face names and shapes, and their values in and out of
// panels: what checkpoints, adapters and golden gradients are read and written by. Experts are stacked there, [E, in,
// out] or [E, out, in], gate and up side by side.
#pragma once
#include <string>
#include <vector>

#include "puna/base/function_ref.h"
#include "puna/model/llama.h"

namespace puna {

// A weight inside a named tensor: its row r and column c are element offset + r row_stride + c col_stride of it.
struct TensorPiece {
  Weight* weight;
  int64_t offset, row_stride, col_stride;
  // not 0: our rows are interleaved pairs, the name's are half-split, inside heads of head_dim rows
  int64_t head_dim = 0;
};

// A vector of f32 inside a named tensor: its value i is element offset + i step.
struct VectorPiece {
  const float** values;
  int64_t count, offset = 0, step = 1;
};

struct NamedTensor {
  std::string name;
  Shape shape;
  std::vector<TensorPiece> pieces;   // or
  std::vector<VectorPiece> vectors;  // which are kept as
  float added = 0;                   // the name's plus this
  bool is_table = false;             // rows are looked up, nothing is multiplied: no adapter
  bool is_buffer = false;            // belongs to the checkpoint and is not trained
  bool multiplies() const noexcept { return vectors.empty() && !is_table; }
};

// The pieces point into `model`. A tied head is not listed.
std::vector<NamedTensor> named_tensors(Llama& model);

// Rows of a half-split head: where row r of our interleaved one is.
inline int64_t half_split_row(int64_t r, int64_t head_dim) noexcept {
  const int64_t i = r % head_dim;
  return r - i + i / 2 + i % 2 * (head_dim / 2);
}

// f32 values as the tensor has them <-> panels or vectors in our layout; `values_of` says where those of a weight lie
// (the weight's own address is its panels' or its vector's).
void copy_out(float* to, const NamedTensor& tensor, FunctionRef<const float*(const void* weight)> values_of);
void copy_in(const NamedTensor& tensor, const float* from, FunctionRef<float*(const void* weight)> values_of);

}  // namespace puna
