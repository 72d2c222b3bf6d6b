// output_tensor.h -- a tensor to be written to a file: what it is, and its bytes, given whole or produced piece by
// piece.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "puna/base/function_ref.h"
#include "puna/tensor/tensor.h"

namespace puna {

struct OutputTensor {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;                 // outermost first
  const void* data = nullptr;  // all bytes, or NULL and
  // called once, when its turn comes: hands the bytes to `write` in order, in pieces of any size. The sum is checked.
  std::function<void(FunctionRef<void(const void* piece, uint64_t bytes)> write)> produce = {};
};

}  // namespace puna
