// weights.h -- weight matrices for tests: random numbers, stored in any type we can write, and what they are once read
// back.
#pragma once
#include "kernels/dequantise.h"
#include "kernels/encode_blocks.h"
#include "kernels/panel.h"
#include "puna/tensor/tensor.h"
#include "ref/linear.h"
#include "ref/random.h"
#include "support/catch.h"
#include "support/isa.h"

namespace puna::test {

struct StoredWeight {
  // A matrix of normal numbers / sqrt(cols), so that outputs are of the size of inputs.
  StoredWeight(DType dtype, int64_t rows, int64_t cols, uint64_t seed)
      : StoredWeight(dtype, rows, cols, scaled(ref::normal(rows * cols, seed), cols)) {}
  StoredWeight(DType dtype, int64_t rows, int64_t cols, std::vector<float> values)
      : plain{rows, cols, std::move(values)} {
    const int64_t row_bytes = int64_t(bytes_of(info(dtype), uint64_t(cols)));
    REQUIRE(cols % info(dtype).block == 0);
    bytes.resize(size_t(rows * row_bytes));
    if (dtype == DType::f32)
      memcpy(bytes.data(), plain.values.data(), bytes.size());
    else
      encoder(dtype)(bytes.data(), plain.values.data(), rows * cols, nullptr);
    dequantise_row(*select_kernels("scalar"), plain.values.data(), dtype, bytes.data(), rows * cols);
    const int64_t count = (rows + kTileRows - 1) / kTileRows, stride = panel_bytes(dtype, cols);
    panels.resize(size_t(count * stride));
    for (int64_t p = 0; p < count; ++p)
      pack_panel(panels.data() + p * stride, dtype, bytes.data() + p * kTileRows * row_bytes, row_bytes, 0,
                 int(std::min<int64_t>(kTileRows, rows - p * kTileRows)), cols);
    weight = {reinterpret_cast<const std::byte*>(panels.data()), dtype, rows, cols, stride};
  }
  StoredWeight(StoredWeight&&) = default;
  static std::vector<float> scaled(std::vector<float> values, int64_t cols) {
    for (float& x : values) x = float(x / std::sqrt(double(cols)));
    return values;
  }
  ref::Matrix plain;  // after the rounding of `dtype`
  std::vector<uint8_t> bytes, panels;
  Weight weight;
};

// The matrix that panels of f32 hold, row by row.
inline std::vector<float> out_of_panels(const std::vector<float>& panels, int64_t rows, int64_t cols) {
  std::vector<float> plain;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c) plain.push_back(panels[size_t((r / 16 * cols + c) * 16 + r % 16)]);
  return plain;
}

}  // namespace puna::test
