// gemm_provider.h -- matrix products by another library (oneDNN, OpenBLAS, Eigen), as a table of functions that a
// host hands to a context. Without the guarantee of equal bits: sessions use one only when the host allows it, training
// when there is one (docs/architecture.md, sections 5 and 7).
#pragma once
#include <cstdint>

namespace puna {

class Crossover;  // src/base/crossover.h
struct Logger;

// Matrices lie row by row; lda, ldb, ldc: values from one row to the next.
enum GemmFlags : int32_t { kTransposedA = 1, kTransposedB = 2, kAddToC = 4 };

// c = a b, or c += a b:   a [m,k], or [k,m] when kTransposedA;   b [k,n], or [n,k] when kTransposedB;   c [m,n]
// Called from several threads at once; each call computes on its own thread alone and returns 0, or anything else when
// it could not: the product is then made without it, from the c of before. In a Context's table an exception is such a
// refusal too. Each sum may be added up in any order.
struct GemmProvider {
  const char* name = "";
  void* user = nullptr;
  int32_t (*f32)(void* user, int32_t flags, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda,
                 const float* b, int64_t ldb, float* c, int64_t ldc) = nullptr;
  // a and b in bf16, sums and c in f32. May be NULL.
  int32_t (*bf16)(void* user, int32_t flags, int64_t m, int64_t n, int64_t k, const uint16_t* a, int64_t lda,
                  const uint16_t* b, int64_t ldb, float* c, int64_t ldc) = nullptr;
};

enum class AllowProviders : int32_t {
  never = 0,
  f32 = 1,   // for products in f32
  bf16 = 2,  // and factors may be rounded to bf16, where the provider takes those
};

// What a pass may use; without a provider, nothing. Borrowed from a Context.
struct GemmPermission {
  const GemmProvider* provider = nullptr;
  const Crossover* crossover = nullptr;  // NULL: whatever the provider can do, it does
  const Logger* logger = nullptr;
  bool bf16 = false;
};

}  // namespace puna
