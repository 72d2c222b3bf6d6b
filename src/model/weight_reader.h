// weight_reader.h -- tensors by name, checked: shape, type, size. What it returns is safe to hand to kernels.
#pragma once
#include <string>

#include "puna/base/context.h"
#include "puna/model/llama.h"

namespace puna {

class WeightReader {
 public:
  WeightReader(const Context& context, const TensorMap& tensors, LlamaWeights& weights)
      : context_(context), tensors_(tensors), weights_(weights) {}

  bool has(const std::string& name) const { return tensors_.find(name) != nullptr; }
  const TensorEntry& entry(const std::string& name, const Shape& expected) const;
  // A weight matrix [rows, cols]. Error{bad_file} "tensor 'name' has shape [..], expected [..]".
  Weight matrix(const std::string& name, int64_t rows, int64_t cols) const;
  // A vector as f32; converted into memory of the context when stored otherwise.
  const float* vector(const std::string& name, int64_t count) const;
  // Matrix `index` of a stack [count, rows, cols]; `outer` rows of a stored matrix are skipped (fused gate|up halves).
  Weight stacked(const std::string& name, int64_t index, int64_t count, int64_t rows, int64_t cols) const;
  // Matrix `index` of a stack stored [count, in, out_total]: rows [first, first + rows) of its transpose, as a strided view.
  Weight stacked_transposed(const std::string& name, int64_t index, int64_t count, int64_t out_total, int64_t first, int64_t rows, int64_t cols) const;

 private:
  const Context& context_;
  const TensorMap& tensors_;
  LlamaWeights& weights_;
};

// Experts share one code path, so their types must agree (ops/experts.h).
void require_same_types(const LlamaLayer& layer, int64_t index);

}  // namespace puna
