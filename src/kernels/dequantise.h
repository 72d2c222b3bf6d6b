// dequantise.h -- single rows to f32, through the same decoders as everything else: for embeddings, small vectors and
// tests.
#pragma once
#include <stdint.h>

#include "kernels/kernel_table.h"

namespace puna {

// Row `lane` of a panel of K columns.
void dequantise_lane(const KernelTable& k, float* y, DType dtype, const uint8_t* panel, int lane, int64_t K) noexcept;
// n values as they lie in a file.
void dequantise_row(const KernelTable& k, float* y, DType dtype, const void* row, int64_t n) noexcept;

}  // namespace puna
