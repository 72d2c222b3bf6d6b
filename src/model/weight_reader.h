// weight_reader.h -- tensors by name, checked (shape, type, size) and packed into panels. What it returns is safe to
// hand to kernels. Packing is parallel and goes tensor by tensor; pages of a mapped file are dropped behind it, so the
// model is held once. A WeightStore may give matrices another place than the context's memory, and may have them ready.
#pragma once
#include <string>

#include "model/scaled_weights.h"
#include "puna/base/context.h"
#include "puna/model/llama.h"
#include "puna/model/weight_store.h"

namespace puna {

class WeightReader {
 public:
  WeightReader(const Context& context, const TensorMap& tensors, LlamaWeights& weights, bool mapped,
               Llama::Progress progress, WeightStore* store, ScaledLayout scaled = {});

  void finish() const { report(total_); }  // tensors that the model has no use for count as done
  bool has(const std::string& name) const { return tensors_.find(name) != nullptr; }
  const TensorEntry& entry(const std::string& name, const Shape& expected) const;
  const TensorEntry& bytes(const std::string& name, const Shape& expected) const;
  // A weight matrix [rows, cols]. Error{bad_file} "tensor 'name' has shape [..], expected [..]".
  Weight matrix(const std::string& name, int64_t rows, int64_t cols) const;
  // Rows [first, first + rows) of a matrix [total, cols].
  Weight rows(const std::string& name, int64_t total, int64_t first, int64_t rows, int64_t cols) const;
  // A vector as f32, plus `added`, in memory of the context.
  const float* vector(const std::string& name, int64_t count, float added = 0) const;
  // Values first, first + step, ... of row `index` of a matrix [rows, cols], as f32.
  const float* part_of_row(const std::string& name, int64_t index, int64_t rows, int64_t cols, int64_t first,
                           int64_t step, int64_t count) const;
  // Rows first, first + step, ... of matrix `index` of a stack as gpt-oss publishes it: name + "_blocks" [count, total,
  // cols / 32, 16], whose byte j has the values 2j and 2j + 1, and name + "_scales" [count, total, cols / 32].
  Weight mxfp4(const std::string& name, int64_t index, int64_t count, int64_t total, int64_t first, int64_t step,
               int64_t rows, int64_t cols) const;
  // Matrix `index` of a stack [count, rows, cols]; or its rows [first, first + rows) of `total`.
  Weight stacked(const std::string& name, int64_t index, int64_t count, int64_t rows, int64_t cols) const {
    return stacked_rows(name, index, count, rows, 0, rows, cols);
  }
  Weight stacked_rows(const std::string& name, int64_t index, int64_t count, int64_t total, int64_t first, int64_t rows,
                      int64_t cols) const;
  // Matrix `index` of a stack stored [count, in, out_total]: rows first, first + step, ... of its transpose.
  Weight stacked_transposed(const std::string& name, int64_t index, int64_t count, int64_t out_total, int64_t first,
                            int64_t rows, int64_t cols, int64_t step = 1) const;

 private:
  // Rows as they lie in the file; col_stride != 0: bytes between consecutive inputs ([in,out] storage), else rows are
  // packed blocks.
  struct Stored {
    const std::byte* data;
    DType dtype;
    int64_t rows, cols, row_stride, col_stride;
  };
  Weight pack(const Stored& stored, bool in_file = true) const;
  Weight scaled_rows(const ScaledMatrix& matrix, int64_t total, int64_t first, int64_t rows, int64_t cols) const;
  WeightStore::Place allocate_place(const Weight& w) const;
  void report(uint64_t bytes) const;

  const Context& context_;
  const TensorMap& tensors_;
  LlamaWeights& weights_;
  bool mapped_;
  Llama::Progress progress_;
  WeightStore* store_;         // NULL: memory of the context
  ScaledLayout scaled_;        // of a Hugging Face folder's quantised matrices
  uint64_t total_ = 0;         // bytes of all tensors
  mutable uint64_t done_ = 0;  // of them packed
};

// Experts share one code path, so their types must agree (ops/experts.h).
void require_same_types(const LlamaLayer& layer, int64_t index);

}  // namespace puna
