// model_tensor.h -- a recommender's parameters as its files have them: named tensors, each made of one or more blocks
// in the layout that kernels read.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "puna/tensor/tensor.h"

namespace puna::recsys {

struct TensorPiece {
  std::string name;
  float* values;
  int64_t stored;      // floats at `values`
  int64_t rows, cols;  // of this piece; a vector has one column
  bool panels;         // stored in panels of 16 rows (Weight), else row by row
};

struct ModelTensor {
  std::string name;
  Shape shape;
  bool transposed;                  // the file has [cols, rows]
  std::vector<TensorPiece> pieces;  // one below the other
  std::vector<float> read() const;  // in the file's order
  void write(std::span<const float> values);
};

}  // namespace puna::recsys
