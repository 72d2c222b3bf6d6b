// weights.h -- weight matrices for tests: random numbers, stored in any type we can write, and what they are once read back.
#pragma once
#include "kernels/encode_blocks.h"
#include "puna/tensor/tensor.h"
#include "ref/linear.h"
#include "ref/random.h"
#include "support/catch.h"
#include "support/isa.h"

namespace puna::test {

struct StoredWeight {
  // A matrix of normal numbers / sqrt(cols), so that outputs are of the size of inputs.
  StoredWeight(DType dtype, int64_t rows, int64_t cols, uint64_t seed) : plain{rows, cols, ref::normal(rows * cols, seed)} {
    for (float& x : plain.values) x = float(x / std::sqrt(double(cols)));
    const int64_t row_bytes = int64_t(bytes_of(info(dtype), uint64_t(cols)));
    REQUIRE(cols % info(dtype).block == 0);
    bytes.resize(size_t(rows * row_bytes));
    if (dtype == DType::f32) memcpy(bytes.data(), plain.values.data(), bytes.size());
    else encoder(dtype)(bytes.data(), plain.values.data(), rows * cols);
    select_kernels("scalar")->dequantise(plain.values.data(), dtype, bytes.data(), rows * cols);
    weight = {reinterpret_cast<const std::byte*>(bytes.data()), dtype, rows, cols, row_bytes, 0};
  }
  StoredWeight(StoredWeight&&) = default;
  ref::Matrix plain;  // after the rounding of `dtype`
  std::vector<uint8_t> bytes;
  Weight weight;
};

}  // namespace puna::test
