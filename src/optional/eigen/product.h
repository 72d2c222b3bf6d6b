// product.h -- products in f32 by Eigen, one function for each level of vector instructions.
#pragma once
#include <cstdint>
#include <span>

namespace puna {

// As GemmProvider::f32. Throws std::bad_alloc, before c is added to, when a large product finds no memory.
using EigenProduct = void(int32_t flags, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda, const float* b,
                          int64_t ldb, float* c, int64_t ldc);

struct EigenLevel {
  const char* name;
  EigenProduct* multiply;
};
// Those that are compiled in and that this CPU has the instructions of, best first; the last is any CPU's.
std::span<const EigenLevel> eigen_levels() noexcept;

}  // namespace puna
