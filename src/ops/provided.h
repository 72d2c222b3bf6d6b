// provided.h -- large products of float weights made by the context's provider (puna/base/gemm_provider.h) where this
// pass may and where the provider was measured to be faster. Weights are transposed into plain rows for it, once for
// all rows of a pass; a product that the provider refuses is made here, slowly. Threads share tiles as everywhere, each
// tile is one call on one thread.
#pragma once
#include <span>

#include "ops/tape.h"

namespace puna {

enum class Way { kernels, f32, bf16 };  // who makes a product, and of what type its factors are

// How a product of `rows` rows with w is to be made in this pass: measured once for each size, type and context.
Way way_of(const Inference& rec, const Weight& w, int64_t rows, bool force_f32);

// Rows of activations as a way wants them; as many as the view has.
struct Factor {
  const void* data = nullptr;
  int64_t row = 0;  // values from one row to the next
};
Factor factor_of(Inference& rec, View x, Way way);
Factor rows_from(Factor x, int64_t first, Way way) noexcept;

// y = x W^T, or y += x W^T
struct ProvidedProduct {
  Factor x;
  View y;
  const Weight* w;
  bool add;
};
void provided_forward(Inference& rec, std::span<const ProvidedProduct> products, Way way);
// dx += dy W, dW += dy^T x; dx without data and dw NULL: not wanted.
void provided_backward(Inference& rec, View dx, float* dw, View dy, View x, const Weight& w, Way way);

}  // namespace puna
