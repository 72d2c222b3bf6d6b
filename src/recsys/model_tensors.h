// model_tensors.h -- the parameters of a recommender: memory for each, zero at first, and how files name them. The
// models derive from it.
#pragma once
#include "puna/base/context.h"
#include "puna/io/output_tensor.h"
#include "puna/recsys/model_tensor.h"

namespace puna::train {
class Parameters;
}

namespace puna::recsys {

struct ModelTensors {
  std::vector<ModelTensor> tensors;

  // What a safetensors file has of them; borrowed.
  std::vector<OutputTensor> outputs() const;
  // Error{bad_file} naming the tensor that is missing, has another type or shape, or values that are not finite.
  void read_from(const TensorMap& file, const std::string& path);

 protected:
  explicit ModelTensors(const Context& context) : context_(context) {}
  void tensor(std::string name, Shape shape, bool transposed = false);
  float* vector(int64_t rows, int64_t cols = 1);  // pieces of the tensor named last
  Weight matrix(int64_t rows, int64_t cols);
  const Context& context() const noexcept { return context_; }

 private:
  TensorPiece& piece(int64_t stored, int64_t rows, int64_t cols, bool panels);
  const Context& context_;
  std::vector<Buffer> owned_;
};

// All of a model's tensors, each with a gradient; the model must live as long.
train::Parameters parameters_of(const ContextPtr& context, std::span<ModelTensor> tensors);

}  // namespace puna::recsys
